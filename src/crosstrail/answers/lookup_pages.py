"""All pages of a lookup, block after block of its targets, and what they said of coverage.

Decides how far it goes on. It asks by the lookup's own door, so coverage is the lookup's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import anyio

from crosstrail.answers.coverage_text import block, coverage
from crosstrail.lookup.fanout import Failure, LookupPage, Progress, lookup_events
from crosstrail.lookup.targets import Chosen, OpenTarget
from crosstrail.models import Event, EventPage, EventQuery, Filter, Position
from crosstrail.timerange import TimeRange

_LAKE_PAGE, _LIVE_PAGE = 1_000, 500
"""Events asked, and held, at once: a live account gives 50 a request, twice a second, and each page has a deadline."""

Choose = Callable[[int], Awaitable[Chosen]]
"""Where a block of targets begins -> the block."""


@dataclass(frozen=True, slots=True)
class Paging:
    """`limit`: most events. `seconds`: after which no further page is asked for."""

    span: TimeRange
    filters: tuple[Filter, ...]
    limit: int
    seconds: float = float("inf")


@dataclass(slots=True)
class PagesSeen:
    """What was asked and answered so far, of all blocks."""

    targets: list[OpenTarget] = field(default_factory=list)
    pages: dict[OpenTarget, EventPage] = field(default_factory=dict)
    failures: dict[OpenTarget, Failure] = field(default_factory=dict)
    events: int = 0
    last: Event | None = None
    next: Position | None = None
    """Where events that were not asked for begin."""
    chosen: Chosen = field(default_factory=lambda: Chosen(()))
    """The last block."""
    left: int = 0
    """Targets that were not asked, because an end came before."""

    @property
    def reads_lake(self) -> bool:
        return any(not target.account.auth for target in self.targets)

    @property
    def complete(self) -> bool:
        return self.next is None and not self.left and not self.failures

    def listing(self) -> LookupPage:
        """The lookup without its events: whoever words the coverage counts them."""
        return LookupPage(
            (self.last,) * self.events if self.last else (),
            tuple(self.targets),
            tuple((target, page) for target, page in self.pages.items() if target not in self.failures),
            tuple(self.failures.values()),
            self.next,
        )

    def coverage(self, span: TimeRange) -> list[str]:
        listing = self.listing()
        lines = coverage(span, listing, continued=False)
        return lines + block(replace(self.chosen, start=0, targets=listing.targets, total=len(listing.targets)))

    def note(self, listing: LookupPage) -> None:
        """A target that failed once has failed: what it did not say of an earlier page nobody has asked it again."""
        self.failures = {one.target: one for one in listing.failures} | self.failures
        self.events += len(listing.events)
        self.last = listing.events[-1] if listing.events else self.last
        for target, page in listing.pages:
            before = self.pages[target].examined if target in self.pages else 0
            self.pages[target] = replace(page, events=(), examined=before + page.examined)


async def pages(
    choose: Choose, asked: Paging, seen: PagesSeen, progress: Progress | None = None, *, full: Callable[[], bool] = bool
) -> AsyncIterator[Sequence[Event]]:
    """Page after page, with records, until `limit`, or until `full` says so after one. Raises AccountNotFound, InvalidRequest, the
    error of the only target."""
    end = anyio.current_time() + asked.seconds
    start = 0
    while True:
        chosen = await choose(start)
        seen.targets += chosen.targets
        seen.chosen = chosen
        page = _LIVE_PAGE if chosen.live else _LAKE_PAGE
        query = EventQuery(asked.span, asked.filters, page, with_record=True)
        while True:
            query = replace(query, limit=min(page, asked.limit - seen.events))
            alone = chosen.total == len(chosen.targets)
            listing = await lookup_events(chosen.targets, query, progress=progress, alone=alone)
            seen.note(listing)
            yield listing.events
            ended = seen.events >= asked.limit or full() or anyio.current_time() > end
            if listing.next is None or ended:
                break
            query = replace(query, before=listing.next)
        start += len(chosen.targets)
        if listing.next is not None:
            seen.next = listing.next
        if not chosen.left or ended:
            seen.left = chosen.left
            return
