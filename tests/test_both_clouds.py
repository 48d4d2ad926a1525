"""AWS and Volcengine in one answer: one table, one cursor, one SQL; through a client and on the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import CommandLine
from crosstrail.settings.config import Settings
from lake_workspace import client_of, collect, facts_of, record, rows_of, text_of, write_logs
from listed_accounts import moment
from live_aws import DEV, PROD, LiveAws, live_aws
from live_volcengine import BASE, CN_DEV, CN_PROD, LiveVolcengine, live_volcengine

pytestmark = pytest.mark.anyio


@dataclass
class Clouds:
    aws: LiveAws
    volcengine: LiveVolcengine
    lake: Path

    def values(self) -> dict[str, Any]:
        """As crosstrail.yaml has them."""
        base, url = self.volcengine.base, self.volcengine.url
        return {
            "accounts": [*self.aws.listed, *self.volcengine.listed],
            "lake": {"path": str(self.lake)},
            "volcengine": {"endpoint": url, "access_key": base.id, "secret_key": base.secret},
        }

    def settings(self) -> Settings:
        return Settings.model_validate(self.values())


@pytest.fixture
async def clouds(anyio_backend: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Clouds]:
    """Two accounts of each cloud, one by its keys and one by a role."""
    with live_volcengine() as volcengine:
        async with live_aws(monkeypatch) as aws:
            aws.keys_account(PROD, "prod")
            aws.role_account(DEV, "dev")
            volcengine.keys_account(CN_PROD, "cn-prod")
            volcengine.role_account(CN_DEV, "cn-dev")
            yield Clouds(aws, volcengine, tmp_path / "lake")


def _log_by_turns(clouds: Clouds, count: int) -> list[str]:
    """`count` events, a minute apart, by turns in each account; their ids, newest first."""
    logs = [clouds.aws.world.accounts[one] for one in (PROD, DEV)]
    others = [clouds.volcengine.world.accounts[one] for one in (CN_PROD, CN_DEV)]
    ids = []
    for number in range(count):
        place = number % 4
        log = logs[place].log if place < 2 else others[place - 2].log
        ids.append(log("CreateUser", moment(timedelta(minutes=number + 1))))
    return ids


async def test_one_table_and_one_cursor(clouds: Clouds) -> None:
    ids = _log_by_turns(clouds, 40)
    found: list[str] = []
    async with client_of(clouds.settings()) as client:
        arguments: dict[str, Any] = {"target_account_id": "*", "max_results": 15}
        for _ in range(10):
            result = await client.call_tool("lookup_events", arguments)
            text, facts = text_of(result), facts_of(result)
            assert "Failed" not in text
            assert "time,account,region," in text
            found += [row.rpartition(",")[2] for row in rows_of(result)]
            if not facts["more"]:
                break
            arguments = {"next_token": facts["next_token"]}
    assert found == ids
    first = text.splitlines()
    assert any(name in line for line in first for name in ("prod", "cn-prod"))


async def test_a_key_of_one_cloud_alone_is_a_failure_of_the_other(clouds: Clouds) -> None:
    """Volcengine has no Insights events; the answer says so and still has AWS's."""
    event = clouds.aws.world.accounts[PROD].log("RunInstances", moment(timedelta(minutes=1)), category="Insight")
    arguments = {"target_account_id": "prod,cn-prod", "attribute_key": "EventCategory", "attribute_value": "insight"}
    async with client_of(clouds.settings()) as client:
        text = text_of(await client.call_tool("lookup_events", arguments))
        unknown = await client.call_tool("lookup_events", {**arguments, "attribute_key": "Nonsense"})
    assert event in text
    assert "Failed: cn-prod" in text
    assert "EventName" in text
    assert unknown.is_error
    assert "RequestID" in text_of(unknown)


@pytest.mark.parametrize("key", ["EventId", "EventID", "event_id"])
async def test_a_key_of_both_is_understood_by_both(clouds: Clouds, key: str) -> None:
    for event in _log_by_turns(clouds, 4):
        async with client_of(clouds.settings()) as client:
            arguments = {"target_account_id": "*", "attribute_key": key, "attribute_value": event}
            result = await client.call_tool("lookup_events", arguments)
        assert len(rows_of(result)) == 1, text_of(result)
        assert event in text_of(result)
        assert "Failed" not in text_of(result)


async def test_a_failing_cloud_is_told_and_the_other_answers(clouds: Clouds) -> None:
    ids = _log_by_turns(clouds, 4)
    clouds.volcengine.world.accounts[CN_DEV].denied.add("LookupEvents")
    async with client_of(clouds.settings()) as client:
        text = text_of(await client.call_tool("lookup_events", {"target_account_id": "*"}))
    assert [one in text for one in ids] == [True, True, True, False]
    assert "Failed: cn-dev (2100000002)" in text
    assert "denies cloud_trail:LookupEvents (AccessDenied, request " in text


