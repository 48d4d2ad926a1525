"""What the tool that shows a timeline says: a few lines for a model, and the data of the page for a host that shows one.

Decides what is asked and how much of it; timeline.py words it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import anyio.to_thread

from crosstrail.answers.lookup_events import accepted_filters
from crosstrail.answers.render import Answer
from crosstrail.answers.timeline import (
    APP_EVENTS,
    APP_RECORD_BYTES,
    TEXT_BINS,
    TEXT_EVENTS,
    TimelineQuestion,
    app_data,
    now,
    text,
    timeline,
)
from crosstrail.detections.timeline import LaneKind
from crosstrail.lookup.fanout import Progress
from crosstrail.timerange import parse_range
from crosstrail.workspace.scoped import ScopedWorkspace


@dataclass(frozen=True, slots=True)
class TimelineCall:
    """The arguments as they came; empty texts say nothing."""

    target_account_id: str = ""
    start_time: str = ""
    end_time: str = ""
    filters: str = ""
    region: str = ""
    lanes: LaneKind = "principal"


async def show(workspace: ScopedWorkspace, call: TimelineCall, *, for_page: bool, progress: Progress) -> Answer:
    """`for_page`: with the data of the page. Raises InvalidRequest, BadTimeRange, AccountNotFound, LakeError."""
    span = parse_range(call.start_time, call.end_time, now=now(), default_age=None)
    chosen = await workspace.targets(call.target_account_id.strip() or "*", call.region)
    filters = accepted_filters(chosen.targets, call.filters)
    question = TimelineQuestion(
        call.target_account_id, call.region, span, filters, call.lanes, TEXT_EVENTS, 0, TEXT_BINS, detect=True
    )
    if for_page:
        question = replace(question, events=APP_EVENTS, record_bytes=APP_RECORD_BYTES)
    found, _ = await timeline(workspace, question, progress=progress)
    answer = await anyio.to_thread.run_sync(text, found)
    if not for_page:
        return answer
    return replace(answer, page=await anyio.to_thread.run_sync(app_data, found))
