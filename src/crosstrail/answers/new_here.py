"""What is new in some accounts: baselines over all that is held of them up to the end of the time asked about.

Decides that the whole history is read, whatever the span: what is new can only be told from what was there before. Where nobody says
from when on, it is the last day held. Where no
database of addresses is configured, places are not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio.to_thread

from crosstrail.answers.observe import EventsQuestion, Observed, observe
from crosstrail.detections.baseline_findings import read_baselines
from crosstrail.detections.baselines import baseline_statements, learning_span
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.levels import LEVELS
from crosstrail.engines.analysis import Rows
from crosstrail.lookup.fanout import Progress
from crosstrail.timerange import TimeRange
from crosstrail.workspace.scoped import ScopedWorkspace

_TICK = timedelta(seconds=1)


async def new_here(
    workspace: ScopedWorkspace, question: EventsQuestion, *, progress: Progress | None = None
) -> tuple[list[DetectionFinding], list[str], Observed]:
    """(findings, the gravest and newest first; what is said beside them; what was looked at). Raises ConfigError and what observe raises."""
    geo = workspace.settings.detect.geo
    newest = max((one.last for one in await workspace.held()), default=None)
    now = datetime.now(UTC).replace(microsecond=0)
    span = learning_span(question.span, min(now, newest + _TICK) if newest and not question.span.start else now)
    statements = baseline_statements(span, places=bool(geo))
    seen = await observe(workspace, replace(question, span=span.read), statements, progress=progress)
    found = read_baselines(seen.tables, span)
    findings, about = list(found.findings), found.about(seen.names)
    if geo:
        findings, said = await anyio.to_thread.run_sync(_placed, geo, findings, seen.tables[-1])
        about += said
    else:
        about.append("Places are not compared: no database of addresses (detect.geo).")
    about.insert(0, f"New from {TimeRange(span.start, span.end)}, compared with all that is held before.")
    findings.sort(key=lambda one: (-LEVELS.index(one.rule.level), -one.last.timestamp(), one.rule.id, one.principal))
    return findings, about, seen


def _placed(
    paths: Sequence[str], findings: Sequence[DetectionFinding], rows: Rows
) -> tuple[list[DetectionFinding], list[str]]:
    from crosstrail.detections.places import Places, by_system, travels

    places = Places(paths)
    try:
        kept, said = by_system(findings, places)
        moved, unknown = travels(rows, places)
        return [*kept, *moved], [*said, *unknown]
    finally:
        places.close()
