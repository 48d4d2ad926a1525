"""Many accounts, many calls at once, through the MCP tools: every request under its own account's key, no answer mixed up."""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import datetime, timedelta

import anyio
import pytest
from mcp import Client

from crosstrail.clouds.aws.regions import ALWAYS_ON
from lake_workspace import client_of, rows_of, text_of
from listed_accounts import moment
from live_aws import BASE, DEV, PROD, LiveAws

pytestmark = pytest.mark.anyio
REGIONS = ALWAYS_ON


def populate(aws: LiveAws, accounts: int, regions: tuple[str, ...]) -> list[str]:
    """Accounts with keys and with roles in turn; each logs one event a region, under its own id as the user's name."""
    ids = [str(100_000_000_000 + number) for number in range(accounts)]
    for number, account in enumerate(ids):
        add = aws.role_account if number % 2 else aws.keys_account
        add(account, f"acct-{number}", default=number == 0)
        for region in regions:
            aws.world.account(account).log(
                "GetCallerIdentity", moment(timedelta(hours=1)), region=region, username=account
            )
    return ids


def answered_for(text: str, ids: list[str]) -> set[str]:
    return {account for account in ids if account in text}


async def test_six_hundred_calls_on_fifty_accounts_are_never_mixed_up(aws: LiveAws) -> None:
    ids = populate(aws, 50, REGIONS)
    calls = [(account, region) for account in ids[1:] for region in REGIONS[:4] for _ in range(2)]
    calls += [("", region) for region in REGIONS for _ in range(8)]
    calls += [(f"acct-{number}", region) for number in (1, 2) for region in REGIONS[4:9]] * 6
    assert len(calls) >= 580
    chance = random.Random(7)  # noqa: S311 - the same order every time
    chance.shuffle(calls)
    places = anyio.CapacityLimiter(50)
    done: Counter[str] = Counter()

    async def call(client: Client, account: str, region: str, give_up: bool) -> None:
        own = ids[int(account[5:])] if account.startswith("acct-") else account or ids[0]
        asked = {"target_account_id": account, "region": region, "attribute_key": "Username", "attribute_value": own}
        async with places:
            with anyio.CancelScope() as scope:
                if give_up:
                    scope.deadline = anyio.current_time() + chance.random() / 100
                result = await client.call_tool("lookup_events", asked)
            if scope.cancelled_caught:
                done["given up"] += 1
                return
            assert not result.is_error, text_of(result)
            assert answered_for(text_of(result), ids) == {own}
            assert len(rows_of(result)) == 1
            done["answered"] += 1
            if done["answered"] % 260 == 0:  # twice; a call that meets both fails, as it should
                assert aws.world.expire_sessions()

    async with client_of(aws.settings()) as client, anyio.create_task_group() as group:
        for number, (account, region) in enumerate(calls):
            group.start_soon(call, client, account, region, number % 20 == 0)
    assert done["answered"] > 540
    assert sum(done.values()) == len(calls)
    for request in aws.world.asked("LookupEvents"):
        (condition,) = request.params["LookupAttributes"]
        assert aws.world.keys[request.access_key_id].account == condition["AttributeValue"]
    roles = aws.world.asked("AssumeRole")
    assert {request.account for request in roles} == {BASE}
    assert {request.action for request in aws.world.asked(account=BASE)} == {"AssumeRole"}
    refused = Counter(request.code for request in aws.world.requests if request.code)
    assert set(refused) == {"ExpiredTokenException"}


