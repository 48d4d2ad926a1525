"""Tokens of an identity provider: which are believed, which are not, and what a refused caller is told."""

from __future__ import annotations

import asyncio
import base64
import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2
import jwt
import pytest

from crosstrail.models import Account
from crosstrail.server.auth.jwks import Jwks, ProviderAway
from fakes.http import Answer, HttpFake
from fakes.idp import FakeIdp, SigningKey
from lake_workspace import DEV, NOON, PROD, collect, facts_of, record, rows_of, text_of, write_logs
from running_server import (
    LIST_TOOLS,
    PATIENCE,
    Server,
    client_over_http,
    health,
    open_stream,
    post,
    serving,
    signed,
    write_config,
)

pytestmark = pytest.mark.anyio
RESOURCE = "https://trails.example.com/mcp"
METADATA = "https://trails.example.com/.well-known/oauth-protected-resource/mcp"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jwt")
    write_logs(folder / "logs", [record(account, number, NOON) for account in (PROD, DEV) for number in range(2)])
    collect(folder / "logs", folder / "lake")
    return folder


def configured(folder: Path, **jwt_values: Any) -> Path:
    return write_config(
        folder,
        accounts=[{"id": PROD, "alias": "prod", "archive": "logs"}, {"id": DEV, "alias": "dev", "archive": "logs"}],
        lake={"path": "lake"},
        serve={"auth": "jwt", "public_url": "https://trails.example.com", "allowed_hosts": "127.0.0.1"},
        jwt={"required_scopes": ["audit"], **jwt_values},
        access=[
            {"who": ["alice@example.com"], "accounts": ["prod"]},
            {"who": ["group:dev-team"], "accounts": ["dev"], "toolsets": ["events"]},
            {"who": ["group:dev-admins"], "accounts": ["dev"]},
        ],
    )


@pytest.fixture(scope="module")
def server(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    with serving(configured(folder, issuer=idp.url, jwks_url=idp.jwks_url)) as made:
        yield made


def alice(idp: FakeIdp, **claims: Any) -> str:
    usual = {"email": "alice@example.com", "email_verified": True, "scope": "audit openid"}
    return idp.token(**{**usual, **claims})


def unsigned(**claims: Any) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


async def test_a_good_token_opens_what_its_rules_give(server: Server, idp: FakeIdp) -> None:
    async with client_over_http(server.url, alice(idp)) as client:
        assert "1 account" in text_of(await client.call_tool("list_accounts", {}))
        refused = await client.call_tool("lookup_events", {"target_account_id": "dev"})
        assert "no account matches 'dev'" in text_of(refused)
    async with client_over_http(server.url, idp.token(sub="u-2", scope="audit", groups=["dev-team"])) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"lookup_events", "list_accounts"}
        assert not (await client.call_tool("lookup_events", {"target_account_id": "dev"})).is_error
    assert {one.get("principal") for one in server.records() if one["kind"] == "call"} == {"alice@example.com", "u-2"}


async def test_what_is_anothers_is_refused_and_recorded_however_it_is_named(server: Server, idp: FakeIdp) -> None:
    store = Account(id=DEV).store_id
    async with client_over_http(server.url, idp.token(sub="u-2", scope="audit", groups=["dev-admins"])) as bob:
        page = await bob.call_tool("lookup_events", {"target_account_id": "dev", "max_results": 1})
        query = await bob.call_tool("lake_query", {"sql": "SELECT eventid FROM dev"})
    token, query_id = facts_of(page)["next_token"], facts_of(query)["query_id"]
    assert token
    guesses = {
        "AccountNotFound": [
            *(("lookup_events", {"target_account_id": name}) for name in (DEV, "dev", "DEV", "d*", "prod,dev", "2*")),
            ("lake_query", {"sql": "SELECT 1 FROM events", "target_account_id": "dev"}),
            ("list_accounts", {"selector": "dev"}),
            ("describe_trails", {"target_account_id": DEV}),
            ("lookup_events", {"next_token": token}),
        ],
        "SqlRejected": [
            *(("lake_query", {"sql": f"SELECT 1 FROM {name}"}) for name in ("dev", f'"{DEV}"', f'"{store}"')),
            ("lake_query", {"sql": f"SELECT 1 FROM prod WHERE eventid IN (SELECT eventid FROM {store})"}),
        ],
        "InvalidRequest": [
            (tool, {"query_id": query_id}) for tool in ("get_query_status", "get_query_results", "cancel_query")
        ],
    }
    async with client_over_http(server.url, alice(idp)) as client:
        for error, calls in guesses.items():
            for tool, arguments in calls:
                result = await client.call_tool(tool, arguments)
                assert result.is_error, (tool, arguments)
                assert f"{DEV[:8]}-" not in text_of(result)  # how the ids of its events begin
                last = server.records()[-1]
                assert (last["principal"], last["tool"], last["outcome"]) == ("alice@example.com", tool, "failed")
                assert (last["error"], last["accounts"]) in ((error, []), (error, [PROD])), (tool, arguments)
        mine = await client.call_tool("lake_query", {"sql": f"SELECT count(*) FROM events WHERE account = '{DEV}'"})
        assert rows_of(mine) == ["0"]


