"""What the tool `run_detections` says: findings as rows of a table, gravest first, then what was covered and what to call next.

Decides which columns a reader gets, that every row credits its rule, and that the call to go on with holds no text of a log that
could be read as anything but a value.
"""

from __future__ import annotations

import re

import anyio.to_thread

from crosstrail.answers.detect import DetectCall, Detected, detect, headline
from crosstrail.answers.render import ANSWER_BYTES, Answer, Table, fence, fit_table, size
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.forms import group_text
from crosstrail.lookup.fanout import Progress
from crosstrail.timerange import iso
from crosstrail.vocabulary import words
from crosstrail.workspace.scoped import ScopedWorkspace

MAX_FINDINGS = 200
_COLUMNS = (
    *("level", "title", "principal", "account", "first", "last", "count", "did", "addresses", "events", "attack"),
    *("by", "note", "author", "license", "link", "rule_id"),
)
_WHOLE = frozenset({"level", "account", "first", "last", "count"})
_CAPS = (2_000, 240, 140, 90)
_EXAMPLES = 2
_PLAIN = re.compile(r"[A-Za-z0-9-]{1,64}")
"""Ids of events, as clouds make them."""
_FRAME_BYTES = 200


async def answer(
    workspace: ScopedWorkspace, asked: DetectCall, max_findings: int, *, progress: Progress | None = None
) -> Answer:
    """Raises what `detect` raises."""
    found = await detect(workspace, asked, progress=progress)
    return await anyio.to_thread.run_sync(_answer, found, max_findings)


def _answer(found: Detected, most: int) -> Answer:
    after = [*_next(found), *found.coverage, *found.about]
    after = _within(after, ANSWER_BYTES // 3)
    room = ANSWER_BYTES - _FRAME_BYTES - size(headline(found, 0)) - sum(size(line) + 1 for line in after)
    rows = [_row(finding, found) for finding in found.findings[:most]]
    fitted = fit_table(_COLUMNS, rows, room, caps=_CAPS, whole=_WHOLE, fold=True)
    shown = fitted.shown if rows else 0
    lines = [headline(found, shown)]
    if rows:
        lines.append(fence(fitted.text))
    if shown < len(found.findings):
        lines.append(
            f"{len(found.findings) - shown} more: narrow it by level, rules, {words().account} or {words().start}, or ask for more findings."
        )
    facts = {
        "findings": len(found.findings),
        "shown": shown,
        **found.counts,
        "rules": found.ran,
        "rules_refused": found.refused,
        "suppressed": found.sifted.suppressed_count,
        "complete": found.complete,
    }
    return Answer("\n".join([*lines, *after]), facts, tables=[Table(_COLUMNS, rows)])


def _row(finding: DetectionFinding, found: Detected) -> list[str | None]:
    rule, events = finding.rule, finding.events
    did = dict.fromkeys(f"{event.name}{f' ({event.error})' if event.error else ''}" for event in events)
    addresses = dict.fromkeys(event.address for event in events if event.address)
    return [
        *(rule.level, rule.title, finding.principal, found.names.get(finding.account) or finding.account[1]),
        *(iso(finding.first), "" if finding.last == finding.first else iso(finding.last), str(finding.count)),
        *(" ".join(did), " ".join(addresses), " ".join(event.id for event in events[:_EXAMPLES])),
        *(" ".join(rule.attack), group_text(finding), finding.note, rule.author, rule.license, rule.link, rule.id),
    ]


def _next(found: Detected) -> list[str]:
    """The exact call that goes on with the gravest finding."""
    if not found.findings:
        return [f"Before you believe that nothing happened, ask {words().coverage}."]
    gravest = found.findings[0]
    account, event = gravest.account[1], gravest.events[0].id if gravest.events else ""
    if not _PLAIN.fullmatch(event):
        return []
    call = f'{words().account}="{account}", {words().filter_key}="EventId", {words().filter_value}="{event}", detail="full"'
    all_of_it = f'{words().summary}(subject="{event}", {words().account}="{account}")'
    return [
        f"Next: {all_of_it} gives all that the principal of the gravest finding did; {words().lookup}({call}) its first event whole."
    ]


def _within(lines: list[str], most: int) -> list[str]:
    """As many lines as fit, the last one cut where it must be."""
    kept: list[str] = []
    for line in lines:
        most -= size(line) + 1
        if most < 0:
            kept.append("More has to be said of this than fits: the command `crosstrail detect` says all of it.")
            break
        kept.append(line)
    return kept
