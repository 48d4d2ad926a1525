"""Two machines share one table: what one takes out of it, the other no longer answers lookups for as if it were there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import preloaded
from crosstrail.lake.removals import PROPERTY, removals_of, with_removals
from crosstrail.lake.spans import BEGINNING, Span
from crosstrail.lake.table import LakeTable
from crosstrail.lake.windows import LOOKUP_EVENTS, Window, Windows
from history_workspace import HistoryWorkspace, history_workspace
from live_aws import DEV, PROD

KEY = ("aws", PROD)
DAY = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryWorkspace]:
    with history_workspace(tmp_path, monkeypatch) as found:
        found.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
        yield found


def _on(machine: str, live: HistoryWorkspace, *words: str, status: int = 0, **lake: Any) -> str:
    """A command on one of the machines, whose catalog is the same."""
    shared = {"catalog": f"sqlite:///{live.folder / 'shared.sqlite'}", "path": str(live.folder / machine)}
    done = preloaded.run(*words, "--config", live.write(lake={**shared, **lake}))
    assert done.returncode == status, done.stderr
    return done.stdout


def _looked_up(live: HistoryWorkspace) -> list[str]:
    found = _on("two", live, "lookup", "--account", "prod", "--since", "60d", "--json")
    return [one["event"]["eventID"] for line in found.splitlines() if "event" in (one := json.loads(line))]


@pytest.mark.parametrize("taken_out_by", ["expire", "repair"])
def test_what_another_machine_took_out_is_asked_of_the_account(taken_out_by: str, live: HistoryWorkspace) -> None:
    ids = live.log(PROD, 2, apart=1) + live.log(PROD, 3, age=timedelta(days=40), apart=1)
    _on("two", live, "collect", "--api", "--account", "prod")
    asked = len(live.lookups())
    assert _looked_up(live) == ids
    assert all(
        one.params["StartTime"] > (datetime.now(UTC) - timedelta(hours=1)).timestamp()
        for one in live.lookups(since=asked)
    )
    if taken_out_by == "expire":
        _on("one", live, "lake", "expire", retention="30d")
    else:
        oldest = min(live.folder.glob("two/events/data/aws/*/*/*.parquet"), key=lambda path: path.parent.name)
        oldest.write_bytes(oldest.read_bytes()[:-9])
        _on("one", live, "lake", "repair", status=3)
    assert _looked_up(live) == ids
    _on(
        "two", live, "collect", "--api", "--account", "prod"
    )  # what is missing is collected again, and answered from there
    live.world.account(PROD).events.clear()
    assert _looked_up(live) == ids


def _window(start: datetime, end: datetime, account: str = PROD) -> Window:
    return Window("aws", account, "us-east-1", LOOKUP_EVENTS, start, end, DAY, 1)


def test_a_removal_counts_for_windows_that_were_collected_before_it(tmp_path: Path) -> None:
    day = timedelta(days=1)
    Windows(tmp_path, "lake").add([_window(DAY, DAY + 4 * day), _window(DAY, DAY + 4 * day, DEV)])
    removals = removals_of(with_removals({}, [(KEY, Span(DAY + day, DAY + 2 * day))]))
    told = Windows(tmp_path, "lake", removals)
    assert [(one.start, one.end) for one in told.of(KEY)] == [(DAY, DAY + day), (DAY + 2 * day, DAY + 4 * day)]
    assert len(told.of(("aws", DEV))) == 1
    told.add([_window(DAY + day, DAY + 2 * day)])
    assert [(one.start, one.end) for one in told.of(KEY)] == [(DAY, DAY + 4 * day)]
    told.add([_window(DAY + 4 * day, DAY + 5 * day)])
    assert [(one.start, one.end) for one in told.of(KEY)] == [(DAY, DAY + 5 * day)]
    assert [(one.start, one.end) for one in Windows(tmp_path, "another", removals).of(KEY)] == []


def test_the_property_stays_small_and_covers_all_that_was_taken_out() -> None:
    properties: dict[str, str] = {}
    day = timedelta(days=1)
    for number in range(700):
        properties = with_removals(properties, [(KEY, Span(DAY - number * day, DAY - (number - 1) * day))])
    assert len(properties[PROPERTY]) < 40_000
    found = removals_of(properties)
    assert max(one.number for one in found) == 700
    assert min(one.span.start for one in found) == DAY - 699 * day
    assert all(any(one.span.start <= DAY - number * day < one.span.end for one in found) for number in range(700))
    properties = with_removals(properties, [(KEY, Span(BEGINNING, DAY + day))])
    [(last)] = removals_of(properties)
    assert (last.number, last.expired) == (701, True)
    assert with_removals(properties, []) == {}
    assert removals_of({PROPERTY: '[["x"]]'}) == ()


def test_a_lake_in_one_folder_says_it_too(live: HistoryWorkspace) -> None:
    live.log(PROD, 2) + live.log(PROD, 3, age=timedelta(days=40))
    live.collect("--account", "prod")
    expired = preloaded.run("lake", "expire", "--config", live.write(lake={"retention": "30d"}))
    assert expired.returncode == 0, expired.stderr
    with closing(LakeTable.open(live.lake)) as table:
        [removal] = table.removals()
        assert (removal.key, removal.expired) == (KEY, True)
        table._reads_lists = False
        assert table.removals() == (removal,)
