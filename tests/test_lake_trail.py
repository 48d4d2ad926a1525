"""LakeTrail asks the newest files first: an answer must not depend on how events are spread over files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from audit_logs import ACCOUNT, record, write
from crosstrail.lake.collector import collect
from crosstrail.lake.lake_trail import LakeTrail
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account, Event, EventQuery, Filter, Position, Target

TARGET = Target(Account(id=ACCOUNT))
FILES = 12


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeTrail]:
    """A day whose events lie shuffled in twelve files, and twenty older days of one event each."""
    folder = tmp_path_factory.mktemp("trail")
    numbers = list(range(28 * 1440 - 240, 28 * 1440))
    random.Random(5).shuffle(numbers)  # noqa: S311
    write(folder / "old.json", [record(day * 1440, eventName="Rare") for day in range(20)])
    collect([folder / "old.json"], folder / "lake")
    for file in range(FILES):
        write(folder / f"{file}.json", [record(number) for number in numbers[file::FILES]])
        collect([folder / f"{file}.json"], folder / "lake")
    with closing(LakeTable.open(folder / "lake")) as table:
        assert len(table.plan([TARGET.account.key])) == FILES + 20
        yield LakeTrail(table)


def _listed(trail: LakeTrail, query: EventQuery) -> list[Event]:
    found: list[Event] = []
    while True:
        page = anyio.run(trail.lookup_events, TARGET, query)
        found += page.events
        if not page.more:
            return found
        last = page.events[-1].time
        query = replace(query, before=Position(last, frozenset(e.identity for e in found if e.time == last)))


@pytest.mark.parametrize("limit", [10, 239, 240, 250])
def test_pages_over_files_that_overlap_in_time(limit: int, trail: LakeTrail) -> None:
    found = _listed(trail, EventQuery(limit=limit))
    assert len({event.id for event in found}) == len(found) == 260
    assert [event.time for event in found] == sorted((event.time for event in found), reverse=True)


def test_what_only_old_files_hold_is_found(trail: LakeTrail) -> None:
    found = _listed(trail, EventQuery(filters=(Filter("EventName", "Rare"),), limit=3))
    assert [event.id for event in found] == [record(day * 1440)["eventID"] for day in reversed(range(20))]


def test_lookups_at_once_and_one_cancelled_among_them(trail: LakeTrail) -> None:
    async def many() -> list[int]:
        counts: list[int] = []

        async def one() -> None:
            counts.append(len((await trail.lookup_events(TARGET, EventQuery(limit=300))).events))

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(one)
            with anyio.move_on_after(0):
                await trail.lookup_events(TARGET, EventQuery())
        return counts

    assert anyio.run(many) == [260] * 8


def test_a_lake_that_grows_is_read_as_it_is_now(tmp_path: Path) -> None:
    collect([write(tmp_path / "1.json", [record(1)])], tmp_path / "lake")
    with closing(LakeTable.open(tmp_path / "lake")) as table:
        trail = LakeTrail(table)
        assert len(_listed(trail, EventQuery())) == 1
        collect([write(tmp_path / "2.json", [record(2)])], tmp_path / "lake")
        assert len(_listed(trail, EventQuery())) == 2
