"""Where one page of a lookup begins and what belongs to it, for clouds whose lookups count time in whole seconds.

Decides by times and event identities alone, so that a page needs no upstream token of the page before. Pure.
"""

from __future__ import annotations

from datetime import timedelta

from crosstrail.models import Event, EventQuery, Position
from crosstrail.timerange import TimeRange

LOOKUP_HISTORY = timedelta(days=90)
"""What both clouds' LookupEvents keep, of every account, whether a trail exists or not."""
_MAX_A_REQUEST = 50


def span_of(query: EventQuery) -> TimeRange:
    """What is left of the query's span: nothing newer than its position. The end may lie before the start."""
    ends = [end for end in (query.span.end, query.before.time if query.before else None) if end]
    return TimeRange(query.span.start, min(ends, default=None))


def page_size(query: EventQuery, *, sifts: bool = False) -> int:
    """Enough that one request is, when it can be: what was given at the position's second comes again and is dropped.

    `sifts`: most of what comes will be dropped, so as much as there can be.
    """
    if sifts:
        return _MAX_A_REQUEST
    given = len(query.before.seen) if query.before else 0
    return min(query.limit + given, _MAX_A_REQUEST)


def belongs(event: Event, span: TimeRange, before: Position | None) -> bool:
    """Whether the event is inside the span and was not given before."""
    if (span.start and event.time < span.start) or (span.end and event.time > span.end):
        return False
    return not (before and event.identity in before.seen)
