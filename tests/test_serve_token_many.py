"""Many callers with keys of their own at one server: no answer holds another's event, no stream speaks for two."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client

from conftest import CommandLine
from fakes.volcengine import FakeVolcengine, Key
from lake_estate import rows_of, text_of
from listed_accounts import moment
from live_volcengine import CN_DEV, CN_PROD
from serving import (
    INITIALIZE,
    INITIALIZED,
    PATIENCE,
    Server,
    client_over_http,
    client_over_sse,
    open_stream,
    serving,
    write_config,
)
from volcengine_server import bearer, token

pytestmark = pytest.mark.anyio
_CALLERS = 200
_LOOKUP = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "lookup_events", "arguments": {}}}


@pytest.fixture
def fake() -> Iterator[FakeVolcengine]:
    with FakeVolcengine() as made:
        yield made


@pytest.fixture
def server(fake: FakeVolcengine, tmp_path: Path) -> Iterator[Server]:
    config = write_config(tmp_path, serve={"auth": "token"}, volcengine={"endpoint": fake.url})
    with serving(config, "--transport", "sse") as made:
        yield made


def caller(fake: FakeVolcengine, account: str) -> tuple[Key, str]:
    """A key, and the id of the account's only event."""
    return fake.world.add_key(account), fake.world.account(account).log("GetUser", moment())


async def test_no_answer_holds_another_callers_event(fake: FakeVolcengine, server: Server) -> None:
    """Half over SSE, half over HTTP, all open together, their calls interleaved, new and known callers at once."""
    fake.world.delay = 0.05
    callers = [caller(fake, str(2_100_000_000 + number)) for number in range(_CALLERS)]
    source = random.Random(7)  # noqa: S311
    wrong: list[str] = []

    async def call(client: Client, event: str) -> None:
        rows = rows_of(await client.call_tool("lookup_events", {"target_account_id": source.choice(["", "*"])}))
        if len(rows) != 1 or event not in rows[0]:
            wrong.append(f"{rows} instead of {event}")

    async with AsyncExitStack() as stack:
        clients = []
        for number, (key, event) in enumerate(callers):
            over = client_over_sse if number % 2 else client_over_http
            clients.append((await stack.enter_async_context(over(server.url, token(key))), event))
        for _ in range(3):
            source.shuffle(clients)
            async with anyio.create_task_group() as group:
                for client, event in clients:
                    group.start_soon(call, client, event)
    assert wrong == []
    keys = {key.id: key.account for key, _ in callers}
    assert all(keys[request.access_key_id] == request.account for request in fake.world.requests)
    asked = Counter((request.action, request.account) for request in fake.world.requests)
    assert {(action, count) for (action, _), count in asked.items()} == {("GetCallerIdentity", 1), ("LookupEvents", 3)}
    records = [record for record in server.records() if record["kind"] == "call"]
    assert len(records) == 3 * _CALLERS
    assert all(record["principal"] == f"trn:iam::{record['accounts'][0]}:user/auditor" for record in records)


async def test_two_users_of_one_account_are_asked_for_with_their_own_keys(fake: FakeVolcengine, server: Server) -> None:
    keys = [fake.world.add_key(CN_PROD, user) for user in ("alice", "bob")]
    fake.world.account(CN_PROD).log("GetUser", moment())
    async with (
        client_over_http(server.url, token(keys[0])) as alice,
        client_over_http(server.url, token(keys[1])) as bob,
    ):
        for client in (alice, bob, alice, bob):
            assert "1 event" in text_of(await client.call_tool("lookup_events", {}))
    signed = [request.access_key_id for request in fake.world.requests if request.action == "LookupEvents"]
    assert signed == [key.id for key in (*keys, *keys)]
    names = [record["principal"].rpartition("/")[2] for record in server.records()]
    assert names == ["alice", "bob", "alice", "bob"]


async def test_only_the_opener_may_post_to_a_stream(fake: FakeVolcengine, server: Server) -> None:
    (one, event), (other, foreign) = caller(fake, CN_PROD), caller(fake, CN_DEV)
    strangers = [
        other,
        Key(one.id, one.secret + "x", CN_PROD, one.identity),
        Key(one.id, one.secret, CN_PROD, one.identity, token="another"),
        fake.world.add_key(CN_PROD, "a-colleague"),
    ]
    async with open_stream(server.url, token(one)) as (http, address, lines):
        for key in strangers:
            for message in (INITIALIZE, _LOOKUP):
                assert (await http.post(address, json=message, headers=bearer(key))).status_code == 403
        assert (await http.post(address, json=_LOOKUP)).status_code == 401
        for message in (INITIALIZE, INITIALIZED, _LOOKUP):
            assert (await http.post(address, json=message, headers=bearer(one))).status_code == 202
        answer = await anext(line async for line in lines if line.startswith("data: ") and '"id":2' in line)
    assert event in answer
    assert foreign not in answer
    assert {request.account for request in fake.world.requests} == {CN_PROD}
    refused = [record["status"] for record in server.records() if record["kind"] == "refused"]
    assert refused == [403] * 2 * len(strangers) + [401]


def test_the_check_of_a_deployment_passes(crosstrail: CommandLine, fake: FakeVolcengine, server: Server) -> None:
    key, _ = caller(fake, CN_PROD)
    sent = token(key)
    tools = "list_accounts,lookup_events,describe_trails"
    options = ["--bearer", "-", "--accounts", CN_PROD, "--expect", tools]
    done = crosstrail("check", "--within", "120", f"{server.url}/mcp", *options, stdin=sent)
    assert done.returncode == 0, done.stdout
    assert "fail" not in done.stdout


async def test_a_header_holds_for_its_own_request_alone(fake: FakeVolcengine, server: Server) -> None:
    """On one connection, and in a session that a client claims to have."""
    key, event = caller(fake, CN_PROD)
    async with client_over_http(server.url, token(key)) as client:
        assert event in text_of(await client.call_tool("lookup_events", {}))
    async with httpx2.AsyncClient(headers={"Accept": "application/json"}, timeout=PATIENCE) as http:
        first = await http.post(f"{server.url}/mcp", json=_LOOKUP, headers=bearer(key))
        later = await http.post(f"{server.url}/mcp", json=_LOOKUP, headers={"Mcp-Session-Id": "the-same"})
    assert event in first.text
    assert later.status_code == 401
