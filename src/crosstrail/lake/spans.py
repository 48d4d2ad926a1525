"""Spans of time: the arithmetic of what is known of a history and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

TICK = timedelta(microseconds=1)
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
"""Before every event."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """The time from `start` on and before `end`."""

    start: datetime
    end: datetime


def missing(spans: Iterable[Span], wanted: Span) -> list[Span]:
    """What `spans`, ordered and apart from each other, leave of the one that is wanted; newest first."""
    found: list[Span] = []
    start = wanted.start
    for span in spans:
        if span.end > start and span.start < wanted.end:
            if span.start > start:
                found.append(Span(start, span.start))
            start = span.end
    if start < wanted.end:
        found.append(Span(start, wanted.end))
    return found[::-1]
