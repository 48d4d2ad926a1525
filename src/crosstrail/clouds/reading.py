"""One lookup that is read page by page: what was found so far, and when to stop.

Decides when an answer is given although the cloud has more pages: when it is full, when a filter that the cloud cannot apply
has had a fair share of the account's pace, or at the deadline. It never says that there is nothing more while the cloud does, and
never stops without having come further back than the page before, so that who goes on reaches the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

import anyio

from crosstrail.clouds.paging import belongs
from crosstrail.errors import CloudUnavailable
from crosstrail.models import Event, EventPage, EventQuery, Target
from crosstrail.timerange import TimeRange

MAX_SIFTED_PAGES = 20
"""Of one target for one call: 1,000 events, 10 s at CloudTrail's pace. Other callers' requests go out between any two."""
MAX_SIFTED_SECONDS = 20.0
"""The same where others ask too: clients give a call up after 60 s."""


class Reading:
    """`take` each page of the cloud as it comes, until it gives the page to answer with."""

    def __init__(
        self,
        query: EventQuery,
        span: TimeRange,
        target: Target,
        region: str,
        *,
        sifts: bool,
        deadline: float,
        newest_first: bool = True,
    ) -> None:
        """`sifts`: the cloud does not apply every filter. `deadline`: seconds. `newest_first`: the cloud promises that order;
        where it does not, only what came can show it."""
        self._query, self._span, self._target, self._region = query, span, target, region
        self._sifts = sifts
        self._deadline = deadline
        self._promised = newest_first
        self._began = anyio.current_time()
        self._found: list[Event] = []
        self._pages = 0
        self._examined = 0
        self._oldest: datetime | None = None
        self._in_order = True

    def take(
        self, events: Iterable[tuple[Event, bool]], *, more: bool, reached: datetime | None = None
    ) -> EventPage | None:
        """`events`: with whether each meets every filter. `reached`: the end of one of the few spans that a cloud wants to be
        asked for apart; everything newer was read. None: ask for the next page. Raises CloudUnavailable."""
        self._pages += 1
        came = list(events)
        times = [event.time for event, _ in came]
        if self._oldest:
            times.insert(0, self._oldest)
        self._in_order = self._promised or (self._in_order and all(one >= other for one, other in pairwise(times)))
        self._oldest = min([*times, reached] if reached else times, default=None)
        self._examined += len(came)
        self._found += [event for event, meets in came if meets and belongs(event, self._span, self._query.before)]
        if not more:
            return self._page(more=False)
        if self._in_order and (
            len(self._found) >= self._query.limit
            or (self._found and not self._sifts and not reached and not self._query.fill)
        ):
            return self._page(more=True)
        seconds = anyio.current_time() - self._began
        had_its_share = self._sifts and (self._pages >= MAX_SIFTED_PAGES or seconds >= MAX_SIFTED_SECONDS)
        if self._in_order and self._came_further() and (had_its_share or seconds >= self._deadline):
            return self._page(more=True)
        if seconds >= self._deadline:  # a second so full, or pages so empty, that the next call would begin here again
            raise self._nothing_new()
        return None

    def _came_further(self) -> bool:
        before = self._query.before
        return self._oldest is not None and (before is None or self._oldest < before.time)

    def _page(self, *, more: bool) -> EventPage:
        self._found.sort(key=lambda event: event.time, reverse=True)
        limit = self._query.limit
        over = len(self._found) > limit
        return EventPage(
            tuple(self._found[:limit]),
            more or over,
            back_to=self._oldest if more and not over else None,
            examined=self._examined if self._sifts else 0,
        )

    def _nothing_new(self) -> CloudUnavailable:
        return CloudUnavailable(
            f"account {self._target.account.name} in {self._region} gave only pages without a new event in "
            f"{self._deadline:g} s",
            hint="Narrow the time span, or filter by something less rare.",
            code="DeadlineExceeded",
            account=self._target.account.name,
            region=self._region,
        )
