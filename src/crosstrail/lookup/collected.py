"""Lookups of live accounts of which the lake holds part of the history without a gap: that part from there, the rest live.

Decides which of both answers for which span of time, so that every moment is asked of one of them alone and no event comes twice.
The lake answers for what was asked of the account's own history to the end, and for what verified digests prove whole.
It never picks accounts: whoever may ask the account may read what was collected from it. What the lake lacks, a filter that it
has not, or a lake that cannot be read leave everything to the account itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum, auto
from typing import TYPE_CHECKING

import anyio.to_thread

from crosstrail.clouds.base import AuditTrail
from crosstrail.coverage import NONE_READ, Verified
from crosstrail.errors import LakeError
from crosstrail.filters import KEYS, FilterKey
from crosstrail.lake.covered_spans import proved_events
from crosstrail.lake.faults import reading
from crosstrail.lake.keeping import Keeping
from crosstrail.lake.remaining_spans import remaining_spans
from crosstrail.lake.spans import TICK, Span, missing
from crosstrail.lake.windows import Windows, covered, since
from crosstrail.models import AccountKey, Event, EventPage, EventQuery, Target
from crosstrail.timerange import TimeRange

if TYPE_CHECKING:
    from crosstrail.lake.table import LakeTable

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class _Held(IntEnum):
    COLLECTED = auto()
    """From the account's own history."""
    PROVED = auto()
    """By the digests of a trail."""


@dataclass(frozen=True, slots=True)
class _Part:
    span: Span
    held: _Held | None
    """Why the lake answers for it; None where it does not."""


_HeldSpans = Sequence[tuple[Span, _Held]]
"""Oldest first, apart from each other, but for those of different kinds that touch."""


class Collected:
    """What a lake holds of live accounts. `open_lake` is called in a thread; it raises LakeError."""

    def __init__(self, open_lake: Callable[[], LakeTable], keeping: Keeping) -> None:
        self._open_lake = open_lake
        self._keeping = keeping
        self._table: LakeTable | None = None
        self._trail: AuditTrail | None = None

    async def lookup_events(self, target: Target, live: AuditTrail, query: EventQuery) -> EventPage:
        """As AuditTrail.lookup_events, from both. Raises what either does."""
        spans: _HeldSpans = ()
        if all(one.key in KEYS and one.key != FilterKey.EVENT_CATEGORY for one in query.filters):
            spans = await anyio.to_thread.run_sync(self._spans, target)
        parts = _parts(spans, query)
        if not any(part.held for part in parts):
            return await live.lookup_events(target, query)
        return await self._merged(target, live, query, parts, spans)

    async def _merged(
        self, target: Target, live: AuditTrail, query: EventQuery, parts: Sequence[_Part], spans: _HeldSpans
    ) -> EventPage:
        events: list[Event] = []
        used: dict[_Held, list[TimeRange]] = {kind: [] for kind in _Held}
        held: TimeRange | None = None
        more, back_to = False, None
        examined = 0
        verified = NONE_READ
        for number, part in enumerate(parts):
            trail = self._trail if part.held and self._trail else live
            asked = replace(query, span=_range(part.span), limit=query.limit - len(events))
            page = await trail.lookup_events(target, asked)
            events += page.events
            examined += page.examined
            verified = page.verified if page.verified.events else verified
            if part.held:
                used[part.held].append(TimeRange(*part.span))
            else:
                held = held or _joined(page.held, spans)
            full = len(events) >= query.limit and number + 1 < len(parts)
            if page.more or full:
                more, back_to = True, page.back_to if page.more else None
                break
        if sum(map(len, used.values())) > 1:  # of which several are of the same days, so of the same files
            read = [span for parts_used in used.values() for span in parts_used]
            verified = await anyio.to_thread.run_sync(self._verified, target.account.key, read)
        return EventPage(
            tuple(events),
            more,
            held,
            back_to=back_to,
            examined=examined,
            verified=verified,
            collected=tuple(used[_Held.COLLECTED]),
            proved=tuple(used[_Held.PROVED]),
        )

    def _verified(self, key: AccountKey, spans: Sequence[TimeRange]) -> Verified:
        """Of the events in the data files of these spans, each file once."""
        from crosstrail.lake.verified_share import verified_share

        table = self._open_lake()
        files = {file.path: file for span in spans for file in table.files([key], span)}.values()
        with reading("the lake's data"):
            return verified_share(files, here=table.has_here(files))

    def _spans(self, target: Target) -> _HeldSpans:
        """In a thread. None where the lake cannot be read: the account itself can."""
        key = target.account.key
        try:
            table = self._open_lake()
            if self._table is not table:
                from crosstrail.lake.lake_trail import LakeTrail

                self._table, self._trail = table, LakeTrail(table)
            first = self._keeping.first_day(target.account.id, datetime.now(UTC))  # others may expire it too
            collected = since(first, covered(Windows.of_table(table).of(key), target))
            recorded = remaining_spans(table, [key]).get(key, [])
            proved = since(first, (Span(*one) for one in proved_events(recorded, target.region)))
        except LakeError:
            return ()
        found = [(span, _Held.COLLECTED) for span in collected]
        found += [(part, _Held.PROVED) for span in proved for part in missing(collected, span)]
        return sorted(found)


def _parts(spans: _HeldSpans, query: EventQuery) -> list[_Part]:
    """The span of the query, as far as its position leaves it to be listed, newest first."""
    ends = [end + TICK for end in (query.span.end, query.before.time if query.before else None) if end]
    top, low = min(ends, default=_LAST), query.span.start or _FIRST
    parts: list[_Part] = []
    for span, held in reversed(spans):
        if span.start < top and span.end > low:
            if span.end < top:
                parts.append(_Part(Span(span.end, top), None))
            parts.append(_Part(Span(max(span.start, low), min(span.end, top)), held))
            top = max(span.start, low)
    if top > low:
        parts.append(_Part(Span(low, top), None))
    return parts


def _range(span: Span) -> TimeRange:
    start, end = span.start if span.start > _FIRST else None, span.end - TICK if span.end < _LAST else None
    return TimeRange(start, end)


def _joined(held: TimeRange | None, spans: _HeldSpans) -> TimeRange | None:
    """What is known at all: the account's own history, and what was collected before it without a gap between."""
    start = held.start if held else None
    for span, _ in reversed(spans):
        if start and span.start < start <= span.end:
            start = span.start
    return replace(held, start=start) if held else None
