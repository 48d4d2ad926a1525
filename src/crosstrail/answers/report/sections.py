"""What a report says, in which order: the question, what it rests on, what was found, who did it, what is still open.

Decides how much of each is shown within a `Measure`; what is left out is counted. It asks nobody, and escapes nothing: every text
of a log, a rule or a file goes into the document as a quotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crosstrail import __version__
from crosstrail.answers.detect import Detected
from crosstrail.answers.log_coverage import WORST_FIRST, LogCoverage, run_list, summary
from crosstrail.answers.report.document import (
    ActivityChart,
    Block,
    Bullets,
    Grid,
    Inline,
    Quoted,
    Reference,
    ReportDocument,
    Section,
    listing,
    said,
)
from crosstrail.answers.report.gathered import EvidenceFacts, IncidentReport
from crosstrail.answers.report.questions import open_questions
from crosstrail.answers.summarize import Summarized
from crosstrail.answers.summary_text import head, tables
from crosstrail.coverage import DayState
from crosstrail.detections.findings import DetectionFinding, FoundEvent
from crosstrail.detections.forms import group_text
from crosstrail.detections.timeline import Bins
from crosstrail.models import AccountKey
from crosstrail.timerange import iso


@dataclass(frozen=True, slots=True)
class Measure:
    """Most of each: rules told in full, events of a finding, rows of coverage, rows of any other table."""

    rules: int = 100
    events: int = 5
    regions: int = 60
    rows: int = 100


_WHOLE = Measure()


def document(report: IncidentReport, measure: Measure = _WHOLE) -> ReportDocument:
    names = ", ".join(one.name for one in report.accounts[:4])
    more = f" and {len(report.accounts) - 4} more" if len(report.accounts) > 4 else ""
    sections = [
        _asked(report),
        _coverage(report, measure),
        _findings(report, measure),
        *([_new(report.new, report, measure)] if report.new else []),
        _timeline(report),
        *([_summaries(report, measure)] if report.summaries else []),
        *([_evidence(report.evidence)] if report.evidence else []),
        Section(("Open questions",), (Bullets(tuple(open_questions(report))),)),
    ]
    return ReportDocument(
        f"Investigation of {names}{more}",
        f"{report.span}. Made {iso(report.made)} by crosstrail {__version__}.",
        tuple(sections),
    )


def _asked(report: IncidentReport) -> Section:
    call = report.call
    rows: list[tuple[Inline, ...]] = [
        ("Accounts", Quoted(", ".join(f"{one.name} ({one.id})" if one.alias else one.id for one in report.accounts))),
        ("Regions", Quoted(call.region) if call.region else "all that are held; of live accounts their own"),
        ("Time", str(report.span)),
    ]
    if call.subjects:
        rows.append(("Subjects", Quoted(", ".join(call.subjects))))
    if report.detected:
        rows.append(("Findings", f"level {report.detected.level} and above"))
    return Section(("What was asked",), (Grid((), tuple(rows)), _in_short(report)))


def _in_short(report: IncidentReport) -> Block:
    """The one sentence that a reader in a hurry gets."""
    found = report.detected
    if found is None:
        return said("Detections did not run: see the open questions.", tone="warning")
    if not found.findings:
        return said(f"No finding of {found.ran:,} rules. That is no proof that nothing happened: see what it rests on.")
    counts = ", ".join(f"{count} {level}" for level, count in found.counts.items())
    return said(f"{len(found.findings):,} findings: {counts}.", tone=found.findings[0].rule.level)


def _coverage(report: IncidentReport, measure: Measure) -> Section:
    blocks: list[Block] = []
    if report.coverage:
        blocks += [said(line) for line in summary(report.coverage)]
        if report.coverage.rows:
            blocks.append(_days(report.coverage, measure.regions))
    lines = list(dict.fromkeys(line for line in _coverage_lines(report)))
    if lines:
        blocks.append(listing(lines))
    return Section(("What it rests on",), tuple(blocks))


def _coverage_lines(report: IncidentReport) -> Sequence[str]:
    """What each part says of where it looked; most say the same."""
    parts = [report.detected.coverage if report.detected else (), report.timeline.coverage if report.timeline else ()]
    return [*(line for part in parts for line in part), *report.warnings]


def _days(found: LogCoverage, most: int) -> Grid:
    """Of each account and region, the worst first."""
    rows = sorted(found.rows, key=lambda row: row.badness)
    cells: list[tuple[Inline, ...]] = [
        (
            Quoted(row.account.name),
            Quoted(row.region or "(not known)"),
            *(f"{row.map.days(state):,}" for state in WORST_FIRST[:4]),
            Quoted(run_list(row.map.runs(DayState.MISSING, DayState.PARTLY))),
        )
        for row in rows[:most]
    ]
    columns = ("account", "region", "missing", "partly", "collected", "proved", "missing or partly held")
    return Grid(columns, tuple(cells), max(len(rows) - most, 0))


def _findings(report: IncidentReport, measure: Measure) -> Section:
    found = report.detected
    if found is None:
        return Section(("Findings",), (said("Detections did not run.", tone="warning"),))
    about: list[Block] = [listing(found.about)] if found.about else []
    if not found.findings:
        return Section(("Findings",), (said(f"None, of {found.ran:,} rules."), *about))
    by_rule: dict[str, list[DetectionFinding]] = {}
    for one in found.findings:
        by_rule.setdefault(one.rule.id, []).append(one)
    told = list(by_rule.values())[: measure.rules]
    if len(told) < len(by_rule):
        about.append(
            said(f"The gravest {len(told):,} of {len(by_rule):,} rules that found something are told in full.")
        )
    inner = tuple(_rule(alike, report, measure) for alike in told)
    return Section(("Findings",), (_overview(found.findings, report, measure), *about), inner)


def _new(found: Detected, report: IncidentReport, measure: Measure) -> Section:
    """What nobody there did before; how long before is said in each note."""
    if not found.findings:
        return Section(("New here",), (said("Nothing was found that is new."), listing(found.about)))
    rows: list[tuple[Inline, ...]] = [
        (
            one.rule.level,
            one.rule.title,
            Quoted(one.principal),
            _account(one.account, report),
            iso(one.first),
            f"{one.count:,}",
            Quoted(", ".join(filter(None, (group_text(one), one.note)))),
        )
        for one in found.findings[: measure.rows]
    ]
    columns = ("level", "what", "who", "account", "first", "events", "about it")
    grid = Grid(columns, tuple(rows), max(len(found.findings) - measure.rows, 0))
    return Section(("New here",), (grid, listing(found.about)))


def _overview(findings: Sequence[DetectionFinding], report: IncidentReport, measure: Measure) -> Grid:
    rows: list[tuple[Inline, ...]] = [
        (
            one.rule.level,
            one.rule.title,
            Quoted(one.principal),
            _account(one.account, report),
            iso(one.first),
            iso(one.last),
            f"{one.count:,}",
        )
        for one in findings[: measure.rows]
    ]
    columns = ("level", "finding", "who", "account", "first", "last", "events")
    return Grid(columns, tuple(rows), max(len(findings) - measure.rows, 0))


def _rule(alike: Sequence[DetectionFinding], report: IncidentReport, measure: Measure) -> Section:
    """What one rule found, of everybody: the rule once, with whom to thank for it, then its events."""
    rule = alike[0].rule
    credit = ", ".join(filter(None, (rule.author, rule.license)))
    facts: list[tuple[Inline, ...]] = [
        ("What it means", rule.description),
        ("May be harmless", "; ".join(rule.false_positives)),
        ("ATT&CK", ", ".join(rule.attack)),
        ("Rule", Quoted(rule.id), f" by {credit}" if credit else ""),
        ("Link", Quoted(rule.link)),
    ]
    noted = [
        (Quoted(one.principal), " ", Quoted(group_text(one)), " ", one.note) for one in alike if one.note or one.group
    ]
    blocks: list[Block] = [Grid((), tuple(row for row in facts if any(map(_is_said, row[1:]))))]
    if noted:
        blocks.append(Bullets(tuple(noted[: measure.events])))
    shown = [(one, event) for one in alike for event in one.events[: measure.events]][: measure.rows]
    columns = ("time", "who", "account", "event", "region", "address", "error", "event id")
    rows = tuple(_event(one, event, report) for one, event in shown)
    blocks.append(Grid(columns, rows, max(sum(one.count for one in alike) - len(rows), 0)))
    return Section((rule.title,), tuple(blocks), tone=rule.level, label=rule.level)


def _is_said(part: Inline) -> bool:
    return bool(part.text if isinstance(part, Quoted) else part)


def _event(finding: DetectionFinding, one: FoundEvent, report: IncidentReport) -> tuple[Inline, ...]:
    values = (one.name, one.region, one.address, one.error, one.id)
    return (iso(one.time), Quoted(finding.principal), _account(finding.account, report), *map(Quoted, values))


def _account(key: AccountKey, report: IncidentReport) -> Inline:
    return Quoted(report.names.get(key, key[1]))


def _timeline(report: IncidentReport) -> Section:
    found = report.timeline
    if found is None or found.counts is None:
        return Section(("Timeline",), (said("No event in the time that was asked."),))
    blocks: list[Block] = [_chart(found.counts.bins, report.findings)]
    if report.timeline_file:
        blocks.append(Reference("Every event, to zoom and search", report.timeline_file))
    return Section(("Timeline",), tuple(blocks))


def _chart(bins: Bins, findings: Sequence[DetectionFinding]) -> ActivityChart:
    return ActivityChart(
        bins.first, bins.step, bins.counts, tuple(event.time for one in findings for event in one.events)
    )


def _summaries(report: IncidentReport, measure: Measure) -> Section:
    return Section(("Who did what",), (), tuple(_summary(one, measure) for one in report.summaries))


def _summary(one: Summarized, measure: Measure) -> Section:
    rows = [row for table in tables(one.summary) for row in table.rows]
    cells: list[tuple[Inline, ...]] = [
        (str(row[0]).replace("_", " "), Quoted(str(row[1])), *map(str, row[2:])) for row in rows[: measure.rows]
    ]
    columns = ("what", "value", "events", "first", "last")
    blocks: list[Block] = [said(line) for line in head(one)]
    if cells:
        blocks.append(Grid(columns, tuple(cells), max(len(rows) - measure.rows, 0)))
    return Section((Quoted(one.call.subject),), tuple(blocks))


def _evidence(evidence: EvidenceFacts) -> Section:
    rows: list[tuple[Inline, ...]] = [
        ("Records", Quoted(evidence.file)),
        ("Manifest", Quoted(evidence.manifest)),
        ("SHA-256 of the manifest", Quoted(evidence.sha256)),
    ]
    blocks: list[Block] = [
        said("The original records of the events that were found: ", evidence.words),
        Grid((), tuple(rows)),
    ]
    if evidence.left_out:
        blocks.append(said(f"{evidence.left_out:,} more events were found than are here.", tone="warning"))
    blocks.append(
        said("Check it with ", Quoted(f"crosstrail export --check {evidence.manifest} --sha256 {evidence.sha256}"))
    )
    return Section(("Evidence",), tuple(blocks))
