"""Callers who bring keys of their own, at both servers that let them: who is let in, what wrong keys open, and what strangers
with made-up keys may use up.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2
import pytest

from fakes.volcengine import FakeVolcengine, Key
from lake_workspace import text_of
from listed_accounts import moment
from live_volcengine import CN_DEV, CN_PROD
from running_server import JSON, LIST_TOOLS, PATIENCE, Server, client_over_http, health, post
from volcengine_server import PROGRAMS, Program, bearer, caller, token

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeVolcengine]:
    with FakeVolcengine() as made:
        yield made


@pytest.fixture(autouse=True)
def _well(fake: FakeVolcengine) -> Iterator[None]:
    fake.world.faults.clear()
    fake.world.requests.clear()
    yield
    fake.world.delay = 0


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> Program:
    found: Program = request.param
    return found


@pytest.fixture(scope="module")
def environ(fake: FakeVolcengine) -> dict[str, str]:
    """The server has keys of its own too: they must never be used."""
    own = fake.world.add_key("2188888888")
    return {
        "VOLCENGINE_ENDPOINT": fake.url,
        "VOLCENGINE_ACCESS_KEY": own.id,
        "VOLCENGINE_SECRET_KEY": own.secret,
    }


@pytest.fixture(scope="module")
def server(program: Program, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with program.for_keys(tmp_path_factory.mktemp("keys"), environ) as made:
        yield made


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


async def test_a_key_with_another_secret_opens_nothing(fake: FakeVolcengine, server: Server, program: Program) -> None:
    """Its id alone is no secret: whoever knows it must not get what was learned for its owner."""
    key, event = caller(fake, CN_PROD)
    guessed = Key(key.id, key.secret + "x", CN_PROD, key.identity)
    with_token = Key(key.id, key.secret, CN_PROD, key.identity, token="made-up")
    async with client_over_http(server.url, token(key)) as client:
        assert event in text_of(await client.call_tool(program.lookup, {}))
    for wrong in (guessed, with_token):
        async with client_over_http(server.url, token(wrong)) as client:
            for tool, arguments in program.reads:
                answer = await client.call_tool(tool, dict(arguments))
                assert answer.is_error
                assert "the credentials of account of this request's keys" in text_of(answer)
                assert CN_PROD not in text_of(answer)
    fake.world.keys[key.id].secret = "rotated" + key.secret
    async with client_over_http(server.url, token(fake.world.keys[key.id])) as client:
        assert event in text_of(await client.call_tool(program.lookup, {}))


async def test_keys_that_were_taken_back_open_nothing_more(
    fake: FakeVolcengine, server: Server, program: Program
) -> None:
    fake.world.account(CN_PROD).log("GetUser", moment())
    session = fake.world.add_session(CN_PROD, f"trn:sts::{CN_PROD}:assumed-role/Audit/alice", 3600)
    async with client_over_http(server.url, token(session)) as client:
        assert not (await client.call_tool(program.lookup, {})).is_error
        fake.world.expire_sessions()
        late = await client.call_tool(program.lookup, {})
    assert late.is_error
    assert "InvalidSecretToken" in text_of(late)
    assert "Send keys that are valid in the Authorization header." in text_of(late)


async def test_whoever_may_not_be_told_apart_gets_nothing(
    fake: FakeVolcengine, server: Server, program: Program
) -> None:
    account = "2100000103"
    key, _ = caller(fake, account)
    fake.world.account(account).denied.add("GetCallerIdentity")
    async with client_over_http(server.url, token(key)) as client:
        answer = await client.call_tool(program.lookup, {})
    assert answer.is_error
    assert "Allow sts:GetCallerIdentity to these keys" in text_of(answer)
    assert [request.action for request in fake.world.requests] == ["GetCallerIdentity"]
    fake.world.account(account).denied.clear()
    fake.world.fail("500", account=account, action="GetCallerIdentity")
    async with client_over_http(server.url, token(key)) as client:  # a failure is not kept, and one may pass unseen
        assert not (await client.call_tool(program.lookup, {})).is_error


@pytest.mark.parametrize("result", ["{}", '{"AccountId":true}', '{"AccountId":"../x"}', '{"AccountId":null,"Trn":3}'])
async def test_an_identity_that_is_none_opens_nothing(
    server: Server, fake: FakeVolcengine, program: Program, result: str
) -> None:
    key, _ = caller(fake, CN_PROD)
    fake.world.fail("result", action="GetCallerIdentity", text=result)
    async with client_over_http(server.url, token(key)) as client:
        answer = await client.call_tool(program.lookup, {})
    assert answer.is_error
    assert "did not say whose these keys are" in text_of(answer)


def test_keys_that_may_be_made_up_bring_small_requests(fake: FakeVolcengine, server: Server) -> None:
    answer = post(server.url, b"{" + b" " * 70_000 + b"}", Authorization=f"Bearer {token(Key('AKLTX', 'x', '', ''))}")
    assert answer.status_code == 413
    assert "65536 bytes" in answer.text


async def test_limits_are_each_callers_own(
    fake: FakeVolcengine, environ: dict[str, str], program: Program, tmp_path: Path
) -> None:
    keys = [caller(fake, CN_PROD)[0] for _ in range(2)]
    with program.for_keys(tmp_path, {**environ, "CROSSTRAIL_CALLS_PER_MINUTE": "2"}) as server:
        outcomes = []
        for key in (keys[0], keys[0], keys[0], keys[1]):
            async with client_over_http(server.url, token(key)) as client:
                outcomes.append((await client.call_tool(program.lookup, {})).is_error)
        assert outcomes == [False, False, True, False]
        assert [one["outcome"] for one in server.records()] == ["done", "done", "limited", "done"]


async def test_the_record_names_the_owner_and_the_account_of_keys(
    fake: FakeVolcengine, server: Server, program: Program
) -> None:
    key, event = caller(fake, CN_PROD)
    stranger = Key("this-is-my-secret-by-mistake", "AKLT" + "0" * 32, CN_PROD, "")
    before = len(server.records())
    for one in (key, stranger):
        async with client_over_http(server.url, token(one)) as client:
            await client.call_tool(program.lookup, {})
    found, strange = (one for one in server.records()[before:] if one["kind"] == "call")
    assert (found["principal"], found["accounts"]) == (f"trn:iam::{CN_PROD}:user/auditor", [CN_PROD])
    assert (strange["principal"], strange["accounts"]) == ("unknown key", [])
    assert [one["action"] for one in found["upstream"]] == ["sts:GetCallerIdentity", "cloud_trail:LookupEvents"]
    assert (found["outcome"], strange["outcome"]) == ("done", "failed")
    said = server.audit.read_text() + "".join(server.lines)
    for secret in (key.secret, key.id, token(key)[:40], stranger.id, stranger.secret, event):
        assert secret not in said


async def test_made_up_keys_ask_nothing_but_whose_they_are(
    fake: FakeVolcengine, server: Server, program: Program
) -> None:
    """And few of them at once, so that who is known does not wait behind them."""
    key, event = caller(fake, CN_PROD)
    answered: list[str] = []
    first = anyio.Event()

    async def ask(http: httpx2.AsyncClient, number: int) -> None:
        made_up = Key(f"AKLT{number:08}", "x", "", "")
        said = await http.post(f"{server.url}/mcp", json=program.lookup_message, headers=bearer(made_up))
        answered.append(said.text)
        first.set()

    async with client_over_http(server.url, token(key)) as client:
        await client.call_tool(program.lookup, {})
        fake.world.requests.clear()
        fake.world.delay = 0.3
        async with (
            httpx2.AsyncClient(headers=JSON, timeout=PATIENCE) as http,
            anyio.create_task_group() as group,
        ):
            for number in range(80):
                group.start_soon(ask, http, number)
            await first.wait()
            assert event in text_of(await client.call_tool(program.lookup, {}))
            assert len(answered) < 80
    asked = {request.action for request in fake.world.requests if request.access_key_id != key.id}
    assert asked == {"GetCallerIdentity"}
    assert len(answered) == 80
    assert all("isError" in text for text in answered)


async def test_strangers_are_turned_away_once_too_many_wait(
    fake: FakeVolcengine, environ: dict[str, str], program: Program, tmp_path: Path
) -> None:
    told = anyio.Event()

    async def ask(http: httpx2.AsyncClient, url: str, number: int) -> None:
        headers = bearer(Key(f"AKLT{number:08}", "x", "", ""))
        answer = await http.post(f"{url}/mcp", json=program.lookup_message, headers=headers)
        if "too many new callers at once" in answer.text:
            told.set()

    fake.world.delay = 3
    with program.for_keys(tmp_path, environ) as server:
        async with (
            httpx2.AsyncClient(headers=JSON, timeout=PATIENCE, limits=httpx2.Limits()) as http,
            anyio.create_task_group() as group,
        ):
            for number in range(1_100):
                group.start_soon(ask, http, server.url, number)
            with anyio.fail_after(PATIENCE):
                await told.wait()
            group.cancel_scope.cancel()
        assert "LimitReached" in {one.get("error") for one in server.records()}
