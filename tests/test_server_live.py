"""The tools on live accounts, as a client sees them: spans, coverage, trails, stores, SQL, the ambient identity."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from crosstrail.settings.config import load_settings
from lake_workspace import client_of, facts_of, rows_of, text_of
from listed_accounts import moment
from live_aws import BASE, DEV, PROD, LiveAws

pytestmark = pytest.mark.anyio
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UNKNOWN_STORE = "0233062b-51c6-4d1b-8a2e-0123456789ab"


@pytest.fixture
def aws(aws: LiveAws) -> LiveAws:
    aws.keys_account(PROD, "prod", default=True, regions=["us-east-1", "eu-west-1"])
    aws.role_account(DEV, "dev")
    return aws


async def answer(aws: LiveAws, tool: str, arguments: dict[str, Any], **more: object) -> str:
    async with client_of(aws.settings(**more)) as client:
        result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


async def test_a_live_account_is_asked_for_the_last_day_unless_told(aws: LiveAws) -> None:
    log = aws.world.accounts[PROD]
    new, old = log.log("New", moment(HOUR)), log.log("Old", moment(3 * DAY))
    text = await answer(aws, "lookup_events", {})
    assert new in text
    assert old not in text
    assert text.startswith("prod (111111111111) us-east-1, ")
    assert "1 event, newest first, all there are." in text
    assert "Live accounts answer" not in text
    assert old in await answer(aws, "lookup_events", {"start_time": "7d"})


async def test_an_event_by_its_id_is_found_whenever_it_was(aws: LiveAws) -> None:
    old = aws.world.accounts[PROD].log("Old", moment(60 * DAY))
    asked = {"attribute_key": "event_id", "attribute_value": old, "detail": "full"}
    text = await answer(aws, "lookup_events", asked)
    assert f'"eventID":"{old}"' in text
    assert "Live accounts answer for the time since" in text


async def test_a_span_that_no_live_account_answers_for_is_told(aws: LiveAws) -> None:
    text = await answer(aws, "lookup_events", {"start_time": "200d", "end_time": "100d"})
    assert "No event of the span asked can be there." in text
    assert "lake_query" in text
    assert not aws.world.requests


async def test_trails_of_several_regions_are_told_once(aws: LiveAws) -> None:
    aws.world.accounts[PROD].add_trail("org", IsMultiRegionTrail=True)
    aws.world.accounts[PROD].add_trail("quiet", region="eu-west-1", logging=False)
    aws.world.accounts[DEV].denied.add("cloudtrail:DescribeTrails")
    text = await answer(aws, "describe_trails", {"target_account_id": "*", "region": "all"}, lookup={"max_targets": 3})
    assert "2 trails." in text
    assert len(re.findall("^(?:org|quiet),", text, re.MULTILINE)) == 2
    assert "These are targets 1 to 3 of 19," in text
    assert "Allow cloudtrail:DescribeTrails" in text


async def test_a_trail_is_created_in_one_named_account_where_writes_are_allowed(aws: LiveAws) -> None:
    wish = {"name": "audit", "s3_bucket_name": "logs", "target_account_id": "dev", "s3_key_prefix": "x"}
    text = await answer(aws, "create_trail", wish, allow_writes=True)
    assert "dev (222222222222) us-east-1: the trail was created. It is logging." in text
    (made,) = aws.world.asked("CreateTrail")
    assert made.account == DEV
    assert made.params["IsMultiRegionTrail"] is True
    async with client_of(aws.settings(allow_writes=True)) as client:
        for wrong in ({"target_account_id": "*"}, {"target_account_id": ""}, {"region": "us-east-1,eu-west-1"}):
            refused = await client.call_tool("create_trail", {**wish, **wrong})
            assert refused.is_error
    async with client_of(aws.settings()) as client:
        assert (await client.call_tool("create_trail", wish)).is_error
    assert len(aws.world.asked("CreateTrail")) == 1


async def test_stores_of_live_accounts_stand_beside_the_lakes(aws: LiveAws) -> None:
    arn = aws.world.accounts[DEV].add_store("org-store", region="eu-west-1")
    aws.world.accounts[PROD].denied.add("cloudtrail:ListEventDataStores")
    brief = {"region": "eu-west-1", "target_account_id": "*", "include_details": False}
    text = await answer(aws, "list_event_data_stores", brief)
    assert arn.rpartition("/")[2] in text
    assert "org-store" in text
    assert "Failed: prod (111111111111) eu-west-1" in text
    assert not aws.world.asked("GetEventDataStore")
    detailed = await answer(aws, "list_event_data_stores", {"region": "eu-west-1", "include_details": True})
    assert "ENABLED" in detailed
    none = await answer(aws, "list_event_data_stores", {"target_account_id": "dev"})
    assert "closed to new customers" in none


async def test_sql_goes_where_its_store_is(aws: LiveAws) -> None:
    outcome = aws.world.accounts[DEV].outcome
    outcome.columns, outcome.rows = ("eventname", "n"), tuple((f"Event{n}", str(n)) for n in range(150))
    store = aws.world.accounts[DEV].add_store("store").rpartition("/")[2]
    async with client_of(aws.settings()) as client:
        first = await client.call_tool("lake_query", {"sql": f"SELECT eventname, count(*) n FROM {store} GROUP BY 1"})
        facts = facts_of(first)
        assert facts["query_id"].startswith(f"cloudtrail_lake:{DEV}:us-east-1:")
        assert facts["rows"] == 150
        rows = rows_of(first)
        while facts["next_token"]:
            asked = {"query_id": facts["query_id"], "next_token": facts["next_token"]}
            page = await client.call_tool("get_query_results", asked)
            facts = facts_of(page)
            rows += rows_of(page)
        assert [row.split(",")[0] for row in rows] == [f"Event{n}" for n in range(150)]
        native = facts["query_id"].rpartition(":")[2]
        bare = {"query_id": native, "target_account_id": "dev", "region": "us-east-1"}
        assert "FINISHED" in text_of(await client.call_tool("get_query_status", bare))
        outside = await client.call_tool(
            "get_query_status", {"query_id": facts["query_id"], "target_account_id": "prod"}
        )
        assert outside.is_error
    assert {request.account for request in aws.world.asked("GetQueryResults")} == {DEV}


async def test_a_store_that_nobody_has_is_refused_by_the_lake(aws: LiveAws) -> None:
    async with client_of(aws.settings()) as client:
        lake = await client.call_tool("lake_query", {"sql": f"SELECT eventname FROM {UNKNOWN_STORE}"})
        told = {"sql": f"SELECT eventname FROM {UNKNOWN_STORE}", "engine": "cloudtrail_lake"}
        live = await client.call_tool("lake_query", told)
        own = await client.call_tool("lake_query", {"sql": "SELECT count(*) FROM events"})
    assert lake.is_error
    assert "no such table" in text_of(lake)
    assert live.is_error
    assert "closed to new customers" in text_of(live)
    assert not own.is_error
    assert len(aws.world.asked("GetEventDataStore", DEV)) == 2


async def test_with_nothing_listed_the_ambient_identity_is_the_account(aws: LiveAws) -> None:
    aws.world.account(BASE).log("ConsoleLogin", moment(HOUR))
    async with client_of(load_settings(flags={"lake.path": "no-lake"})) as client:
        for _ in range(3):
            result = await client.call_tool("lookup_events", {})
            assert len(rows_of(result)) == 1
        listed = await client.call_tool("list_accounts", {})
    assert text_of(result).startswith(f"{BASE} us-east-1")
    assert BASE in text_of(listed)
    assert "live" in text_of(listed)
    assert len(aws.world.asked("GetCallerIdentity")) == 2, (
        "which account that is, and whether these are its credentials"
    )
    assert len(aws.world.asked("LookupEvents")) == 3


async def test_an_ambient_identity_that_is_refused_says_so(aws: LiveAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    async with client_of(load_settings(flags={"lake.path": "no-lake"})) as client:
        result = await client.call_tool("lookup_events", {})
    assert result.is_error
    assert "does not accept the credentials" in text_of(result)


def test_the_command_line_looks_up_everywhere(aws: LiveAws, crosstrail: Callable[..., Any], tmp_path: Path) -> None:
    wanted = {
        aws.world.accounts[account].log("CreateUser", moment(timedelta(minutes=5)), region=region)
        for account, region in ((PROD, "eu-west-1"), (DEV, "us-east-1"), (DEV, "sa-east-1"))
    }
    aws.world.accounts[PROD].log("TooOld", moment(2 * HOUR))
    config = tmp_path / "crosstrail.yaml"
    config.write_text(yaml.safe_dump({"accounts": aws.listed}))
    done = crosstrail("lookup", "--config", config, "--account", "*", "--region", "all", "--since", "1h", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["event"]["eventID"] for event in events} == wanted
    assert "3 events, newest first, all there are" in done.stderr
    assert "(19 pairs)" in done.stderr
