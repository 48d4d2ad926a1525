"""Credentials in each request's header: who is let in, whose keys are used, and that no answer goes to another."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import anyio
import httpx2
import pytest

from fakes.volcengine import FakeVolcengine, Key
from listed_accounts import moment
from live_volcengine import CN_DEV, CN_PROD
from running_server import INITIALIZE, PATIENCE, Server, client_over_http, client_over_sse
from volcengine_server import bearer, caller, json_of, served, token

_LOOKUP: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "LookupEvents", "arguments": {}},
}
_ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def fake() -> Iterator[FakeVolcengine]:
    with FakeVolcengine() as made:
        yield made


@pytest.fixture
def server(fake: FakeVolcengine) -> Iterator[Server]:
    """It has keys of its own in the environment too: they must never be used."""
    own = fake.world.add_key("2188888888")
    environ = {
        "VOLCENGINE_CREDENTIAL_TYPE": "token",
        "VOLCENGINE_ENDPOINT": fake.url,
        "VOLCENGINE_ACCESS_KEY": own.id,
        "VOLCENGINE_SECRET_KEY": own.secret,
    }
    with served(environ) as made:
        yield made


def _encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "missing"),
        ("Basic dXNlcjpwYXNz", "Bearer"),
        ("Bearer", "Bearer"),
        ("Bearer ???", "not base64"),
        ("Bearer " + base64.b64encode(b"{not json").decode(), "JSON"),
        ("Bearer " + base64.b64encode(b"\xff\xfe").decode(), "JSON"),
        ("Bearer " + _encoded(["AKLT", "secret"]), "JSON object"),
        ("Bearer " + _encoded({"SecretAccessKey": "swordfish", "SessionToken": ""}), "AccessKeyId"),
        ("Bearer " + _encoded({"AccessKeyId": "AKLTX", "SessionToken": ""}), "SecretAccessKey"),
        ("Bearer " + _encoded({"AccessKeyId": "", "SecretAccessKey": "swordfish"}), "AccessKeyId"),
        ("Bearer " + _encoded({"AccessKeyId": "AKLTX", "SecretAccessKey": {"a": 1}}), "SecretAccessKey"),
        ("Bearer " + _encoded({"AccessKeyId": "AKLTX", "SecretAccessKey": "sword\r\nfish"}), "SecretAccessKey"),
        ("Bearer " + "A" * 20_000, "too long"),
    ],
)
def test_a_header_that_is_none_is_401_with_a_reason(server: Server, header: str, reason: str) -> None:
    headers = {**_ACCEPT, **({"Authorization": header} if header else {})}
    for method, path in (("POST", "/mcp"), ("GET", "/sse"), ("POST", "/messages/?session_id=" + "0" * 32)):
        message = INITIALIZE if method == "POST" else None
        answer = httpx2.request(method, server.url + path, headers=headers, json=message, timeout=PATIENCE)
        assert answer.status_code == 401, path
        assert reason in answer.json()["error_description"]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert "sword" not in answer.text


@pytest.mark.parametrize("alphabet", ["standard", "url-safe", "unpadded", "no session token"])
def test_usual_forms_of_base64_are_taken(fake: FakeVolcengine, server: Server, alphabet: str) -> None:
    key, event = caller(fake, CN_PROD)
    key.secret = "???>>>~~" + key.secret  # makes + and / in base64
    values = {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": ""}
    if alphabet == "no session token":
        del values["SessionToken"]
    text = _encoded(values)
    if alphabet == "url-safe":
        text = text.translate(str.maketrans("+/", "-_"))
    elif alphabet == "unpadded":
        text = text.rstrip("=")

    async def ask() -> Any:
        async with client_over_http(server.url, Authorization=f"bearer {text}") as client:
            return json_of(await client.call_tool("LookupEvents", {}))

    assert [one["EventID"] for one in anyio.run(ask)["Trails"]] == [event]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_keys_of_the_request_are_used_and_no_others(fake: FakeVolcengine, server: Server, mode: str) -> None:
    (one, event), (other, foreign) = caller(fake, CN_PROD), caller(fake, CN_DEV)

    async def ask(key: Key) -> Any:
        async with client_over_http(server.url, token(key), mode) as client:
            return json_of(await client.call_tool("LookupEvents", {}))["Trails"][0]["EventID"]

    assert anyio.run(ask, one) == event
    assert anyio.run(ask, other) == foreign
    assert {request.account for request in fake.world.requests} == {CN_PROD, CN_DEV}


def test_temporary_keys_carry_their_token_and_wrong_ones_are_refused_upstream(
    fake: FakeVolcengine, server: Server
) -> None:
    fake.world.account(CN_PROD).log("GetUser", moment())
    session = fake.world.add_session(CN_PROD, "trn:sts::x", 3600)

    async def ask() -> tuple[Any, Any]:
        async with client_over_sse(server.url, token(session)) as client:
            good = await client.call_tool("LookupEvents", {})
            fake.world.expire_sessions()
            return good, await client.call_tool("LookupEvents", {})

    good, bad = anyio.run(ask)
    assert len(json_of(good)["Trails"]) == 1
    assert bad.is_error
    assert "InvalidSecretToken" in bad.content[0].text


def test_a_stream_that_is_not_there_is_404(fake: FakeVolcengine, server: Server) -> None:
    key, _ = caller(fake, CN_PROD)
    answer = httpx2.post(
        f"{server.url}/messages/?session_id={'0' * 32}", json=_LOOKUP, headers=bearer(key), timeout=PATIENCE
    )
    assert answer.status_code == 404


def test_nothing_of_a_header_is_written_anywhere(fake: FakeVolcengine) -> None:
    key, _ = caller(fake, CN_PROD)
    header = token(key)
    with served({"VOLCENGINE_CREDENTIAL_TYPE": "token", "VOLCENGINE_ENDPOINT": fake.url}) as server:

        async def ask() -> None:
            async with client_over_http(server.url, token(key)) as client:
                await client.call_tool("LookupEvents", {})
            fake.world.fail("code", text="SignatureDoesNotMatch: no", times=-1)
            async with client_over_sse(server.url, token(key)) as client:
                assert (await client.call_tool("LookupEvents", {})).is_error
            async with httpx2.AsyncClient(timeout=PATIENCE) as http:
                await http.post(f"{server.url}/messages/?session_id=x", content=b"{", headers=bearer(key))

        anyio.run(ask)
    said = "".join(server.lines)
    assert key.secret not in said
    assert key.id not in said
    assert header[:40] not in said


def test_a_foreign_host_name_is_refused_on_loopback(fake: FakeVolcengine, server: Server) -> None:
    key, _ = caller(fake, CN_PROD)
    headers = {**bearer(key), **_ACCEPT, "Host": "evil.example"}
    assert httpx2.post(f"{server.url}/mcp", json=INITIALIZE, headers=headers, timeout=PATIENCE).status_code == 421


def test_what_strangers_send_is_bounded(server: Server) -> None:
    made_up = _encoded({"AccessKeyId": "AKLTmadeup00", "SecretAccessKey": "x"})
    headers = {**_ACCEPT, "Content-Type": "application/json", "Authorization": f"Bearer {made_up}"}

    def endless() -> Iterator[bytes]:
        for _ in range(10):
            yield b" " * 50_000

    for content in (b" " * 100_000, endless()):
        answer = httpx2.post(f"{server.url}/mcp", content=content, headers=headers, timeout=PATIENCE)
        assert answer.status_code == 413
    twice = [*headers.items(), ("Authorization", "Bearer other")]
    assert httpx2.post(f"{server.url}/mcp", json=INITIALIZE, headers=twice, timeout=PATIENCE).status_code == 400
