"""Which days hold events: days in runs, and what a span lacks of them.

Decides what a gap is: a day without one event, between the first and the last day held. It cannot tell a day that was
not collected from one on which nothing happened, and never says more than that no event is there. All days are UTC.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from crosstrail.timerange import TimeRange

Days = tuple[tuple[date, date], ...]
"""Runs of days, each from its first to its last, in order, never touching each other."""
_DAY = timedelta(days=1)


def runs(days: Iterable[date]) -> Days:
    """The days, in any order and however often each, as runs."""
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and found[-1][1] == day - _DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return tuple(found)


def within(days: Days, span: TimeRange) -> Days:
    """What of the runs lies in the span."""
    first, last = _day(span.start, date.min), _day(span.end, date.max)
    return tuple((max(start, first), min(end, last)) for start, end in days if end >= first and start <= last)


def gaps(days: Days, span: TimeRange) -> Days:
    """The runs between the held ones, as far as they lie in the span."""
    between = tuple((before[1] + _DAY, after[0] - _DAY) for before, after in itertools.pairwise(days))
    return within(between, span)


def count(days: Days) -> int:
    return sum((end - start).days + 1 for start, end in days)


def _day(moment: datetime | None, otherwise: date) -> date:
    return moment.astimezone(UTC).date() if moment else otherwise
