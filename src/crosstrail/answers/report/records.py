"""The original records of the events that a report's findings are about, as an export with a manifest.

Decides which events these are: all that its rules match, of the findings that are shown, and the examples of every other finding.
Accounts and times are those of the report; files lie where the caller says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from crosstrail.answers.detection_rules import rules_of
from crosstrail.answers.evidence import Exported, about
from crosstrail.answers.observe import EventsQuestion, observe
from crosstrail.answers.report.gathered import IncidentReport
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.plan import Hit, hit_statements, read_hits
from crosstrail.detections.rules import at_least
from crosstrail.engines.analysis import Rows
from crosstrail.evidence.forms import ExportedRecord
from crosstrail.evidence.writer import EvidenceWriter
from crosstrail.lake.reader import quoted
from crosstrail.timerange import iso
from crosstrail.workspace.scoped import ScopedWorkspace

MAX_RECORDS = 20_000
_EventKey = tuple[str, str, str]
"""(cloud, account, event id)"""


@dataclass(frozen=True, slots=True)
class FoundRecords:
    """`left_out`: events of findings beyond MAX_RECORDS, and those whose record was not to be had."""

    exported: Exported
    left_out: int


async def export_findings(workspace: ScopedWorkspace, report: IncidentReport, folder: Path, *, by: str) -> FoundRecords:
    """Writes the parts of an export into `folder`. Raises what observe raises, OSError."""
    question = EventsQuestion(report.call.account, report.call.region, report.span)
    keys = await _events_of(workspace, report, question)
    asked = list(keys)[:MAX_RECORDS]
    rows: Rows = ()
    if asked:
        rows = (await observe(workspace, question, [_statement(asked)])).tables[0]
    table, snapshot = await workspace.lake_snapshot()

    def write() -> dict[str, object]:
        with EvidenceWriter(folder, "jsonl", "records") as writer:
            writer.add_all(_records(rows))
            complete = len(rows) == len(keys)
            return writer.finish(
                {"form": "jsonl", "table": table, "snapshot": snapshot, "complete": complete, "reserialized": 0}
            )

    summary = await anyio.to_thread.run_sync(write)
    span, call = report.span, report.call
    said = {
        "account": call.account,
        "region": call.region,
        "since": iso(span.start) if span.start else None,
        "until": iso(span.end) if span.end else None,
        "findings": [one.key for one in report.findings],
    }
    coverage = report.detected.coverage if report.detected else ()
    return FoundRecords(Exported(summary, about(said, report.accounts, coverage, by), coverage), len(keys) - len(rows))


async def _events_of(
    workspace: ScopedWorkspace, report: IncidentReport, question: EventsQuestion
) -> dict[_EventKey, None]:
    keys = {(one.cloud, one.account, one.id): None for finding in report.findings for one in finding.events}
    found = report.detected
    if found is None or not found.findings:
        return keys
    rules = at_least(await rules_of(workspace.settings.detect, report.call.files), found.level)
    seen = await observe(workspace, question, hit_statements(rules))
    shown = {_of_finding(one) for one in found.findings}
    hits = [hit for hit in read_hits(rules, seen.tables) if _of_hit(hit) in shown]
    return keys | {(one.cloud, one.account, one.id): None for hit in hits for one in hit.events}


def _of_finding(one: DetectionFinding) -> tuple[object, ...]:
    return one.rule.id, one.account, one.principal, tuple(sorted(one.group.items()))


def _of_hit(one: Hit) -> tuple[object, ...]:
    return one.rule.id, one.account, one.principal, tuple(sorted(one.group))


def _statement(keys: Sequence[_EventKey]) -> str:
    """One row for each event, whichever of its copies."""
    wanted = ", ".join(f"({', '.join(map(quoted, key))})" for key in keys)
    columns = "cloud, account, eventid, any_value(eventjson), any_value(source_object), any_value(verified)"
    chosen = f"(cloud, account, eventid) IN (VALUES {wanted})"
    return f"SELECT {columns} FROM events WHERE {chosen} GROUP BY ALL ORDER BY min(eventtime), eventid"  # noqa: S608 - quoted


def _records(rows: Rows) -> Iterator[ExportedRecord]:
    for cloud, account, event_id, text, source, verified in rows:
        yield ExportedRecord(
            str(text).encode("utf-8", "surrogateescape"),
            str(cloud),
            str(account),
            str(event_id),
            str(source or ""),
            verified if isinstance(verified, bool) else None,
        )
