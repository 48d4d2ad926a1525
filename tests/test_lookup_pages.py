"""Pages over many targets: whatever the trails hold and however short their pages are, each event once, newest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosstrail.errors import AccessDenied, CloudUnavailable
from crosstrail.lookup.fanout import LookupPage, lookup_events
from crosstrail.lookup.targets import OpenTarget
from crosstrail.models import Account, Event, EventPage, EventQuery, Position, Target, Trail

NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)


@dataclass
class ListedTrail:
    """An AuditTrail over lists of seconds, one for each target; its pages hold at most `page` events.

    With `sifts` it reads `page` events a call, and those of even numbers alone meet the filter.
    """

    held: dict[str, list[int]]
    page: int
    sifts: bool = False
    broken: set[str] = field(default_factory=set)
    requests: int = 0

    @property
    def attribute_keys(self) -> frozenset[str]:
        return frozenset()

    async def lookup_events(self, target: Target, query: EventQuery) -> EventPage:
        self.requests += 1
        if target.account.id in self.broken:
            raise AccessDenied("denied", hint="Allow it.")
        found = [
            Event("aws", target.account.id, target.region, f"e{number}", NOON - timedelta(seconds=age), "n", "s")
            for number, age in sorted(enumerate(self.held[target.account.id]), key=lambda pair: pair[1])
        ]
        if before := query.before:
            found = [one for one in found if one.time <= before.time and one.identity not in before.seen]
        if self.sifts:
            return self._sifted(found, query)
        shown = tuple(found[: min(self.page, query.limit)])
        return EventPage(shown, more=len(found) > len(shown))

    def _sifted(self, found: list[Event], query: EventQuery) -> EventPage:
        """At most `page` events are read, or as many as it takes to come further back than the page before."""
        size = self.page
        while query.before and size < len(found) and found[size - 1].time == query.before.time:
            size += 1
        read = found[:size]
        meet = [one for one in read if int(one.id[1:]) % 2 == 0]
        if len(meet) > query.limit:
            return EventPage(tuple(meet[: query.limit]), more=True, examined=len(read))
        more = len(found) > size
        return EventPage(tuple(meet), more, back_to=read[-1].time if more else None, examined=len(read))

    async def describe_trails(self, target: Target, names: tuple[str, ...] = ()) -> tuple[Trail, ...]:
        return ()


def targets(count: int) -> tuple[Target, ...]:
    return tuple(Target(Account(id=str(100_000_000_000 + number)), "us-east-1") for number in range(count))


def opened(trail: ListedTrail, chosen: tuple[Target, ...]) -> tuple[OpenTarget, ...]:
    return tuple(OpenTarget(one.account, one.region, opened=trail) for one in chosen)


def listed(chosen: tuple[OpenTarget, ...], limit: int) -> list[LookupPage]:
    """All pages."""

    async def pages() -> list[LookupPage]:
        found = [await lookup_events(chosen, EventQuery(limit=limit))]
        before: Position | None = None
        while position := found[-1].next:
            assert found[-1].events or before is None or position.time < before.time
            before = position
            query = EventQuery(limit=limit, before=position)
            found.append(await lookup_events(chosen, query))
        return found

    return anyio.run(pages)


@settings(max_examples=150)
@given(
    ages=st.lists(st.lists(st.integers(0, 6), max_size=12), min_size=1, max_size=4),
    limit=st.integers(1, 9),
    page=st.integers(1, 9),
    sifts=st.sets(st.integers(0, 3)),
)
def test_every_event_comes_once_and_in_order(ages: list[list[int]], limit: int, page: int, sifts: set[int]) -> None:
    """Over targets whose cloud applies the filter and targets where events are read one by one."""
    chosen = targets(len(ages))
    held = {target.account.id: seconds for target, seconds in zip(chosen, ages, strict=True)}
    trails = {target.account.id: ListedTrail(held, page, number in sifts) for number, target in enumerate(chosen)}
    pages = listed(tuple(opened(trails[one.account.id], (one,))[0] for one in chosen), limit)
    found = [event for one in pages for event in one.events]
    meet = sum((len(seconds) + 1) // 2 if trails[one].sifts else len(seconds) for one, seconds in held.items())
    assert len({event.identity for event in found}) == len(found) == meet
    assert [event.time for event in found] == sorted((event.time for event in found), reverse=True)
    assert all(len(one.events) <= limit for one in pages)


def test_one_failing_target_of_many_is_data_and_alone_it_is_an_error() -> None:
    chosen = targets(3)
    trail = ListedTrail({target.account.id: [1, 2] for target in chosen}, 50, broken={chosen[1].account.id})
    (page,) = listed(opened(trail, chosen), 50)
    assert len(page.events) == 4
    assert [(one.target, type(one.error)) for one in page.failures] == [(opened(trail, chosen)[1], AccessDenied)]
    with pytest.raises(AccessDenied):
        listed(opened(trail, chosen[1:2]), 50)


def test_each_target_that_ends_is_told_as_progress() -> None:
    chosen = targets(5)
    trail = ListedTrail({target.account.id: [] for target in chosen}, 50, broken={chosen[0].account.id})
    steps: list[tuple[int, int]] = []

    async def progress(done: int, total: int) -> None:
        steps.append((done, total))

    async def body() -> None:
        await lookup_events(opened(trail, chosen), EventQuery(), progress=progress)

    anyio.run(body)
    assert steps == [(number, 5) for number in range(1, 6)]


def test_what_is_no_error_of_ours_is_not_hidden() -> None:
    class Broken(ListedTrail):
        async def lookup_events(self, target: Target, query: EventQuery) -> EventPage:
            raise ZeroDivisionError

    with pytest.raises(BaseExceptionGroup) as caught:
        listed(opened(Broken({}, 1), targets(2)), 1)
    assert caught.group_contains(ZeroDivisionError)
    assert not caught.group_contains(CloudUnavailable)
