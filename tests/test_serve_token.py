"""`auth: token`: whose request it is, what the caller's own keys open, and that nothing else is there for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp_types import PromptReference

from conftest import CommandLine
from crosstrail.server.tools import TOOLSET_OF
from fakes.volcengine import FakeVolcengine, Key
from lake_workspace import NOON, PROD, collect, facts_of, record, rows_of, text_of, write_logs
from live_volcengine import CN_PROD
from ports import free_port
from running_server import (
    LIST_TOOLS,
    Server,
    client_over_http,
    client_over_sse,
    post,
    serving,
    write_config,
)
from volcengine_server import caller, token

pytestmark = pytest.mark.anyio
LISTED, OWN, OTHER, ABSENT = "2177777777", "2188888888", "2155555555", "2166666666"
"""In the configuration, of the environment's keys, another caller's, nobody's."""
QUERY_TOOLS = {name for name, toolset in TOOLSET_OF.items() if toolset == "query"}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeVolcengine]:
    with FakeVolcengine() as made:
        yield made


@pytest.fixture(autouse=True)
def _well(fake: FakeVolcengine) -> None:
    fake.world.faults.clear()
    fake.world.requests.clear()


@pytest.fixture(scope="module")
def config(fake: FakeVolcengine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server with a lake, listed accounts and keys of its own: none of them is there for who brings keys."""
    folder = tmp_path_factory.mktemp("token")
    write_logs(folder / "logs", [record(PROD, number, NOON) for number in range(3)])
    collect(folder / "logs", folder / "lake")
    key = fake.world.add_key(LISTED)
    keys = {"type": "keys", "access_key_id": key.id, "secret_access_key": key.secret}
    return write_config(
        folder,
        accounts=[
            {"id": PROD, "alias": "prod", "archive": "logs", "default": True},
            {"id": LISTED, "alias": "cn-listed", "cloud": "volcengine", "auth": keys},
        ],
        lake={"path": "lake"},
        serve={"auth": "token"},
    )


def environ(fake: FakeVolcengine) -> dict[str, str]:
    own = fake.world.add_key(OWN)
    return {
        "VOLCENGINE_ENDPOINT": fake.url,
        "VOLCENGINE_ACCESS_KEY": own.id,
        "VOLCENGINE_SECRET_KEY": own.secret,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "never-to-be-used",
    }


@pytest.fixture(scope="module")
def server(fake: FakeVolcengine, config: Path) -> Iterator[Server]:
    with serving(config, "--transport", "sse", environ=environ(fake)) as made:
        yield made


def calls_of(server: Server) -> list[dict[str, Any]]:
    return [one for one in server.records() if one["kind"] == "call"]


@pytest.mark.parametrize(
    ("values", "arguments", "said"),
    [
        ({}, ["--host", "0.0.0.0"], "keys would cross the network readable to all"),
        ({}, ["--host", "0.0.0.0", "--behind-proxy"], "names that clients may call"),
        ({"access": [{"who": ["*"], "accounts": ["*"]}]}, [], "access rules mean nothing with auth token"),
        ({"serve": {"allow_any": True}}, [], "allow_any means nothing with auth token"),
        ({}, ["--toolsets", "events,query"], "no lake to query"),
        ({}, ["--tools", "lake_query"], "no lake to query"),
        ({"volcengine": {"endpoint": "ftp://x"}}, [], "not an address"),
        ({}, ["--transport", "stdio"], "auth token needs HTTP"),
    ],
)
def test_what_contradicts_does_not_start(
    crosstrail: CommandLine, tmp_path: Path, values: dict[str, Any], arguments: list[str], said: str
) -> None:
    config = write_config(tmp_path, **values)
    started = ["--config", config, "--auth", "token", "--transport", "http", "--port", "0", *arguments]
    done = crosstrail("serve", *started)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_wrapped_servers_are_not_for_sent_keys(crosstrail: CommandLine, tmp_path: Path) -> None:
    wrap = {"servers": {"plain": {"command": ["true"]}}}
    config = write_config(tmp_path, wrap=wrap, serve={"auth": "token", "transport": "http", "port": 0})
    done = crosstrail("wrap", "--transport", "http", "--config", config)
    assert done.returncode == 1
    assert "auth token is for `crosstrail serve`" in done.stderr


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_one_account_is_that_of_the_keys(fake: FakeVolcengine, server: Server, mode: str) -> None:
    key, event = caller(fake, CN_PROD)
    async with client_over_http(server.url, token(key), mode) as client:
        listed = await client.call_tool("list_accounts", {})
        assert text_of(listed).startswith("1 account;")
        assert f"\n{CN_PROD}," in text_of(listed)
        for name in ("", CN_PROD, "*", "21*", f" {CN_PROD} "):
            found = await client.call_tool("lookup_events", {"target_account_id": name})
            assert event in text_of(found), name
    assert {request.account for request in fake.world.requests} == {CN_PROD}
    assert {request.access_key_id for request in fake.world.requests} == {key.id}


async def test_no_other_account_exists(fake: FakeVolcengine, server: Server) -> None:
    """Listed, held by the lake, another caller's, the server's own or nobody's: the same to the byte."""
    (key, _), (other, _) = caller(fake, CN_PROD), caller(fake, OTHER)
    answers = set()
    async with client_over_http(server.url, token(other)) as client:
        await client.call_tool("list_accounts", {})
    async with client_over_http(server.url, token(key)) as client:
        for tool in ("lookup_events", "describe_trails"):
            for name in (PROD, "prod", LISTED, "cn-listed", OTHER, OWN, ABSENT, "cn-*"):
                answer = await client.call_tool(tool, {"target_account_id": name})
                assert answer.is_error
                answers.add(text_of(answer).replace(repr(name), "NAME"))
        absent = await client.call_tool("list_accounts", {"selector": LISTED})
        answers.add(text_of(absent).replace(repr(LISTED), "NAME"))
        account = PromptReference(type="ref/prompt", name="first_look")
        completed = await client.complete(account, {"name": "account", "value": ""})
        assert completed.completion.values == [CN_PROD]
    assert len(answers) == 1
    assert "no account matches NAME" in answers.pop()
    assert {request.account for request in fake.world.requests} == {CN_PROD, OTHER}


async def test_there_is_no_lake(fake: FakeVolcengine, server: Server) -> None:
    key, _ = caller(fake, CN_PROD)
    async with client_over_http(server.url, token(key)) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "lookup_events",
            "list_accounts",
            "describe_trails",
        }
        assert "lake_query" not in (client.instructions or "")
        for tool in QUERY_TOOLS:
            arguments = {"sql": "SELECT count(*) FROM events", "query_id": "lake:*:-:x"}
            answer = await client.call_tool(tool, arguments)
            assert answer.is_error
            assert text_of(answer).startswith(f"there is no tool '{tool}'")