async def test_a_warm_call_is_one_request_and_a_role_is_assumed_once(aws: LiveAws) -> None:
    for number in range(20):
        aws.role_account(str(100_000_000_000 + number), f"acct-{number}")
    calls = [{"target_account_id": f"acct-{number % 20}", "region": REGIONS[number // 20 % 5]} for number in range(500)]
    async with client_of(aws.settings()) as client, anyio.create_task_group() as group:
        for arguments in calls:
            group.start_soon(client.call_tool, "lookup_events", arguments)
    assert Counter(request.action for request in aws.world.requests) == {"LookupEvents": 500, "AssumeRole": 20}


async def test_a_call_without_account_never_answers_for_the_one_before(aws: LiveAws) -> None:
    for account in (PROD, DEV):
        aws.keys_account(account)
        aws.world.account(account).log("ConsoleLogin", moment(timedelta(hours=1)), username=f"of-{account}")
    before = dict(os.environ)
    async with client_of(aws.settings()) as client:
        for account in (PROD, DEV):
            result = await client.call_tool("lookup_events", {"target_account_id": account})
            assert f"of-{account}" in text_of(result)
            asked = len(aws.world.requests)
            unnamed = await client.call_tool("lookup_events", {})
            assert unnamed.is_error
            assert text_of(unnamed).startswith("which account?")
            assert len(aws.world.requests) == asked
    aws.listed[1]["default"] = True
    async with client_of(aws.settings()) as client:
        await client.call_tool("lookup_events", {"target_account_id": PROD})
        unnamed = await client.call_tool("lookup_events", {})
        assert f"of-{DEV}" in text_of(unnamed)
        assert f"of-{PROD}" not in text_of(unnamed)
    assert dict(os.environ) == before


@pytest.mark.parametrize("fault", ["throttle", "500", "reset", "half"])
async def test_pages_over_many_targets_lose_and_double_nothing(aws: LiveAws, fault: str) -> None:
    """Each page by a server of its own, with faults before each."""
    wanted: dict[str, datetime] = {}
    for number, account in enumerate((PROD, DEV)):
        (aws.role_account if number else aws.keys_account)(account)
        for region in ("us-east-1", "eu-west-1"):
            for event in range(24):
                when = moment(timedelta(seconds=60 + 5 * (event // 6)))
                wanted[aws.world.account(account).log("RunInstances", when, region=region)] = when
    arguments = {"target_account_id": "*", "region": "us-east-1,eu-west-1", "max_results": 40}
    found: list[str] = []
    while arguments:
        aws.world.fail(fault, action="LookupEvents")
        aws.world.fail(fault, action="LookupEvents", account=DEV)
        async with client_of(aws.settings()) as client:
            result = await client.call_tool("lookup_events", arguments)
        assert not result.is_error, text_of(result)
        assert "Failed" not in text_of(result)
        found += [cell for row in rows_of(result) for cell in row.split(",") if cell in wanted]
        token = (result.meta or {})["crosstrail/facts"]["next_token"]
        arguments = {"next_token": token} if token else {}
    assert sorted(found) == sorted(wanted)
    times = [wanted[event] for event in found]
    assert times == sorted(times, reverse=True)


async def test_targets_that_fail_are_listed_with_cause_and_fix(aws: LiveAws) -> None:
    aws.keys_account(PROD, "prod")
    aws.keys_account(DEV, "dev")
    aws.role_account("333333333333", "legacy", external_id="right")
    aws.listed[2]["auth"]["external_id"] = "wrong"
    aws.world.account(PROD).log("ConsoleLogin", moment(timedelta(hours=1)))
    aws.world.account(DEV).denied.add("cloudtrail:LookupEvents")
    async with client_of(aws.settings()) as client:
        result = await client.call_tool("lookup_events", {"target_account_id": "*"})
        alone = await client.call_tool("lookup_events", {"target_account_id": "dev"})
    text = text_of(result)
    assert not result.is_error
    assert len(rows_of(result)) == 1
    assert "Answered: prod (111111111111) us-east-1." in text
    assert "dev (222222222222) us-east-1 (" in text
    assert "Allow cloudtrail:LookupEvents" in text
    assert "legacy (333333333333) us-east-1 (may not assume arn:aws:iam::333333333333:role/Audit" in text
    assert alone.is_error
    assert "cloudtrail:LookupEvents" in text_of(alone)


async def test_targets_over_the_bound_are_named(aws: LiveAws) -> None:
    populate(aws, 3, REGIONS)
    async with client_of(aws.settings(lookup={"max_targets": 20})) as client:
        result = await client.call_tool("lookup_events", {"target_account_id": "*", "region": "all"})
    text = text_of(result)
    assert len(aws.world.asked("LookupEvents")) == 20
    assert "These are targets 1 to 20 of 51," in text
    assert "31 are left to ask by next_token" in text
    async with client_of(aws.settings(lookup={"max_targets": 20})) as client:
        result = await client.call_tool("describe_trails", {"target_account_id": "*", "region": "all"})
    assert "These are targets 1 to 20 of 51," in text_of(result)
    assert "31 are left to ask by next_token" in text_of(result)


async def test_what_fails_alike_everywhere_is_told_once(aws: LiveAws) -> None:
    populate(aws, 2, REGIONS)
    aws.world.account("100000000001").denied.add("cloudtrail:LookupEvents")
    async with client_of(aws.settings()) as client:
        result = await client.call_tool("lookup_events", {"target_account_id": "*", "region": "all"})
    text = text_of(result)
    assert len(rows_of(result)) == 10
    assert "Answered: acct-0 (100000000000) in 17 regions. Failed: acct-1 (100000000001) in 17 regions (" in text
    assert text.count("Allow cloudtrail:LookupEvents") == 1
