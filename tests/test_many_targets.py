"""More targets and accounts than one answer has room for: block after block, each once, and honest about what is left."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import CommandLine
from crosstrail.clouds.aws.regions import ALWAYS_ON, known_regions
from crosstrail.errors import InvalidRequest
from crosstrail.lookup.cursor import BlockCursor
from crosstrail.models import Account
from crosstrail.settings.config import Settings
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from lake_workspace import NOON, client_of, collect, facts_of, record, rows_of, text_of, write_logs
from listed_accounts import moment
from live_aws import DEV, PROD, LiveAws

pytestmark = pytest.mark.anyio
REGIONS = ALWAYS_ON
KEYS = {"type": "keys", "access_key_id": "AKIA", "secret_access_key": "s"}


def many(count: int) -> Settings:
    listed = [{"id": str(100_000_000_000 + number), "alias": f"acct-{number}", "auth": KEYS} for number in range(count)]
    return Settings.model_validate({"accounts": listed, "lake": {"path": "no-lake"}, "region": "us-east-1"})


async def walked(aws: LiveAws, arguments: dict[str, Any], tool: str = "lookup_events", **settings: Any) -> list[Any]:
    """Every page of a tool."""
    pages = []
    async with client_of(aws.settings(**settings)) as client:
        while arguments:
            pages.append(await client.call_tool(tool, arguments))
            token = facts_of(pages[-1]).get("next_token", "")
            assert len(token) < 2_000
            arguments = {"next_token": token} if token else {}
    return pages


async def test_85000_targets_are_each_in_exactly_one_block() -> None:
    """5,000 accounts in 17 regions."""
    given = many(5_000)
    workspace = Workspace(given.model_copy(update={"lookup": given.lookup.model_copy(update={"max_targets": 1_700})}))
    visible = ScopedWorkspace(workspace)
    found: list[tuple[str, str]] = []
    digests = set()
    while True:
        chosen = await visible.targets("*", "all", start=len(found))
        found += [(target.account.id, target.region) for target in chosen.targets]
        digests.add(chosen.digest)
        assert chosen.total == 85_000
        assert chosen.left == 85_000 - len(found)
        if not chosen.left:
            break
    await workspace.aclose()
    assert len(found) == len(set(found)) == 85_000
    assert len(digests) == 1


async def test_a_walk_over_blocks_asks_each_target_once(aws: LiveAws) -> None:
    wanted = set()
    for number in range(24):
        account = str(100_000_000_000 + number)
        aws.keys_account(account, f"acct-{number}")
        for region in REGIONS[:: 5 + number % 3]:
            wanted.add(aws.world.account(account).log("RunInstances", moment(timedelta(minutes=number)), region=region))
    pages = await walked(
        aws, {"target_account_id": "*", "region": "all", "max_results": 50}, lookup={"max_targets": 150}
    )
    assert [facts_of(page)["more"] for page in pages] == [True, True, False]
    assert "These are targets 1 to 150 of 408," in text_of(pages[0])
    assert "258 are left to ask by next_token" in text_of(pages[0])
    assert "These are targets 301 to 408 of 408," in text_of(pages[2])
    asked = Counter((request.account, request.region) for request in aws.world.asked("LookupEvents"))
    assert set(asked.values()) == {1}
    assert len(asked) == 24 * len(REGIONS)
    found = [cell for page in pages for row in rows_of(page) for cell in row.split(",") if cell in wanted]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize(
    ("tool", "action", "of_one"),
    [("describe_trails", "DescribeTrails", "trail-"), ("list_event_data_stores", "ListEventDataStores", "store-")],
)
async def test_lists_over_many_targets_ask_each_once(aws: LiveAws, tool: str, action: str, of_one: str) -> None:
    for number in range(7):
        account = str(100_000_000_000 + number)
        aws.keys_account(account, f"acct-{number}")
        aws.world.accounts[account].add_trail(f"trail-{number}")
        aws.world.accounts[account].add_store(f"store-{number}")
    first = {"target_account_id": "acct-*", "region": "all"}
    pages = await walked(aws, first, tool, lookup={"max_targets": 50})
    asked = Counter((one.account, one.region) for one in aws.world.asked(action))
    assert len(asked) == 7 * len(REGIONS) == sum(asked.values())
    assert [text_of(page).count("are left to ask by next_token") for page in pages] == [1, 1, 1]
    found = "\n".join(map(text_of, pages))
    assert [found.count(f"{of_one}{number}") for number in range(7)] == [1] * 7
    assert sum(facts_of(page)["count"] for page in pages) == 7 + (7 if tool == "list_event_data_stores" else 0)
    assert all(len(text_of(page).encode()) <= 10_000 for page in pages)


@pytest.mark.parametrize("tool", ["describe_trails", "list_event_data_stores"])
async def test_a_token_of_a_list_goes_on_with_its_own_call_alone(aws: LiveAws, tool: str) -> None:
    aws.keys_account(PROD, "prod")
    aws.keys_account(DEV, "dev")
    other = {"describe_trails": "list_event_data_stores", "list_event_data_stores": "describe_trails"}[tool]
    async with client_of(aws.settings(lookup={"max_targets": 1})) as client:
        token = facts_of(await client.call_tool(tool, {"target_account_id": "*"}))["next_token"]
        for name, arguments in (
            (tool, {"next_token": token, "region": "eu-west-1"}),
            (tool, {"next_token": token[:-2] + "xx"}),
            (other, {"next_token": token}),
            ("lookup_events", {"next_token": token}),
            (tool, {"next_token": BlockCursor(tool, {"target_account_id": ["*"]}, "x", 1).encode()}),
            (tool, {"next_token": BlockCursor(tool, {"told": "x"}, "x", 1).encode()}),
        ):
            refused = await client.call_tool(name, arguments)
            assert refused.is_error
            assert "next_token" in text_of(refused)
    aws.listed.reverse()
    async with client_of(aws.settings(lookup={"max_targets": 1})) as client:
        refused = await client.call_tool(tool, {"next_token": token})
    assert "have changed" in text_of(refused)


async def test_a_block_is_read_to_its_end_before_the_next_one(aws: LiveAws) -> None:
    for number, account in enumerate((PROD, DEV)):
        aws.keys_account(account)
        for event in range(5):
            aws.world.account(account).log(f"Event{number}{event}", moment(timedelta(minutes=1 + 10 * event + number)))
    pages = await walked(aws, {"target_account_id": "*", "max_results": 3}, lookup={"max_targets": 1})
    names = [cell for page in pages for row in rows_of(page) for cell in row.split(",") if cell.startswith("Event")]
    assert names == [f"Event{number}{event}" for number in range(2) for event in range(5)]


async def test_a_block_that_fails_is_an_error_that_can_be_gone_on_from(aws: LiveAws) -> None:
    aws.keys_account(PROD, "prod")
    aws.keys_account(DEV, "dev")
    aws.world.account(PROD).denied.add("cloudtrail:LookupEvents")
    event = aws.world.account(DEV).log("ConsoleLogin", moment(timedelta(hours=1)))
    first, last = await walked(aws, {"target_account_id": "*"}, lookup={"max_targets": 1})
    assert first.is_error
    assert "Allow cloudtrail:LookupEvents" in text_of(first)
    assert not last.is_error
    assert event in text_of(last)


async def test_a_token_of_accounts_that_changed_is_refused(aws: LiveAws) -> None:
    aws.keys_account(PROD, "prod")
    aws.keys_account(DEV, "dev")
    async with client_of(aws.settings(lookup={"max_targets": 1})) as client:
        token = facts_of(await client.call_tool("lookup_events", {"target_account_id": "*"}))["next_token"]
    aws.listed.reverse()
    async with client_of(aws.settings(lookup={"max_targets": 1})) as client:
        refused = await client.call_tool("lookup_events", {"next_token": token})
    assert refused.is_error
    assert "have changed" in text_of(refused)


async def test_every_one_of_5000_accounts_is_listed_on_one_page() -> None:
    found: list[str] = []
    arguments: dict[str, Any] = {"selector": "acct-*"}
    async with client_of(many(5_000)) as client:
        while arguments:
            page = await client.call_tool("list_accounts", arguments)
            assert not page.is_error, text_of(page)
            assert len(text_of(page)) < 10_000
            found += [line.split(",")[0] for line in text_of(page).splitlines() if line.startswith("1000")]
            token = facts_of(page).get("next_token")
            arguments = {"next_token": token} if token else {}
        again = await client.call_tool("list_accounts", {"selector": "acct-1*", "next_token": "A1x"})
    assert found == [str(100_000_000_000 + number) for number in range(5_000)]
    assert again.is_error


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("us-esat-1", "Did you mean us-east-1?"),
        ("eu-west-1,us-east-11", "Did you mean us-east-1?"),
        ("mars-north-1", "no account asked has a region 'mars-north-1'"),
    ],
)
async def test_a_region_that_does_not_exist_is_an_error_and_asked_of_nobody(
    aws: LiveAws, region: str, said: str
) -> None:
    aws.keys_account(PROD, "prod")
    aws.keys_account(DEV, "dev", regions=["xx-new-1"])
    async with client_of(aws.settings()) as client:
        for tool in ("lookup_events", "describe_trails"):
            result = await client.call_tool(tool, {"target_account_id": "*", "region": region})
            assert result.is_error
            assert said in text_of(result)
        new = await client.call_tool("lookup_events", {"target_account_id": "*", "region": "xx-new-1,me-south-1"})
        elsewhere = await client.call_tool(
            "lookup_events", {"target_account_id": "prod", "region": "eu-west-1,cn-beijing,us-gov-west-1"}
        )
    assert "NOT asked" not in text_of(new)
    assert "NOT asked: cn-beijing, us-gov-west-1, which no account asked has." in text_of(elsewhere)
    assert {(request.account, request.region) for request in aws.world.asked("LookupEvents")} == {
        (DEV, "xx-new-1"),
        *((account, "me-south-1") for account in (PROD, DEV)),
        (PROD, "eu-west-1"),
    }


async def test_who_has_none_of_the_regions_is_told() -> None:
    cloud = {"id": "2100000001", "alias": "cn", "cloud": "volcengine", "auth": KEYS}
    given = many(1).model_copy(update={"accounts": (*many(1).accounts, Account.model_validate(cloud))})
    workspace = Workspace(given)
    chosen = await ScopedWorkspace(workspace).targets("*", "us-east-1")
    assert [target.account.alias for target in chosen.targets] == ["acct-0"]
    assert [account.alias for account in chosen.without] == ["cn"]
    with pytest.raises(InvalidRequest) as refused:
        await ScopedWorkspace(workspace).targets("cn", "cn-bejing")
    assert "Did you mean cn-beijing?" in refused.value.hint
    await workspace.aclose()


def test_regions_that_accounts_must_enable_are_known() -> None:
    assert known_regions() >= {*REGIONS, "me-south-1", "ap-southeast-5", "us-gov-east-1", "cn-north-1"}
    assert not any(name.endswith("-global") for name in known_regions())


def test_the_command_line_asks_every_block_and_knows_regions_that_an_archive_holds(
    crosstrail: CommandLine, tmp_path: Path
) -> None:
    accounts = [f"{number:012d}" for number in (444, 111, 333, 222)]
    records = [record(account, 1, NOON - timedelta(minutes=int(account))) for account in accounts]
    records.append(record(accounts[0], 2, NOON - timedelta(minutes=7), awsRegion="xx-anonymous-9"))
    write_logs(tmp_path / "logs", records)
    collect(tmp_path / "logs", tmp_path / "lake")
    config = tmp_path / "crosstrail.yaml"
    listed = "\n".join(f'  - {{id: "{account}", archive: logs}}' for account in accounts)
    config.write_text(f"accounts:\n{listed}\nlake: {{path: lake}}\nlookup: {{max_targets: 1}}\n", "utf-8")
    done = crosstrail("lookup", "--account", "*", "--limit", 3, "--config", config)
    assert [line.split("\t")[1] for line in done.stdout.splitlines()[1:]] == [accounts[0], accounts[1], accounts[3]]
    assert "4 accounts" in done.stderr
    assert "NOT asked" not in done.stderr
    assert "raise --limit" in done.stderr
    held = crosstrail("lookup", "--account", accounts[0], "--region", "xx-anonymous-9", "--config", config)
    assert len(held.stdout.splitlines()) == 2
    wrong = crosstrail("lookup", "--account", "*", "--region", "us-esat-1", "--config", config)
    assert wrong.returncode == 1
    assert "Did you mean us-east-1?" in wrong.stderr