async def test_trails_are_described_and_created_where_writes_are_allowed(
    fake: FakeVolcengine, config: Path, tmp_path: Path, server: Server
) -> None:
    key, _ = caller(fake, CN_PROD)
    fake.world.account(CN_PROD).add_trail("audit")
    wanted = {"name": "mine", "s3_bucket_name": "logs", "target_account_id": CN_PROD}
    async with client_over_http(server.url, token(key)) as client:
        assert "audit" in text_of(await client.call_tool("describe_trails", {}))
        assert "there is no tool" in text_of(await client.call_tool("create_trail", wanted))
    with serving(config, "--allow-writes", environ=environ(fake)) as writing:
        async with client_over_http(writing.url, token(key), **{"X-MCP-Readonly": "true"}) as client:
            assert "there is no tool" in text_of(await client.call_tool("create_trail", wanted))
        async with client_over_http(writing.url, token(key)) as client:
            refused = await client.call_tool("create_trail", {**wanted, "target_account_id": LISTED})
            assert "no account matches" in text_of(refused)
            made = await client.call_tool("create_trail", wanted)
    assert "the trail was created" in text_of(made)
    assert "mine" in fake.world.account(CN_PROD).trails
    assert not fake.world.account(LISTED).trails


async def test_a_page_token_of_another_account_is_refused(fake: FakeVolcengine, server: Server) -> None:
    one, other = "2100000101", "2100000102"
    keys = [caller(fake, account)[0] for account in (one, one, other, other)]
    asked = {"max_results": 1}
    async with client_over_http(server.url, token(keys[0])) as client:
        first = await client.call_tool("lookup_events", asked)
    page = {"next_token": facts_of(first)["next_token"]}
    async with client_over_http(server.url, token(keys[2])) as client:
        stolen = await client.call_tool("lookup_events", page)
        assert stolen.is_error
        assert "the accounts that this next_token covers have changed" in text_of(stolen)
    async with client_over_http(server.url, token(keys[1])) as client:  # a colleague's keys, of the same account
        second = await client.call_tool("lookup_events", page)
    assert rows_of(second)
    assert rows_of(second) != rows_of(first)


