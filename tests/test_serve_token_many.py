"""Many callers with keys of their own at one server, `crosstrail serve` or `mcp-server-cloud-trail`: no answer holds another's event, no stream speaks for two."""

from __future__ import annotations

import random
import uuid
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
from lake_workspace import text_of
from listed_accounts import moment
from live_volcengine import CN_DEV, CN_PROD
from running_server import (
    INITIALIZE,
    INITIALIZED,
    PATIENCE,
    Server,
    client_over_http,
    client_over_sse,
    open_stream,
)
from volcengine_server import CROSSTRAIL, PROGRAMS, Program, bearer, caller, token

pytestmark = pytest.mark.anyio
_CALLERS = 200


@pytest.fixture
def fake() -> Iterator[FakeVolcengine]:
    with FakeVolcengine() as made:
        yield made


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> Program:
    found: Program = request.param
    return found


@pytest.fixture
def server(program: Program, fake: FakeVolcengine, tmp_path: Path) -> Iterator[Server]:
    """It has keys of its own too: they must never be used."""
    own = fake.world.add_key("2188888888")
    environ = {"VOLCENGINE_ACCESS_KEY": own.id, "VOLCENGINE_SECRET_KEY": own.secret}
    with program.for_keys(tmp_path, {"VOLCENGINE_ENDPOINT": fake.url, **environ}) as made:
        yield made


async def test_no_answer_holds_another_callers_event(fake: FakeVolcengine, server: Server, program: Program) -> None:
    """Half over SSE, half over HTTP, all open together, their calls interleaved, new and known callers at once."""
    fake.world.delay = 0.05
    callers = [caller(fake, str(2_100_000_000 + number)) for number in range(_CALLERS)]
    events = [event for _, event in callers]
    source = random.Random(7)  # noqa: S311
    wrong: list[str] = []

    async def call(client: Client, event: str) -> None:
        text = text_of(await client.call_tool(program.lookup, source.choice(program.lookups)))
        if (found := [one for one in events if one in text]) != [event]:
            wrong.append(f"{found} instead of {event}")

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


async def test_two_users_of_one_account_are_asked_for_with_their_own_keys(
    fake: FakeVolcengine, server: Server, program: Program
) -> None:
    keys = [fake.world.add_key(CN_PROD, user) for user in ("alice", "bob")]
    event = fake.world.account(CN_PROD).log("GetUser", moment())
    async with (
        client_over_http(server.url, token(keys[0])) as alice,
        client_over_http(server.url, token(keys[1])) as bob,
    ):
        for client in (alice, bob, alice, bob):
            assert event in text_of(await client.call_tool(program.lookup, {}))
    signed = [request.access_key_id for request in fake.world.requests if request.action == "LookupEvents"]
    assert signed == [key.id for key in (*keys, *keys)]
    names = [record["principal"].rpartition("/")[2] for record in server.records()]
    assert names == ["alice", "bob", "alice", "bob"]


def _other_spellings(address: str) -> list[str]:
    """The same stream, in every way that its transport would understand."""
    place, _, session = address.partition("?session_id=")
    dashed = str(uuid.UUID(session))
    return [
        f"{place}?session_id={dashed}",
        f"{place}?session_id={session.upper()}",
        f"{place}?session_id=%7B{session}%7D",
        f"{place}?session_id=urn:uuid:{dashed}",
        f"{place}?session_id={'0' * 32}&session_id={session}",
        f"{place.rstrip('/')}?session_id={session}",
        f"{place}and/more?session_id={session}",
    ]


async def test_only_the_opener_may_post_to_a_stream(fake: FakeVolcengine, server: Server, program: Program) -> None:
    (one, event), (other, foreign) = caller(fake, CN_PROD), caller(fake, CN_DEV)
    strangers = [
        other,
        Key(one.id, one.secret + "x", CN_PROD, one.identity),
        Key(one.id, one.secret, CN_PROD, one.identity, token="another"),
        fake.world.add_key(CN_PROD, "a-colleague"),
    ]
    async with open_stream(server.url, token(one)) as (http, address, lines):
        for key in strangers:
            for message in (INITIALIZE, program.lookup_message):
                assert (await http.post(address, json=message, headers=bearer(key))).status_code == 403
        assert (await http.post(address, json=program.lookup_message)).status_code == 401
        for again in _other_spellings(address):
            posted = await http.post(again, json=program.lookup_message, headers=bearer(other), follow_redirects=True)
            assert posted.status_code == 403, again
        for message in (INITIALIZE, INITIALIZED, program.lookup_message):
            assert (await http.post(address, json=message, headers=bearer(one))).status_code == 202
        answer = await anext(line async for line in lines if line.startswith("data: ") and '"id":2' in line)
    assert event in answer
    assert foreign not in answer
    assert {request.account for request in fake.world.requests} == {CN_PROD}
    refused = [record["status"] for record in server.records() if record["kind"] == "refused"]
    assert refused == [403] * 2 * len(strangers) + [401] + [403] * 7


@pytest.mark.parametrize("program", [CROSSTRAIL], ids=["crosstrail serve"], indirect=True)
def test_the_check_of_a_deployment_passes(crosstrail: CommandLine, fake: FakeVolcengine, server: Server) -> None:
    key, _ = caller(fake, CN_PROD)
    sent = token(key)
    tools = "list_accounts,lookup_events,describe_trails"
    options = ["--bearer", "-", "--accounts", CN_PROD, "--expect", tools]
    done = crosstrail("check", "--within", "120", f"{server.url}/mcp", *options, stdin=sent)
    assert done.returncode == 0, done.stdout
    assert "fail" not in done.stdout


async def test_a_header_holds_for_its_own_request_alone(fake: FakeVolcengine, server: Server, program: Program) -> None:
    """On one connection, and in a session that a client claims to have."""
    key, event = caller(fake, CN_PROD)
    async with client_over_http(server.url, token(key)) as client:
        assert event in text_of(await client.call_tool(program.lookup, {}))
    async with httpx2.AsyncClient(headers={"Accept": "application/json"}, timeout=PATIENCE) as http:
        first = await http.post(f"{server.url}/mcp", json=program.lookup_message, headers=bearer(key))
        later = await http.post(
            f"{server.url}/mcp", json=program.lookup_message, headers={"Mcp-Session-Id": "the-same"}
        )
    assert event in first.text
    assert later.status_code == 401
