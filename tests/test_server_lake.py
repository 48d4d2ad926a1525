"""The tools over a lake of log files written here: what they find, what they say they covered, what they refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from crosstrail.lookup.cursor import Cursor
from crosstrail.models import Position
from crosstrail.timerange import TimeRange
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from lake_workspace import (
    ACCOUNTS,
    DEV,
    NOON,
    OLD,
    PROD,
    client_of,
    collect,
    facts_of,
    record,
    rows_of,
    settings,
    text_of,
    write_logs,
)

pytestmark = pytest.mark.anyio
BOTH_ERAS = ["legacy", "2026-07-28"]


def estate_records() -> Iterator[dict[str, Any]]:
    """137 events: 60 of prod and 50 of dev share three moments, 27 of old are alone in theirs."""
    for number in range(60):
        yield record(PROD, number, NOON - timedelta(seconds=number % 3))
    for number in range(49):
        yield record(DEV, number, NOON - timedelta(seconds=number % 3), awsRegion="eu-west-1")
    yield record(
        DEV,
        49,
        NOON,
        eventSource="cloudtrail.amazonaws.com",
        eventName="StopLogging",
        readOnly=False,
        errorCode="AccessDenied",
        requestParameters={"name": "org-trail"},
    )
    for number in range(27):
        yield record(OLD, number, NOON - timedelta(days=200, minutes=number))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    write_logs(folder / "logs", estate_records())
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


async def page_ids(client: Client, first: dict[str, Any]) -> list[list[str]]:
    """The event ids of every page, following next_token alone."""
    pages: list[list[str]] = []
    result = await client.call_tool("lookup_events", first)
    while len(pages) < 60:
        assert not result.is_error, text_of(result)
        pages.append([line.rsplit(",", 1)[-1] for line in rows_of(result)])
        token = facts_of(result)["next_token"]
        if not token:
            return pages
        assert f'lookup_events(next_token="{token}")' in text_of(result)
        result = await client.call_tool("lookup_events", {"next_token": token})
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("mode", BOTH_ERAS)
@pytest.mark.parametrize("size", [10, 17, 50])
async def test_paging_gives_each_of_many_equal_moments_once(lake: Path, mode: str, size: int) -> None:
    async with client_of(settings(lake), mode) as client:
        pages = await page_ids(client, {"target_account_id": "*", "max_results": size})
    found = [one for page in pages for one in page]
    assert len(found) == 137
    assert set(found) == {one["eventID"] for one in estate_records()}
    assert all(len(page) <= size for page in pages)


async def test_the_first_lines_say_what_was_covered(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        everything = await client.call_tool("lookup_events", {"target_account_id": "*"})
        one = await client.call_tool("lookup_events", {"target_account_id": "old", "max_results": 50})
        late = await client.call_tool(
            "lookup_events", {"target_account_id": "prod", "start_time": "2026-12-01", "end_time": "2026-12-02"}
        )
        wide = await client.call_tool(
            "lookup_events",
            {"target_account_id": "prod", "start_time": "2020-01-01", "end_time": "2026-11-19T12:00:00Z"},
        )
    lines = text_of(everything).splitlines()
    assert lines[0] == "3 accounts x every region, the beginning to now: 10 events, newest first, older ones exist."
    assert lines[1] == f"Answered: prod ({PROD}), dev ({DEV}), old ({OLD})."
    assert "Events held: 2026-05-03T" in text_of(everything)
    assert "Covered so far: back to 2026-11-19T12:00:00Z." in text_of(everything)
    assert text_of(one).startswith(f"old ({OLD}), the beginning to now: 27 events, newest first, all there are.")
    assert "Read from the lake: verified none of 27 events." in text_of(one)
    read = {"events_read": 27, "events_verified": 0, "events_failed": 0}
    assert facts_of(one) == {"count": 27, "more": False, "next_token": "", **read}
    assert "no event" in text_of(late)
    assert f"No log of the span asked: prod ({PROD}) (" in text_of(late)
    assert f"prod ({PROD}): no events before 2026-11-19; asked from 2020-01-01." in text_of(wide)
    assert "No log" not in text_of(everything)


async def test_a_row_tells_who_did_what_where_with_which_result(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        result = await client.call_tool(
            "lookup_events", {"target_account_id": "*", "attribute_key": "event_name", "attribute_value": "StopLogging"}
        )
    header = text_of(result).splitlines()[-5:]
    assert len(rows_of(result)) == 1
    row = rows_of(result)[0]
    for part in (
        "2026-11-19T12:00:00Z",
        "dev",
        "us-east-1",
        "StopLogging",
        "cloudtrail",
        "user/deploy-bot",
        "203.0.113.7",
    ):
        assert part in row
    assert "AccessDenied" in row
    assert any(line.startswith("time,account,region,event,service,principal,source_ip,error") for line in header)


async def test_one_event_whole_is_a_json_object(lake: Path) -> None:
    wanted = next(iter(estate_records()))
    async with client_of(settings(lake)) as client:
        result = await client.call_tool(
            "lookup_events",
            {
                "target_account_id": "prod",
                "attribute_key": "EventId",
                "attribute_value": wanted["eventID"],
                "detail": "full",
            },
        )
    body = re.search(r"instructions ---\n(.*)\n--- end", text_of(result), re.DOTALL)
    assert body
    assert json.loads(body[1]) == wanted


async def test_a_wildcard_that_matches_nothing_does_not_read_as_if_nothing_happened(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        arguments = {"target_account_id": "*", "attribute_key": "EventName", "attribute_value": "Console*"}
        text = text_of(await client.call_tool("lookup_events", arguments))
    assert "no event" in text
    assert "attribute_value is compared whole, letter case included; for a pattern use lake_query with LIKE." in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"attribute_key": "Colour", "attribute_value": "x"},
            "there is no attribute 'Colour'. attribute_key is one of AccessKeyId, ",
        ),
        ({"attribute_key": "EventName"}, "attribute_value is missing"),
        ({"attribute_value": "x"}, "attribute_key is missing"),
        (
            {"start_time": "2026-11-20", "end_time": "2026-11-19"},
            "the range starts at 2026-11-20T00:00:00Z, after its end",
        ),
    ],
)
async def test_half_a_filter_or_a_wrong_one_is_explained(lake: Path, arguments: dict[str, Any], said: str) -> None:
    async with client_of(settings(lake)) as client:
        result = await client.call_tool("lookup_events", {"target_account_id": "prod", **arguments})
    assert result.is_error
    assert text_of(result).startswith(said)


async def test_regions_narrow_the_answer(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        one = await client.call_tool("lookup_events", {"target_account_id": "dev", "region": "us-east-1"})
        two = await client.call_tool("lookup_events", {"target_account_id": "dev", "region": "us-east-1,eu-west-1"})
    assert {"count": 1, "more": False, "next_token": ""}.items() <= facts_of(one).items()
    assert text_of(one).startswith(f"dev ({DEV}) us-east-1, ")
    assert text_of(two).startswith("1 account x us-east-1, eu-west-1, ")


async def test_a_token_goes_with_its_own_lookup_only(lake: Path) -> None:
    first = {"target_account_id": "*", "start_time": "2020-01-01", "max_results": 50}
    async with client_of(settings(lake)) as client:
        result = await client.call_tool("lookup_events", first)
        token = facts_of(result)["next_token"]
        same = await client.call_tool("lookup_events", {**first, "next_token": token})
        alone = await client.call_tool("lookup_events", {"next_token": token})
        other = await client.call_tool("lookup_events", {"target_account_id": "prod", "next_token": token})
        foreign = await client.call_tool("get_query_results", {"query_id": "lake:*:-:x", "next_token": token})
    async with client_of(settings(lake, ACCOUNTS[:2])) as client:
        fewer = await client.call_tool("lookup_events", {"next_token": token})
    assert rows_of(same) == rows_of(alone) != rows_of(result)
    assert "another target_account_id" in text_of(other)
    assert "have changed" in text_of(fewer)
    assert other.is_error
    assert fewer.is_error
    assert foreign.is_error


@pytest.mark.parametrize("asked", [{"max_results": 10**9}, {"detail": 7}, {"principal": "x"}, {"max_results": "50"}])
async def test_a_token_made_by_hand_passes_no_limit(lake: Path, asked: dict[str, Any]) -> None:
    workspace = Workspace(settings(lake))
    chosen = await ScopedWorkspace(workspace).targets("prod", "")
    await workspace.aclose()
    said = {"target_account_id": "prod", **asked}
    token = Cursor(said, TimeRange(), chosen.digest, Position(NOON, frozenset())).encode()
    async with client_of(settings(lake)) as client:
        result = await client.call_tool("lookup_events", {"next_token": token})
    assert result.is_error
    assert text_of(result).startswith("this next_token is not one of lookup_events")


async def test_one_failing_account_does_not_spoil_the_others(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", estate_records())
    collect(tmp_path / "logs", tmp_path / "lake")
    broken = [path for path in (tmp_path / "lake").rglob("*.parquet") if DEV in str(path)]
    assert broken
    for path in broken:
        path.write_bytes(b"no longer parquet")
    async with client_of(settings(tmp_path / "lake")) as client:
        both = await client.call_tool("lookup_events", {"target_account_id": "prod,dev", "max_results": 50})
        alone = await client.call_tool("lookup_events", {"target_account_id": "dev"})
    assert not both.is_error
    assert len(rows_of(both)) == 50
    assert f"Answered: prod ({PROD}). Failed: dev ({DEV}) (" in text_of(both)
    assert alone.is_error
    assert text_of(alone).endswith(f"Asked: dev ({DEV}).")
    for result in (both, alone):
        assert "unexpected" not in text_of(result)
        assert str(tmp_path) not in text_of(result)


async def test_an_archive_has_no_trails_to_describe(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        one = await client.call_tool("describe_trails", {"target_account_id": "prod", "trail_names": '["a"]'})
        all_of_them = await client.call_tool("describe_trails", {"target_account_id": "*"})
    assert one.is_error
    assert all_of_them.is_error
    assert "live account" in text_of(one)
    assert text_of(all_of_them).count("live account") == 1
    assert f"Failed: prod ({PROD}), dev ({DEV}), old ({OLD}) (the account is an archive" in text_of(all_of_them)


async def test_without_a_lake_the_answer_says_how_to_fill_one(tmp_path: Path) -> None:
    async with client_of(settings(tmp_path / "none")) as client:
        for target in ("prod", "*"):
            arguments = {"target_account_id": target, "attribute_key": "EventName", "attribute_value": "x"}
            result = await client.call_tool("lookup_events", arguments)
            assert result.is_error
            assert "there is no lake." in text_of(result)
            assert "crosstrail collect" in text_of(result)


async def test_listings_count_what_is_held(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        accounts = await client.call_tool("list_accounts", {"selector": "prod,old"})
        stores = await client.call_tool("list_event_data_stores", {})
    assert f"{PROD},prod" in text_of(accounts)
    assert ",60,2026-11-19T11:59:58Z,2026-11-19T12:00:00Z" in text_of(accounts)
    assert "dev" not in text_of(accounts)
    assert re.search(r"[0-9a-f-]{36},\*,all,,137,2026-05-03T\S+Z,2026-11-19T12:00:00Z\n", text_of(stores))


async def test_progress_counts_the_accounts_that_answered(lake: Path) -> None:
    told: list[tuple[float, float | None]] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    async with client_of(settings(lake), "legacy") as client:
        arguments = {"target_account_id": "*", "region": "all", "max_results": "3"}
        result = await client.call_tool("lookup_events", arguments, progress_callback=progressed)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert facts_of(result)["count"] == 3


async def test_twenty_calls_at_once_answer_each_its_own(lake: Path) -> None:
    answers: dict[int, str] = {}

    async def ask(client: Client, number: int) -> None:
        wanted = f"{PROD[:8]}-0000-4000-8000-{number:012d}"
        arguments = {"target_account_id": "*", "attribute_key": "EventId", "attribute_value": wanted}
        result = await client.call_tool("lookup_events", arguments)
        answers[number] = rows_of(result)[0]

    async with client_of(settings(lake)) as client, anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(ask, client, number)
    assert all(row.endswith(f"{number:012d}") for number, row in answers.items())
    assert len(answers) == 20