async def test_events_of_global_services_are_found_without_a_region(clouds: Clouds) -> None:
    event = clouds.volcengine.world.accounts[CN_PROD].log(
        "CreateUser", moment(timedelta(minutes=1)), region="cn-north-1"
    )
    async with client_of(clouds.settings()) as client:
        for region, found in (("", True), ("all", True), ("cn-north-1", True), ("cn-beijing", False)):
            arguments = {"target_account_id": "cn-prod", "region": region}
            text = text_of(await client.call_tool("lookup_events", arguments))
            assert (event in text) is found, region


async def test_trails_of_both_clouds_are_described(clouds: Clouds) -> None:
    clouds.aws.world.accounts[PROD].add_trail("aws-main")
    clouds.volcengine.world.accounts[CN_PROD].add_trail("cn-main", LoggingStatus="Disable")
    async with client_of(clouds.settings()) as client:
        text = text_of(await client.call_tool("describe_trails", {"target_account_id": "prod,cn-prod"}))
    assert "aws-main" in text
    assert "cn-main" in text
    assert f"tos://logs-{CN_PROD}" in text


async def test_sql_sees_both(clouds: Clouds, tmp_path: Path) -> None:
    _log_by_turns(clouds, 8)
    write_logs(tmp_path / "logs", [record(PROD, number, moment()) for number in range(3)])
    trails = [json.loads(one.encoded) for one in clouds.volcengine.world.accounts[CN_PROD].events]
    (tmp_path / "logs" / "volcengine.json").write_text("\n".join(map(json.dumps, trails)))
    collect(tmp_path / "logs", clouds.lake)
    sql = "SELECT cloud, account, count(*) AS n FROM events GROUP BY 1, 2 ORDER BY 1"
    async with client_of(clouds.settings()) as client:
        text = text_of(await client.call_tool("lake_query", {"sql": sql}))
        one = text_of(await client.call_tool("lake_query", {"sql": 'SELECT DISTINCT eventname FROM "cn-prod"'}))
    assert f"aws,{PROD},3" in text
    assert f"volcengine,{CN_PROD},2" in text
    assert "CreateUser" in one


def test_the_command_line_asks_the_same(clouds: Clouds, crosstrail: CommandLine, tmp_path: Path) -> None:
    ids = _log_by_turns(clouds, 8)
    config = tmp_path / "crosstrail.yaml"
    config.write_text(yaml.safe_dump(clouds.values()))
    done = crosstrail("lookup", "--config", config, "--account", "cn-prod", "--since", "24h", "--json")
    assert done.returncode == 0, done.stderr
    assert [one in done.stdout for one in ids] == [False, False, True, False, False, False, True, False]
    done = crosstrail("lookup", "--config", config, "--account", "*", "--since", "24h", "--json")
    assert done.returncode == 0, done.stderr
    assert all(one in done.stdout for one in ids)
    assert BASE not in done.stdout


@pytest.mark.parametrize(
    ("account", "region", "status", "said"),
    [
        ("*", "us-east-1", 3, "NOT asked, because their cloud has no such region: cn-prod, cn-dev."),
        ("prod", "us-east-1,cn-beijing", 3, "NOT asked: cn-beijing, which no account asked has."),
        ("prod", "cn-beijing", 1, "no account asked has a region 'cn-beijing'"),
        ("prod,cn-prod", "us-east-1,cn-beijing", 0, "Answered: prod"),
    ],
)
def test_a_region_of_another_cloud_is_told_and_has_its_status(
    clouds: Clouds, crosstrail: CommandLine, tmp_path: Path, account: str, region: str, status: int, said: str
) -> None:
    config = tmp_path / "crosstrail.yaml"
    config.write_text(yaml.safe_dump(clouds.values()))
    done = crosstrail("lookup", "--config", config, "--account", account, "--region", region)
    assert done.returncode == status, done.stderr
    assert said in done.stderr


async def test_a_trail_is_created_in_volcengine_where_writes_are_allowed(clouds: Clouds) -> None:
    settings = Settings.model_validate({**clouds.values(), "allow_writes": True})
    arguments = {"target_account_id": "cn-prod", "name": "main", "s3_bucket_name": "audit-logs"}
    async with client_of(settings) as client:
        made = await client.call_tool("create_trail", arguments)
        again = await client.call_tool("create_trail", arguments)
        off = await client.call_tool("create_trail", {**arguments, "name": "off", "start_logging": False})
    assert not made.is_error, text_of(made)
    assert "tos://audit-logs" in text_of(made)
    assert "See describe_trails whether it logs." in text_of(made)
    assert off.is_error
    assert set(clouds.volcengine.world.accounts[CN_PROD].trails) == {"main"}
    assert clouds.volcengine.world.accounts[CN_PROD].trails["main"]["TosBucketRegion"] == "cn-beijing"
    assert again.is_error
    assert "TrailAlreadyExists" in text_of(again)


def test_checking_accounts_covers_both(clouds: Clouds, crosstrail: CommandLine, tmp_path: Path) -> None:
    clouds.volcengine.world.accounts[CN_DEV].denied.add("LookupEvents")
    config = tmp_path / "crosstrail.yaml"
    config.write_text(yaml.safe_dump(clouds.values()))
    done = crosstrail("accounts", "check", "--config", config, "cn-*")
    assert done.returncode == 3
    assert "cn-prod" in done.stdout
    assert "denies cloud_trail:LookupEvents" in done.stderr
