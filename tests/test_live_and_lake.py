"""One lookup of a live account whose history was collected in part: each moment from one of both, every event once."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import preloaded
from crosstrail.settings.config import Settings
from guide import blocks
from history_workspace import HistoryWorkspace, history_workspace, windows
from lake_workspace import client_of, text_of
from live_aws import DEV, PROD

FROM_LAKE = "From the lake, collected from LookupEvents"


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryWorkspace]:
    with history_workspace(tmp_path, monkeypatch) as found:
        yield found


def settings(live: HistoryWorkspace, **lake: Any) -> Settings:
    return Settings.model_validate(
        {"accounts": live.listed, "lake": {"path": str(live.lake), **lake}, "serve": {"structured": True}}
    )


async def paged(live: HistoryWorkspace, **asked: Any) -> tuple[list[str], list[str]]:
    """The ids of the events of all pages in their order, and the texts of the pages."""
    ids: list[str] = []
    texts: list[str] = []
    async with client_of(settings(live)) as client:
        arguments = asked
        while True:
            result = await client.call_tool("lookup_events", arguments)
            assert not result.is_error, text_of(result)
            texts.append(text_of(result))
            content = result.structured_content
            assert content
            ids += [row["event_id"] for row in content["rows"]]
            if not (token := content["facts"]["next_token"]):
                return ids, texts
            arguments = {"next_token": token}


@pytest.mark.anyio
async def test_pages_go_from_live_into_the_lake_and_on_each_event_once(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
    old = live.log(PROD, 70, apart=60)
    live.collect("--account", "prod", "--since", "20h", "--until", "90m")  # the newest half hour of them stays live
    new = live.log(PROD, 4, age=timedelta(minutes=2), apart=1)
    older = live.log(PROD, 3, age=timedelta(hours=22))
    asked = len(live.lookups())
    ids, texts = await paged(live, target_account_id="prod", max_results=20)
    assert ids == [*new, *old, *older]
    [(_, _, start, end)] = windows(live.lake)
    assert FROM_LAKE in texts[-1] or FROM_LAKE in texts[-2]
    spans = [one.params for one in live.lookups(since=asked)]
    assert all(one["StartTime"] >= end.timestamp() - 1 or one["EndTime"] < start.timestamp() for one in spans)


@pytest.mark.anyio
async def test_what_was_collected_is_answered_without_asking_and_said(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
    ids = live.log(PROD, 12)
    live.collect("--account", "prod")
    live.world.account(PROD).events.clear()  # only the lake has them now
    asked = len(live.lookups())
    found, [text] = await paged(
        live, target_account_id="prod", max_results=50, filters="SourceIPAddress=203.0.113.0/24"
    )
    assert found == ids
    [line] = [line for line in text.splitlines() if line.startswith(FROM_LAKE)]
    assert re.search(r"prod \(111111111111\) us-east-1; the rest live\.$", line)
    [request] = live.lookups(since=asked)  # the last quarter of an hour
    assert request.params["StartTime"] > (datetime.now(UTC) - timedelta(minutes=20)).timestamp()
    covered = preloaded.run("coverage", "--config", live.write(), "--account", "prod").stdout
    assert re.search(
        r"Of the collected days \d+ are of management events only: the cloud's API has no others\.", covered
    )
    inside, _ = await paged(live, target_account_id="prod", start_time="12h", end_time="30m", max_results=50)
    assert inside == ids
    assert len(live.lookups(since=asked)) == 1


@pytest.mark.anyio
async def test_what_expired_in_the_lake_is_asked_of_the_account(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
    ids = live.log(PROD, 2) + live.log(PROD, 3, age=timedelta(days=40))
    live.collect("--account", "prod")
    expired = preloaded.run("lake", "expire", "--config", live.write(lake={"retention": "30d"}))
    assert expired.returncode == 0, expired.stderr
    [(_, _, start, _)] = windows(live.lake)
    assert timedelta(days=29) < datetime.now(UTC) - start < timedelta(days=31)
    found, _ = await paged(live, target_account_id="prod", start_time="60d", max_results=50)
    assert found == ids
    report = preloaded.run("collect", "--api", "--config", live.write(lake={"retention": "30d"}), "--account", "prod")
    assert report.returncode == 0, report.stderr
    [(_, _, start, _)] = windows(live.lake)  # what does not go in is not collected either
    assert timedelta(days=29) < datetime.now(UTC) - start < timedelta(days=31)


@pytest.mark.anyio
async def test_what_a_repair_takes_out_is_asked_of_the_account(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
    ids = live.log(PROD, 2, apart=1) + live.log(PROD, 3, age=timedelta(days=40), apart=1)
    live.collect("--account", "prod")
    *_, oldest = sorted(live.lake.glob("events/data/aws/*/*/*.parquet"), reverse=True)
    oldest.write_bytes(oldest.read_bytes()[:-9])
    repaired = preloaded.run("lake", "repair", "--config", live.write())
    assert repaired.returncode == 3, repaired.stderr  # the lake has no log files to collect them from again
    assert len(windows(live.lake)) == 2
    found, _ = await paged(live, target_account_id="prod", start_time="60d", max_results=50)
    assert found == ids
    live.collect("--account", "prod")
    assert len(live.rows()) == len(ids)
    assert len(windows(live.lake)) == 1


@pytest.mark.anyio
async def test_events_older_than_the_clouds_history_come_from_the_lake(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
    ids = live.log(PROD, 3, age=timedelta(days=89, hours=20))
    live.collect("--account", "prod")
    live.world.account(PROD).events.clear()
    found, [text] = await paged(live, target_account_id="prod", start_time="90d", max_results=50)
    assert found == ids
    assert FROM_LAKE in text


@pytest.mark.anyio
async def test_a_region_that_was_not_collected_is_asked_itself(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1", "eu-west-1"])
    live.keys_account(DEV, "dev", region="us-east-1", regions=["us-east-1"])
    ids = (
        live.log(PROD, 2),
        live.log(PROD, 2, region="eu-west-1", age=timedelta(hours=2)),
        live.log(DEV, 2, age=timedelta(hours=3)),
    )
    live.collect("--account", "prod", "--region", "us-east-1")
    asked = len(live.lookups())
    found, [text] = await paged(live, target_account_id="*", region="us-east-1,eu-west-1", max_results=50)
    assert found == [*ids[0], *ids[1], *ids[2]]
    assert len(live.lookups(since=asked)) == 4
    [line] = [line for line in text.splitlines() if FROM_LAKE in line]
    assert line.endswith("prod (111111111111) us-east-1; the rest live.")


def test_the_command_line_says_which_part_came_from_where(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
    live.log(PROD, 5)
    live.collect("--account", "prod")
    live.log(PROD, 1, age=timedelta(minutes=1))
    done = preloaded.run("lookup", "--account", "prod", "--since", "3h", "--config", live.write())
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 7
    assert FROM_LAKE in done.stderr


@pytest.mark.anyio
async def test_sql_over_an_account_never_collected_names_the_command(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
    live.log(PROD, 5)
    async with client_of(settings(live)) as client:
        result = await client.call_tool("lake_query", {"sql": "SELECT count(*) AS n FROM events"})
        [command] = re.findall(r"`crosstrail (collect --api[^`]*)`", text_of(result))
    assert command == "collect --api --account prod"
    done = preloaded.run(*command.split(), "--config", live.write())
    assert done.returncode == 0, done.stderr
    assert "Events  5 new" in done.stdout


def test_the_commands_of_the_guide_do_what_it_says(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
    live.log(PROD, 3, age=timedelta(hours=2))
    lines = [line for block in blocks("lake.md") for line in block.splitlines()]
    config = {"CROSSTRAIL_CONFIG": str(live.write())}
    shown = [shlex.split(line) for line in lines if " --api " in line or line.startswith("crosstrail lookup")]
    assert len(shown) == 4
    for words in shown:
        process = preloaded.start(*words[1:], environ=config)
        assert process.stderr
        with process.stderr:
            if "--follow" in words:
                asked = len(live.lookups())
                while len(live.lookups()) == asked:
                    assert process.poll() is None
                    time.sleep(0.02)
                process.terminate()
            assert process.wait(60) == 0
    assert len(live.rows()) == 3