def _attacks(idp: FakeIdp) -> dict[str, str]:
    stranger = SigningKey(idp.key.kid)
    claims = jwt.decode(alice(idp), options={"verify_signature": False})
    hmac = jwt.encode(claims, "0" * 64, algorithm="HS256", headers={"kid": idp.key.kid})
    head, body, signature = alice(idp).split(".")
    return {
        "none": "",
        "not a token": "not-a-token",
        "another audience": alice(idp, aud="https://other.example.com/mcp"),
        "no audience": alice(idp, aud=None),
        "another issuer": alice(idp, iss="https://evil.example"),
        "expired": alice(idp, exp=1_000_000_000),
        "no expiry": alice(idp, exp=None),
        "not yet": alice(idp, nbf=4_000_000_000),
        "no subject": alice(idp, sub=None),
        "an empty subject": alice(idp, sub=""),
        "a blank subject": alice(idp, sub=" \t"),
        "a subject with blanks around": alice(idp, sub=" u-1"),
        "a subject with a line break": alice(idp, sub="u-1\n"),
        "a subject with a hidden character": alice(idp, sub="u\u200b-1"),
        "a number as a subject": alice(idp, sub=7),
        "a list as a subject": alice(idp, sub=["u-1"]),
        "a subject without end": alice(idp, sub="u" * 256),
        "alg none": unsigned(**claims),
        "shared secret": hmac,
        "the public key as a secret": _confused(claims, idp),
        "another key": alice(idp, key=stranger),
        "unknown key id": idp.token(key=SigningKey("unknown"), scope="audit"),
        "critical header": alice(idp, headers={"crit": ["exp"]}),
        "a key of its own": alice(idp, key=stranger, headers={"jwk": stranger.jwk, "kid": "mine"}),
        "keys of its own": alice(idp, key=stranger, headers={"jku": "https://evil.example/keys"}),
        "changed": f"{head}.{body[:-2]}xx.{signature}",
    }


def _confused(claims: dict[str, Any], idp: FakeIdp) -> str:
    """Signed with HMAC, the provider's public key for a secret."""
    import hashlib
    import hmac

    def part(value: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "typ": "JWT", "kid": idp.key.kid}) + b"." + part(claims)
    mac = hmac.new(idp.key.public_pem.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def test_every_other_token_is_refused_alike_and_recorded(server: Server, idp: FakeIdp) -> None:
    for name, token in _attacks(idp).items():
        before = len(server.records())
        answer = post(server.url, LIST_TOOLS, **({"Authorization": f"Bearer {token}"} if token else {}))
        assert answer.status_code == 401, name
        assert f'resource_metadata="{METADATA}"' in answer.headers["www-authenticate"], name
        assert answer.json() == {"error": "invalid_token", "error_description": "Authentication required"}
        [made] = server.records()[before:]
        assert (made["kind"], made["status"]) == ("refused", 401), name
        assert not token or token not in server.audit.read_text()


def test_a_strangers_body_is_not_held(server: Server, idp: FakeIdp) -> None:
    bearer = {"Authorization": f"Bearer {alice(idp)}"}
    large = json.dumps({**LIST_TOOLS, "params": {"x": "y" * 100_000}}).encode()
    assert post(server.url, large, **bearer).status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert post(server.url, large, **headers).status_code == 413
        assert server.records()[-1]["status"] == 413


def test_a_missing_scope_is_said(server: Server, idp: FakeIdp) -> None:
    answer = post(server.url, LIST_TOOLS, Authorization=f"Bearer {alice(idp, scope='openid')}")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert server.records()[-1]["principal"] == "alice@example.com"


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}])
async def test_an_address_nobody_verified_matches_no_rule(server: Server, idp: FakeIdp, claims: dict[str, Any]) -> None:
    async with client_over_http(server.url, alice(idp, **claims)) as client:
        assert (await client.list_tools()).tools == []


def test_where_to_sign_in_is_public(server: Server, idp: FakeIdp) -> None:
    import httpx2

    said = httpx2.get(f"{server.url}/.well-known/oauth-protected-resource/mcp", timeout=PATIENCE).json()
    assert said["resource"] == RESOURCE
    assert said["authorization_servers"] == [idp.url]
    assert said["scopes_supported"] == ["audit"]
    assert health(server.url, accounts="ok", lake="ok", identity="ok").status_code == 200
    assert httpx2.get(f"{server.url}/ping", timeout=PATIENCE).status_code == 200


