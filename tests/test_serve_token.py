"""`auth: token`: whose request it is, what the caller's own keys open, and that nothing else is there for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp_types import PromptReference

from conftest import CommandLine
from crosstrail.server.tools import TOOLSET_OF
from fakes.volcengine import FakeVolcengine, Key
from lake_estate import NOON, PROD, collect, facts_of, record, rows_of, text_of, write_logs
from listed_accounts import moment
from live_volcengine import CN_DEV, CN_PROD
from ports import free_port
from serving import (
    JSON,
    LIST_TOOLS,
    PATIENCE,
    Server,
    client_over_http,
    client_over_sse,
    health,
    post,
    serving,
    write_config,
)
from volcengine_server import bearer, token

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


def caller(fake: FakeVolcengine, account: str, **event: Any) -> tuple[Key, str]:
    """A new key, and the id of a new event of its account."""
    return fake.world.add_key(account), fake.world.account(account).log("GetUser", moment(), **event)


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


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "is missing"),
        (["Basic dXNlcjpwYXNz"], "not of the form"),
        (["Bearer ???"], "not base64"),
        (["Bearer e30="], "lacks AccessKeyId and SecretAccessKey"),
        (["Bearer " + "A" * 20_000], "too long"),
    ],
)
def test_without_keys_there_is_a_401_with_its_reason(server: Server, headers: list[str], reason: str) -> None:
    sent = [*JSON.items(), *(("Authorization", header) for header in headers)]
    for path in ("/mcp", "/messages/?session_id=" + "0" * 32, "/ping/", "/nothing"):
        answer = httpx2.post(server.url + path, json=LIST_TOOLS, headers=sent, timeout=PATIENCE)
        assert answer.status_code == 401, path
        assert reason in answer.json()["error_description"]
        assert "resource_metadata" not in answer.headers["WWW-Authenticate"]
    assert server.records()[-1]["kind"] == "refused"
    assert server.records()[-1]["status"] == 401


def test_two_headers_are_none(fake: FakeVolcengine, server: Server) -> None:
    sent = [
        *JSON.items(),
        *(("Authorization", bearer(caller(fake, one)[0])["Authorization"]) for one in (CN_PROD, CN_DEV)),
    ]
    answer = httpx2.post(f"{server.url}/mcp", json=LIST_TOOLS, headers=sent, timeout=PATIENCE)
    assert (answer.status_code, fake.world.requests) == (400, [])
    assert answer.json() == {"error": "a request has one Authorization header"}


def test_probes_need_no_keys_and_get_none(fake: FakeVolcengine, server: Server) -> None:
    assert httpx2.get(f"{server.url}/ping", timeout=PATIENCE).json()["status"] == "Healthy"
    assert health(server.url, identity="ok").json() == {"status": "ok", "checks": {"identity": "ok"}}
    assert {request.access_key_id for request in fake.world.requests} <= {""}


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


async def test_a_key_with_another_secret_opens_nothing(fake: FakeVolcengine, server: Server) -> None:
    """Its id alone is no secret: whoever knows it must not get what was learned for its owner."""
    key, event = caller(fake, CN_PROD)
    guessed = Key(key.id, key.secret + "x", CN_PROD, key.identity)
    with_token = Key(key.id, key.secret, CN_PROD, key.identity, token="made-up")
    async with client_over_http(server.url, token(key)) as client:
        assert event in text_of(await client.call_tool("lookup_events", {}))
    for wrong in (guessed, with_token):
        async with client_over_http(server.url, token(wrong)) as client:
            for tool in ("list_accounts", "lookup_events", "describe_trails"):
                answer = await client.call_tool(tool, {})
                assert answer.is_error
                assert "the credentials of account of this request's keys" in text_of(answer)
                assert CN_PROD not in text_of(answer)
    fake.world.keys[key.id].secret = "rotated" + key.secret
    async with client_over_http(server.url, token(fake.world.keys[key.id])) as client:
        assert event in text_of(await client.call_tool("lookup_events", {}))


async def test_keys_that_were_taken_back_open_nothing_more(fake: FakeVolcengine, server: Server) -> None:
    fake.world.account(CN_PROD).log("GetUser", moment())
    session = fake.world.add_session(CN_PROD, f"trn:sts::{CN_PROD}:assumed-role/Audit/alice", 3600)
    async with client_over_http(server.url, token(session)) as client:
        assert not (await client.call_tool("lookup_events", {})).is_error
        fake.world.expire_sessions()
        late = await client.call_tool("lookup_events", {})
    assert late.is_error
    assert "InvalidSecretToken" in text_of(late)
    assert "Send keys that are valid in the Authorization header." in text_of(late)


async def test_whoever_may_not_be_told_apart_gets_nothing(fake: FakeVolcengine, server: Server) -> None:
    account = "2100000103"
    key, _ = caller(fake, account)
    fake.world.account(account).denied.add("GetCallerIdentity")
    async with client_over_http(server.url, token(key)) as client:
        answer = await client.call_tool("lookup_events", {})
    assert answer.is_error
    assert "Allow sts:GetCallerIdentity to these keys" in text_of(answer)
    assert [request.action for request in fake.world.requests] == ["GetCallerIdentity"]
    fake.world.account(account).denied.clear()
    fake.world.fail("500", account=account, action="GetCallerIdentity")
    async with client_over_http(server.url, token(key)) as client:  # a failure is not kept, and one may pass unseen
        assert not (await client.call_tool("lookup_events", {})).is_error


@pytest.mark.parametrize("result", ["{}", '{"AccountId":true}', '{"AccountId":"../x"}', '{"AccountId":null,"Trn":3}'])
async def test_an_identity_that_is_none_opens_nothing(server: Server, fake: FakeVolcengine, result: str) -> None:
    key, _ = caller(fake, CN_PROD)
    fake.world.fail("result", action="GetCallerIdentity", text=result)
    async with client_over_http(server.url, token(key)) as client:
        answer = await client.call_tool("lookup_events", {})
    assert answer.is_error
    assert "did not say whose these keys are" in text_of(answer)


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


def test_keys_that_may_be_made_up_bring_small_requests(fake: FakeVolcengine, server: Server) -> None:
    answer = post(server.url, b"{" + b" " * 70_000 + b"}", Authorization=f"Bearer {token(Key('AKLTX', 'x', '', ''))}")
    assert answer.status_code == 413
    assert "65536 bytes" in answer.text


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


async def test_limits_are_each_callers_own(fake: FakeVolcengine, config: Path, tmp_path: Path) -> None:
    keys = [caller(fake, CN_PROD)[0] for _ in range(2)]
    limited = write_config(tmp_path, serve={"auth": "token"}, limits={"calls_per_minute": 2})
    with serving(limited, environ=environ(fake)) as server:
        outcomes = []
        for key in (keys[0], keys[0], keys[0], keys[1]):
            async with client_over_http(server.url, token(key)) as client:
                outcomes.append((await client.call_tool("list_accounts", {})).is_error)
        assert outcomes == [False, False, True, False]
        assert [one["outcome"] for one in server.records()] == ["done", "done", "limited", "done"]


def test_a_rule_in_the_database_contradicts_too(crosstrail: CommandLine, tmp_path: Path) -> None:
    from sqlalchemy import create_engine

    from crosstrail.accounts.database import METADATA
    from crosstrail.accounts.database_rules import ACCESS_RULES

    url = f"sqlite:///{tmp_path}/accounts.db"
    engine = create_engine(url)
    METADATA.create_all(engine)
    ACCESS_RULES.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(ACCESS_RULES.insert().values(who="*", accounts="*", may_write=False))
    engine.dispose()
    config = write_config(tmp_path, database={"url": url}, serve={"auth": "token", "transport": "http", "port": 0})
    done = crosstrail("serve", "--config", config)
    assert done.returncode == 1
    assert "access rules mean nothing with auth token" in done.stderr
