"""Lookups of live accounts of which the lake holds part of the history without a gap: that part from there, the rest live.

Decides which of both answers for which span of time, so that every moment is asked of one of them alone and no event comes twice.
It never picks accounts: whoever may ask the account may read what was collected from it. What the lake lacks, a filter that it
has not, or a lake that cannot be read leave everything to the account itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio.to_thread

from crosstrail.clouds.base import AuditTrail
from crosstrail.errors import LakeError
from crosstrail.filters import KEYS, FilterKey
from crosstrail.lake.keeping import Keeping
from crosstrail.lake.windows import TICK, Span, Windows, covered, since
from crosstrail.models import Event, EventPage, EventQuery, Target
from crosstrail.timerange import TimeRange

if TYPE_CHECKING:
    from crosstrail.lake.table import LakeTable

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Part:
    span: Span
    collected: bool
    """Whether the lake answers for it."""


class Collected:
    """What a lake holds of live accounts. `open_lake` is called in a thread; it raises LakeError."""

    def __init__(self, open_lake: Callable[[], LakeTable], keeping: Keeping) -> None:
        self._open_lake = open_lake
        self._keeping = keeping
        self._table: LakeTable | None = None
        self._trail: AuditTrail | None = None

    async def lookup_events(self, target: Target, live: AuditTrail, query: EventQuery) -> EventPage:
        """As AuditTrail.lookup_events, from both. Raises what either does."""
        spans: Sequence[Span] = ()
        if all(one.key in KEYS and one.key != FilterKey.EVENT_CATEGORY for one in query.filters):
            spans = await anyio.to_thread.run_sync(self._spans, target)
        parts = _parts(spans, query)
        if not any(part.collected for part in parts):
            return await live.lookup_events(target, query)
        return await self._merged(target, live, query, parts, spans)

    async def _merged(
        self, target: Target, live: AuditTrail, query: EventQuery, parts: Sequence[_Part], spans: Sequence[Span]
    ) -> EventPage:
        events: list[Event] = []
        used: list[TimeRange] = []
        held: TimeRange | None = None
        examined = 0
        for number, part in enumerate(parts):
            trail = self._trail if part.collected and self._trail else live
            asked = replace(query, span=_range(part.span), limit=query.limit - len(events))
            page = await trail.lookup_events(target, asked)
            events += page.events
            examined += page.examined
            if part.collected:
                used.append(TimeRange(*part.span))
            else:
                held = held or _joined(page.held, spans)
            full = len(events) >= query.limit and number + 1 < len(parts)
            if page.more or full:
                back_to = page.back_to if page.more else None
                return EventPage(tuple(events), True, held, back_to=back_to, examined=examined, collected=tuple(used))
        return EventPage(tuple(events), held=held, examined=examined, collected=tuple(used))

    def _spans(self, target: Target) -> tuple[Span, ...]:
        """In a thread. None where the lake cannot be read: the account itself can."""
        try:
            table = self._open_lake()
            if self._table is not table:
                from crosstrail.lake.lake_trail import LakeTrail

                self._table, self._trail = table, LakeTrail(table)
            spans = covered(Windows(table.folder, table.uuid).of(target.account.key), target)
            return since(
                self._keeping.first_day(target.account.id, datetime.now(UTC)), spans
            )  # others may expire it too
        except LakeError:
            return ()


def _parts(spans: Sequence[Span], query: EventQuery) -> list[_Part]:
    """The span of the query, as far as its position leaves it to be listed, newest first."""
    ends = [end + TICK for end in (query.span.end, query.before.time if query.before else None) if end]
    top, low = min(ends, default=_LAST), query.span.start or _FIRST
    parts: list[_Part] = []
    for span in reversed(spans):
        if span.start < top and span.end > low:
            if span.end < top:
                parts.append(_Part(Span(span.end, top), collected=False))
            parts.append(_Part(Span(max(span.start, low), min(span.end, top)), collected=True))
            top = max(span.start, low)
    if top > low:
        parts.append(_Part(Span(low, top), collected=False))
    return parts


def _range(span: Span) -> TimeRange:
    start, end = span.start if span.start > _FIRST else None, span.end - TICK if span.end < _LAST else None
    return TimeRange(start, end)


def _joined(held: TimeRange | None, spans: Sequence[Span]) -> TimeRange | None:
    """What is known at all: the account's own history, and what was collected before it without a gap between."""
    start = held.start if held else None
    for span in reversed(spans):
        if start and span.start < start <= span.end:
            start = span.start
    return replace(held, start=start) if held else None