async def test_the_record_names_who_and_which_account_and_no_secret(fake: FakeVolcengine, server: Server) -> None:
    key, event = caller(fake, CN_PROD)
    stranger = Key("this-is-my-secret-by-mistake", "AKLT" + "0" * 32, CN_PROD, "")
    async with client_over_http(server.url, token(key)) as client:
        await client.call_tool("lookup_events", {"target_account_id": ABSENT})
        await client.call_tool("lookup_events", {"target_account_id": CN_PROD})
    async with client_over_http(server.url, token(stranger)) as client:
        prompt = PromptReference(type="ref/prompt", name="first_look")
        assert (await client.complete(prompt, {"name": "account", "value": ""})).completion.values == []
        await client.call_tool("lookup_events", {})
    absent, found, strange = calls_of(server)[-3:]
    assert {absent["principal"], found["principal"]} == {f"trn:iam::{CN_PROD}:user/auditor"}
    assert (absent["accounts"], found["accounts"]) == ([], [CN_PROD])
    assert (absent["outcome"], found["outcome"], strange["outcome"]) == ("failed", "done", "failed")
    assert [one["action"] for one in absent["upstream"]] == ["sts:GetCallerIdentity"]
    assert all(len(one["id"]) == 32 for one in [*absent["upstream"], *found["upstream"]])
    assert strange["principal"] == "unknown key"
    post(server.url, LIST_TOOLS, Authorization=f"Bearer {token(key)}", Host="evil.example")
    said = server.audit.read_text() + "".join(server.lines)
    for secret in (key.secret, key.id, token(key)[:40], stranger.id, stranger.secret, event):
        assert secret not in said
    assert "Traceback" not in said


async def test_workers_serve_them_too(fake: FakeVolcengine, config: Path) -> None:
    callers = [caller(fake, str(2_100_000_300 + number)) for number in range(4)]
    workers = ("--workers", "2", "--port", str(free_port()))
    with serving(config, *workers, "--audit", "stderr", environ=environ(fake)) as server:
        for key, event in [*callers, *callers]:
            async with client_over_http(server.url, token(key)) as client:
                found = rows_of(await client.call_tool("lookup_events", {}))
                assert [event in row for row in found] == [True]


async def test_not_even_a_debug_log_holds_a_secret(fake: FakeVolcengine, config: Path) -> None:
    key, _ = caller(fake, CN_PROD)
    session = fake.world.add_session(CN_PROD, f"trn:sts::{CN_PROD}:assumed-role/Audit/alice", 3600)
    debug = {**environ(fake), "CROSSTRAIL_LOG_LEVEL": "debug"}
    with serving(config, "--transport", "sse", environ=debug) as server:
        for one in (key, session, Key(key.id, "a-wrong-secret", CN_PROD, "")):
            async with client_over_sse(server.url, token(one)) as client:
                await client.call_tool("lookup_events", {})
            async with client_over_http(server.url, token(one)) as client:
                await client.call_tool("describe_trails", {})
    said = "".join(server.lines)
    assert "DEBUG" in said
    for secret in (key.secret, session.secret, session.token, "a-wrong-secret", token(key)[:40], token(session)[:40]):
        assert secret not in said


def test_a_rule_in_the_database_contradicts_too(crosstrail: CommandLine, tmp_path: Path) -> None:
    from sqlalchemy import create_engine

    from crosstrail.accounts.database import account_tables
    from crosstrail.accounts.database_rules import ACCESS_RULES

    url = f"sqlite:///{tmp_path}/accounts.db"
    engine = create_engine(url)
    account_tables()["aws"].metadata.create_all(engine)
    ACCESS_RULES.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(ACCESS_RULES.insert().values(who="*", accounts="*", may_write=False))
    engine.dispose()
    config = write_config(tmp_path, database={"url": url}, serve={"auth": "token", "transport": "http", "port": 0})
    done = crosstrail("serve", "--config", config)
    assert done.returncode == 1
    assert "access rules mean nothing with auth token" in done.stderr
