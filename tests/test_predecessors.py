"""What users of the AWS Labs server and of Volcengine's own are used to, over MCP."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from conftest import CommandLine
from credential_sources import write_config as write_aws_config
from crosstrail.settings.config import load_settings
from fakes.aws import FakeAws
from fakes.volcengine import FakeVolcengine
from lake_workspace import client_of, collect, facts_of, record, rows_of, text_of, write_logs
from listed_accounts import moment
from live_aws import BASE, DEV, PROD, LiveAws
from live_volcengine import CN_PROD, LiveVolcengine
from running_server import INITIALIZE, JSON, PATIENCE, Server, serving, write_config
from volcengine_server import bearer

pytestmark = pytest.mark.anyio
PAGE = "https://app.example.com"


async def answered(aws: LiveAws, tool: str, arguments: dict[str, Any], **more: object) -> str:
    async with client_of(aws.settings(**more)) as client:
        result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


# --- numbers beyond a limit


@pytest.mark.parametrize(
    ("sent", "used"), [(500, 50), ("500", 50), (0, 1), (-3, 1), ("9" * 900, 50), (51.0, 50), (50, 50), (1, 1)]
)
async def test_a_number_beyond_a_limit_is_put_at_it_with_a_word(aws: LiveAws, sent: Any, used: int) -> None:
    aws.keys_account(PROD, "prod")
    for age in range(60):
        aws.world.accounts[PROD].log("GetUser", moment(timedelta(minutes=age + 1)))
    async with client_of(aws.settings()) as client:
        result = await client.call_tool("lookup_events", {"max_results": sent})
    assert not result.is_error
    assert len(rows_of(result)) == used
    told = f"Note: max_results is 1 to 50; {used} was used in place of"
    assert (told in text_of(result)) == (str(sent) not in ("50", "1"))
    assert len(text_of(result).encode()) < 10_000


@pytest.mark.parametrize("sent", ["many", 1.5, [5], "1e400"])
async def test_what_is_no_number_is_refused(aws: LiveAws, sent: Any) -> None:
    aws.keys_account(PROD, "prod")
    async with client_of(aws.settings()) as client:
        result = await client.call_tool("lookup_events", {"max_results": sent})
    assert result.is_error
    assert "max_results" in text_of(result)


# --- event data stores


async def test_stores_come_with_columns_and_fit_one_answer(aws: LiveAws) -> None:
    for number in range(40):
        aws.keys_account(str(300_000_000_000 + number), f"account-{number}")
        aws.world.accounts[str(300_000_000_000 + number)].add_store(f"store-{number}")
    text = await answered(aws, "list_event_data_stores", {})
    assert "useridentity" in text
    assert "more do not fit" in text
    assert len(text.encode()) < 10_000
    assert "useridentity" not in await answered(aws, "list_event_data_stores", {"include_details": False})


async def test_live_stores_come_before_those_without_events(aws: LiveAws, tmp_path: Path) -> None:
    aws.keys_account(PROD, "prod")
    arn = aws.world.accounts[PROD].add_store("theirs")
    live = arn.rpartition("/")[2]
    text = await answered(aws, "list_event_data_stores", {"include_details": False})
    assert text.index(live) < text.index("and one for all")
    lake = tmp_path / "lake"
    write_logs(tmp_path / "logs", [record(PROD, 1, moment(timedelta(days=1)))])
    collect(tmp_path / "logs", lake)
    text = await answered(aws, "list_event_data_stores", {"include_details": False}, lake={"path": str(lake)})
    assert text.index("and one for all") < text.index(live)


# --- a bare query id of CloudTrail Lake


async def test_a_bare_query_id_works_with_the_account_alone(aws: LiveAws) -> None:
    aws.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1", "eu-west-1"])
    aws.keys_account(DEV, "dev")
    aws.world.accounts[PROD].outcome.columns, aws.world.accounts[PROD].outcome.rows = ("n",), (("42",),)
    arn = aws.world.accounts[PROD].add_store("theirs", region="eu-west-1")
    store = arn.rpartition("/")[2]
    async with client_of(aws.settings()) as client:
        started = await client.call_tool(
            "lake_query", {"sql": f"SELECT count(*) AS n FROM {store}", "target_account_id": "prod"}
        )
        bare = str(facts_of(started)["query_id"]).rpartition(":")[2]
        found = await client.call_tool("get_query_results", {"query_id": bare, "target_account_id": "prod"})
        assert not found.is_error, text_of(found)
        assert "42" in text_of(found)
        unnamed = await client.call_tool("get_query_results", {"query_id": bare})
        assert unnamed.is_error
        assert "Send target_account_id" in text_of(unnamed)
        absent = await client.call_tool("get_query_status", {"query_id": "0" * 36, "target_account_id": "prod"})
        assert absent.is_error
        assert "prod has no such query in us-east-1, eu-west-1" in text_of(absent)
        aws.world.accounts[PROD].denied.add("cloudtrail:DescribeQuery")
        denied = await client.call_tool("get_query_status", {"query_id": bare, "target_account_id": "prod"})
        assert "denies cloudtrail:DescribeQuery" in text_of(denied)


# --- a bad row of the account database


async def test_a_bad_row_is_told_where_accounts_are_listed_and_in_no_other_answer(
    aws: LiveAws, crosstrail: CommandLine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'accounts.db'}"
    environ = {"DATABASE_URL": url, "CROSSTRAIL_LAKE": "no-lake"}
    config = write_config(tmp_path, database={"url": url}, lake={"path": "no-lake"})
    for account in (PROD, DEV):
        role = aws.world.add_role(account, trusts=aws.base)
        made = crosstrail("accounts", "add", account, "--role-arn", role.arn, "--config", config)
        assert made.returncode == 0, made.stderr
    with sqlite3.connect(tmp_path / "accounts.db") as database:
        database.execute("UPDATE aws_accounts SET role_arn = 'no role' WHERE account_id = ?", (DEV,))
    async with client_of(load_settings(environ=environ)) as client:
        for tool in ("lookup_events", "describe_trails", "list_event_data_stores"):
            assert "left out" not in text_of(await client.call_tool(tool, {"target_account_id": "*"}))
        assert "left out" in text_of(await client.call_tool("list_accounts", {}))
    assert [one.message for one in caplog.records if "left out" in one.message]
    listed = crosstrail("accounts", "list", "--config", config)
    assert "left out" in listed.stderr


# --- Volcengine's keys in the environment alone


async def test_volcengine_keys_alone_are_the_account(live: LiveVolcengine) -> None:
    key = live.world.add_key(CN_PROD)
    live.world.accounts[CN_PROD].log("GetUser", moment(timedelta(minutes=5)))
    environ = {
        "VOLCENGINE_ACCESS_KEY": key.id,
        "VOLCENGINE_SECRET_KEY": key.secret,
        "VOLCENGINE_ENDPOINT": live.url,
        "CROSSTRAIL_LAKE": "no-lake",
    }
    async with client_of(load_settings(environ=environ)) as client:
        for _ in range(2):
            result = await client.call_tool("lookup_events", {})
            assert len(rows_of(result)) == 1
        assert CN_PROD in text_of(await client.call_tool("list_accounts", {}))
    assert len(live.world.asked("LookupEvents")) == 2
    half = {name: value for name, value in environ.items() if name != "VOLCENGINE_SECRET_KEY"}
    async with client_of(load_settings(environ=half)) as client:
        assert (await client.call_tool("lookup_events", {})).is_error


async def test_identities_of_both_clouds_answer_together(aws: LiveAws, live: LiveVolcengine) -> None:
    key = live.world.add_key(CN_PROD)
    live.world.accounts[CN_PROD].log("VolcengineOne", moment(timedelta(minutes=5)))
    aws.world.account(BASE).log("AwsOne", moment(timedelta(minutes=6)))
    environ = {
        "AWS_ACCESS_KEY_ID": aws.base.id,
        "VOLCENGINE_ACCESS_KEY": key.id,
        "VOLCENGINE_SECRET_KEY": key.secret,
        "VOLCENGINE_ENDPOINT": live.url,
        "CROSSTRAIL_LAKE": "no-lake",
    }
    async with client_of(load_settings(environ=environ)) as client:
        both = text_of(await client.call_tool("lookup_events", {}))
        assert "VolcengineOne" in both
        assert "AwsOne" in both
        live.world.fail("code", text="SignatureDoesNotMatch: no", times=-1, status=403)
        live.world.keys[key.id].secret = "another"
    async with client_of(load_settings(environ=environ)) as client:
        one = text_of(await client.call_tool("lookup_events", {}))
    assert "AwsOne" in one, "one cloud's failure is not the other's"


# --- an expired sign-in


@pytest.mark.parametrize("ambient", [True, False])
async def test_an_expired_sso_sign_in_names_profile_and_command(
    fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch, ambient: bool
) -> None:
    start = "https://example.awsapps.com/start"
    write_aws_config(
        f"[profile dev]\nsso_start_url = {start}\nsso_region = us-east-1\nsso_account_id = {DEV}\nsso_role_name = Audit\n"
    )
    token = Path.home() / ".aws" / "sso" / "cache" / f"{hashlib.sha1(start.encode()).hexdigest()}.json"  # noqa: S324
    token.parent.mkdir(parents=True)
    token.write_text(
        json.dumps({"startUrl": start, "region": "us-east-1", "accessToken": "x", "expiresAt": "2020-01-01T00:00:00Z"})
    )
    if ambient:
        monkeypatch.setenv("AWS_PROFILE", "dev")
        settings = load_settings(flags={"lake.path": "no-lake"})
    else:
        accounts = [{"id": DEV, "alias": "dev", "auth": {"type": "profile", "profile": "dev"}}]
        settings = load_settings(str(write_config(Path.home(), accounts=accounts, lake={"path": "no-lake"})))
    async with client_of(settings) as client:
        result = await client.call_tool("lookup_events", {})
    assert result.is_error
    assert "aws sso login --profile dev" in text_of(result)


# --- pages in a browser that bring keys


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeVolcengine, Server]]:
    with FakeVolcengine() as fake:
        config = write_config(
            tmp_path_factory.mktemp("cors"),
            serve={"auth": "token", "allowed_origins": [PAGE]},
            volcengine={"endpoint": fake.url},
            lake={"path": "lake"},
        )
        with serving(config) as made:
            yield fake, made


def _preflight(server: Server, origin: str, headers: str) -> httpx2.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": headers,
    }
    return httpx2.options(f"{server.url}/mcp", headers=asked, timeout=PATIENCE)


def test_a_page_of_an_allowed_origin_may_bring_keys(browsers: tuple[FakeVolcengine, Server]) -> None:
    fake, server = browsers
    wanted = "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name,mcp-session-id,x-mcp-toolsets"
    before = _preflight(server, PAGE, wanted)
    assert before.status_code == 200
    assert before.headers["Access-Control-Allow-Origin"] == PAGE
    assert "access-control-allow-credentials" not in before.headers
    headers = {**JSON, **bearer(fake.world.add_key(CN_PROD)), "Origin": PAGE}
    told = httpx2.post(f"{server.url}/mcp", json=INITIALIZE, headers=headers, timeout=PATIENCE)
    assert told.status_code == 200
    assert told.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Mcp-Session-Id" in told.headers["Access-Control-Expose-Headers"]
    refused = httpx2.post(f"{server.url}/mcp", json=INITIALIZE, headers={**JSON, "Origin": PAGE}, timeout=PATIENCE)
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == PAGE, "else the page cannot read why"
    assert "WWW-Authenticate" in refused.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", f"{PAGE}.evil.example", "null", f"{PAGE}:8443"])
def test_a_page_of_another_origin_may_not(browsers: tuple[FakeVolcengine, Server], origin: str) -> None:
    fake, server = browsers
    assert _preflight(server, origin, "authorization").status_code == 403
    headers = {**JSON, **bearer(fake.world.add_key(CN_PROD)), "Origin": origin}
    refused = httpx2.post(f"{server.url}/mcp", json=INITIALIZE, headers=headers, timeout=PATIENCE)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
