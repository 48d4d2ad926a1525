"""What a report leaves open: what could not be seen, what is not proved, and what to ask next.

Decides the questions alone, from what was gathered; each says how to answer it where a command can.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from crosstrail.answers.log_coverage import run_list
from crosstrail.answers.report.document import Inline, Quoted
from crosstrail.answers.report.gathered import IncidentReport
from crosstrail.coverage import DayState

_GAPS, _NEXT = 8, 5
_NOT_ENOUGH = "Not enough history"
_GRAVE = ("high", "critical")


def open_questions(report: IncidentReport) -> list[tuple[Inline, ...]]:
    """Never empty: where nothing else is open, whether the rules look for what happened is."""
    found = [
        *_unanswered(report),
        *_gaps(report),
        *_unproved(report),
        *_rules(report),
        *_history(report),
        *_next(report),
    ]
    return found or [
        ("Do the rules look for what is suspected? Ask for events by `crosstrail lookup` and `crosstrail query`.",)
    ]


def _unanswered(report: IncidentReport) -> Iterator[tuple[Inline, ...]]:
    for one in report.unanswered:
        yield (Quoted(one.part), " could not be had: ", Quoted(one.reason))
    if not report.complete and not report.unanswered:
        yield ("Some account did not answer, or not with all that it has: see what it rests on.",)


def _gaps(report: IncidentReport) -> Iterator[tuple[Inline, ...]]:
    if report.coverage is None:
        return
    rows = sorted(report.coverage.rows, key=lambda row: row.badness)
    bad = [row for row in rows if row.map.days(DayState.MISSING) or row.map.days(DayState.PARTLY)]
    for row in bad[:_GAPS]:
        days = run_list(row.map.runs(DayState.MISSING, DayState.PARTLY), 3)
        yield (
            "What happened in ",
            Quoted(f"{row.account.name} {row.region}"),
            " on the days that are not held whole? ",
            Quoted(days),
        )
    if len(bad) > _GAPS:
        yield (f"{len(bad) - _GAPS:,} more regions have days that are not held whole.",)
    if report.coverage.never:
        names = [account.name for account, _ in report.coverage.never]
        yield (
            "Is there really nothing in the regions that were never logged? ",
            Quoted(", ".join(dict.fromkeys(names))),
        )


def _unproved(report: IncidentReport) -> Iterator[tuple[Inline, ...]]:
    if report.coverage is None:
        return
    unproved = sum(row.map.days(DayState.COLLECTED) for row in report.coverage.rows)
    if unproved:
        yield (
            f"{unproved:,} days of regions are held but not proved by signed digests: ",
            Quoted("crosstrail verify"),
            " checks archives.",
        )


def _rules(report: IncidentReport) -> Iterator[tuple[Inline, ...]]:
    if report.detected and report.detected.refused:
        count = report.detected.refused
        yield (
            f"{count} rule{'s' * (count != 1)} could not be used, and found nothing for that reason: ",
            Quoted("crosstrail rules list"),
        )


def _history(report: IncidentReport) -> Iterator[tuple[Inline, ...]]:
    """What could not be told new from old."""
    about = report.new.about if report.new else ()
    yield from ((line,) for line in about if line.startswith(_NOT_ENOUGH))


def _next(report: IncidentReport) -> Iterator[tuple[Inline, ...]]:
    """Principals of grave findings that are not summarized here."""
    known = {one.call.subject for one in report.summaries}
    others = dict.fromkeys(
        (one.principal, one.account[1])
        for one in report.findings
        if one.rule.level in _GRAVE and one.principal not in known
    )
    for principal, account in [one for one in others if one[0]][:_NEXT]:
        command = f"crosstrail summarize {shlex.quote(principal)} --account {account}"
        yield ("What else did ", Quoted(principal), " do? ", Quoted(command))