def test_one_key_in_the_configuration_is_enough(idp: FakeIdp, folder: Path) -> None:
    with serving(configured(folder, issuer=idp.url, public_key=idp.key.public_pem)) as made:
        assert post(made.url, LIST_TOOLS, Authorization=f"Bearer {alice(idp)}").status_code == 200
        assert post(made.url, LIST_TOOLS, Authorization=f"Bearer {alice(idp, key=SigningKey('x'))}").status_code == 401


def test_a_key_that_signs_no_token_is_refused_at_the_start() -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from crosstrail.errors import ConfigError
    from crosstrail.server.auth.jwt_verifier import JwtVerifier
    from crosstrail.settings.jwt_settings import JwtSettings

    key = X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ConfigError, match="signs no tokens"):
        JwtVerifier(JwtSettings(issuer="https://idp.example", public_key=key.decode()), RESOURCE)


async def test_a_subject_is_no_client(idp: FakeIdp) -> None:
    """A rule for a client must not match a person who is called like one."""
    from crosstrail.server.auth.jwt_verifier import JwtVerifier
    from crosstrail.settings.jwt_settings import JwtSettings

    verifier = JwtVerifier(JwtSettings(issuer=idp.url, jwks_url=idp.jwks_url), RESOURCE)
    person = await verifier.verify_token(idp.token(sub="batch-job"))
    client = await verifier.verify_token(idp.token(sub="u-1", azp="batch-job"))
    assert person
    assert client
    assert (person.client_id, client.client_id) == ("", "batch-job")


async def test_keys_rotate_and_strangers_do_not_make_us_ask(idp: FakeIdp) -> None:
    from crosstrail.server.auth.jwt_verifier import JwtVerifier
    from crosstrail.settings.jwt_settings import JwtSettings

    now = [0.0]
    verifier = JwtVerifier(JwtSettings(issuer=idp.url, jwks_url=idp.jwks_url), RESOURCE, clock=lambda: now[0])
    old, idp.asked["/keys"] = idp.key, 0
    assert await verifier.verify_token(idp.token())
    assert await verifier.verify_token(idp.token())
    assert idp.asked["/keys"] == 1
    for _ in range(5):
        assert await verifier.verify_token(idp.token(key=SigningKey("unknown"))) is None
    assert idp.asked["/keys"] == 1
    now[0] += 31
    new = idp.rotate("second")
    try:
        assert await verifier.verify_token(idp.token(key=new))
        assert await verifier.verify_token(idp.token(key=old)) is None
        assert idp.asked["/keys"] == 2
    finally:
        idp.key, idp.keys = old, [old]


@pytest.mark.parametrize("body", [b"[]", b"5", b'{"keys": 5}', b'{"keys": [1]}', b'{"keys": {"a": 1}}', b"[" * 100_000])
async def test_an_answer_that_is_no_set_of_keys_gives_none(body: bytes) -> None:
    with HttpFake(lambda *_: Answer(200, body)) as fake, pytest.raises(ProviderAway):
        await Jwks(f"{fake.url}/keys").keys("first")


async def test_an_address_that_trickles_keeps_nobody_waiting() -> None:
    ended = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError), closing(writer):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1000), 0.02)  # a pace, not a wait
        ended.set()

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with anyio.fail_after(20):
            with pytest.raises(ProviderAway):
                await Jwks(f"http://127.0.0.1:{port}/keys", seconds=0.5).keys("first")
            await ended.wait()


def test_one_caller_does_not_fill_the_server_with_open_requests(server: Server, idp: FakeIdp) -> None:
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    head = f"POST /mcp HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {alice(idp)}\r\nContent-Length: 9\r\n\r\n"
    with ExitStack() as held:
        opened = [held.enter_context(socket.create_connection((host, int(port)), timeout=60)) for _ in range(201)]
        for one in opened:
            one.sendall(head.encode())
        refused, _, _ = select.select(opened, [], [], 9)  # before the time that a body has is over
        assert len(refused) == 1
        assert refused[0].recv(100).startswith(b"HTTP/1.1 429 ")
        token = idp.token(sub="u-2", scope="audit")
        assert post(server.url, LIST_TOOLS, Authorization=f"Bearer {token}").status_code == 200
    assert [one["principal"] for one in server.records() if one.get("status") == 429] == ["alice@example.com"]


async def test_a_token_of_one_opens_no_sse_stream_of_another(idp: FakeIdp, folder: Path) -> None:
    with serving(configured(folder, issuer=idp.url, jwks_url=idp.jwks_url), "--transport", "sse") as made:
        assert httpx2.get(f"{made.url}/sse", timeout=PATIENCE).status_code == 401
        mine, other = (alice(idp, sub=sub) for sub in ("u-1", "u-9"))
        with anyio.fail_after(60):
            async with open_stream(made.url, mine) as (http, address, _):
                stolen = await http.post(address, json=LIST_TOOLS, headers=signed(other))
                assert stolen.status_code == 403
                assert (await http.post(address, json=LIST_TOOLS, headers=signed(mine))).status_code == 202
        assert 403 in {one.get("status") for one in made.records()}
