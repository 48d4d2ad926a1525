"""`lake.collect_on_demand`: a statement over live accounts finds what it asks for collected, within bounds, and says what not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from crosstrail.settings.config import Settings
from history_workspace import HistoryWorkspace, history_workspace, windows
from lake_workspace import client_of, text_of
from live_aws import DEV, PROD

COUNT = "SELECT account, count(*) AS n FROM {} WHERE eventtime > '{}' GROUP BY 1 ORDER BY 1"


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryWorkspace]:
    with history_workspace(tmp_path, monkeypatch) as found:
        found.keys_account(PROD, "prod", regions=["us-east-1"])
        found.keys_account(DEV, "dev", regions=["us-east-1"])
        yield found


def settings(live: HistoryWorkspace, **lake: Any) -> Settings:
    on = {"path": str(live.lake), "collect_on_demand": True, **lake}
    return Settings.model_validate({"accounts": live.listed, "lake": on, "serve": {"structured": True}})


def since(age: timedelta) -> str:
    return f"{datetime.now(UTC) - age:%Y-%m-%d %H:%M:%S}"


async def counted(client: Client, sql: str) -> tuple[dict[str, str], str]:
    result = await client.call_tool("lake_query", {"sql": sql})
    assert not result.is_error, text_of(result)
    assert result.structured_content
    return {row["account"]: row["n"] for row in result.structured_content["rows"]}, text_of(result)


@pytest.mark.anyio
async def test_what_the_statement_reads_is_collected_once_and_no_more(live: HistoryWorkspace) -> None:
    live.log(PROD, 5)
    live.log(PROD, 5, age=timedelta(days=20))
    live.log(DEV, 3)
    async with client_of(settings(live)) as client:
        found, text = await counted(client, COUNT.format("prod", since(timedelta(hours=6))))
        assert found == {PROD: "5"}
        assert "Collected on demand from LookupEvents: 5 events of 1 target" in text
        assert live.lookups(DEV) == []
        [(_, _, start, _)] = windows(live.lake)
        assert start > datetime.now(UTC) - timedelta(hours=7)
        asked = len(live.lookups())
        async with anyio.create_task_group() as group:  # at once: the second finds what the first brought
            for _ in range(3):
                group.start_soon(counted, client, COUNT.format("events", since(timedelta(hours=6))))
        assert (
            len(
                [
                    one
                    for one in live.lookups(DEV)
                    if one.params["StartTime"] < (datetime.now(UTC) - timedelta(hours=1)).timestamp()
                ]
            )
            == 1
        )
        assert len(live.lookups(since=asked)) <= 6
        found, text = await counted(client, "SELECT account, count(*) AS n FROM dev GROUP BY 1")
        assert found == {DEV: "3"}
        assert "because the statement names no eventtime" in text


@pytest.mark.anyio
async def test_what_the_lake_does_not_keep_is_not_asked_for(live: HistoryWorkspace) -> None:
    live.log(PROD, 2)
    live.log(PROD, 5, age=timedelta(days=20))
    async with client_of(settings(live, retention="10d")) as client:
        found, _ = await counted(client, COUNT.format("prod", since(timedelta(days=30))))
    assert found == {PROD: "2"}
    oldest = (datetime.now(UTC) - timedelta(days=11, minutes=1)).timestamp()
    assert all(one.params["StartTime"] > oldest for one in live.lookups(PROD))


@pytest.mark.anyio
async def test_its_bounds_end_it_and_what_is_missing_is_said(live: HistoryWorkspace) -> None:
    live.log(PROD, 240)
    live.world.account(DEV).denied.add("cloudtrail:LookupEvents")
    async with client_of(settings(live, on_demand_requests=3)) as client:
        found, text = await counted(client, COUNT.format("events", since(timedelta(hours=12))))
        assert 49 <= int(found[PROD]) <= 150
        assert len(live.lookups()) == 3
        assert "NOT collected: dev (222222222222) us-east-1" in text
        assert "NOT collected whole" in text
        assert "`crosstrail collect --api --account prod`" in text


@pytest.mark.anyio
async def test_it_is_off_unless_it_was_turned_on(live: HistoryWorkspace) -> None:
    live.log(PROD, 5)
    async with client_of(settings(live, collect_on_demand=False)) as client:
        found, _ = await counted(client, COUNT.format("events", since(timedelta(hours=6))))
    assert (found, live.lookups()) == ({}, [])
