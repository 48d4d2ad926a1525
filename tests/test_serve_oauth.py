"""A whole sign-in by a real MCP client through a fake GitHub, and everything that must break it off."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
import yaml
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from fakes.idp import FakeIdp
from served import NOON, PROD, collect, record, text_of, write_logs
from serving import LIST_TOOLS, Server, post, serving, write_config
from volcengine_server import served

pytestmark = pytest.mark.anyio
CALLBACK = "http://127.0.0.1:33418/callback"


@pytest.fixture(scope="module")
def idp() -> Iterator[FakeIdp]:
    with FakeIdp() as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oauth")
    write_logs(folder / "logs", [record(PROD, number, NOON) for number in range(2)])
    collect(folder / "logs", folder / "lake")
    return folder


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def signing_in(folder: Path, idp: FakeIdp, port: int, *, listen: int = 0, **oauth: Any) -> Iterator[Server]:
    """A server known by one port; as a replica behind a balancer it may `listen` at another."""
    config = write_config(
        folder,
        accounts=[{"id": PROD, "alias": "prod", "archive": "logs"}],
        lake={"path": "lake"},
        serve={"auth": "oauth", "public_url": f"http://127.0.0.1:{port}"},
        oauth={
            "client_id": idp.client_id,
            "client_secret": idp.client_secret,
            "authorize_url": f"{idp.url}/login/oauth/authorize",
            "token_url": f"{idp.url}/login/oauth/access_token",
            "scope": "user",
            "userinfo_url": f"{idp.url}/user",
            "storage": str(folder / "oauth"),
            **oauth,
        },
        access=[{"who": ["login:alice"], "accounts": ["prod"]}],
    )
    with serving(config, "--port", str(listen or port)) as made:
        yield made


@pytest.fixture(scope="module")
def server(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    with signing_in(folder, idp, _free_port()) as made:
        yield made


@dataclass
class Browser:
    """A person with a browser: follows redirects, keeps cookies, and allows or denies."""

    http: httpx2.AsyncClient
    action: str = "approve"
    landed: str = ""

    async def open(self, url: str) -> None:
        """Until the client's own address is reached, or a page that leads nowhere."""
        for _ in range(10):
            if url.startswith(CALLBACK):
                break
            answer = await self.http.get(url)
            if answer.status_code == 200 and (
                found := dict(re.findall(r'name="(txn_id|csrf_token)" value="([^"]+)"', answer.text))
            ):
                answer = await self.http.post(url, data={**found, "submit": "true", "action": self.action})
            if "location" not in answer.headers:
                url = f"status {answer.status_code}"
                break
            url = str(httpx2.URL(url).join(answer.headers["location"]))
        self.landed = url

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.landed).query).items()}


@dataclass
class Wallet:
    """What a client remembers."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None
    kept: list[OAuthToken] = field(default_factory=list)

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens
        self.kept.append(tokens)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    async with httpx2.AsyncClient(timeout=20) as http:
        yield Browser(http)


@asynccontextmanager
async def signed_in(url: str, wallet: Wallet, person: Browser) -> AsyncIterator[Client]:
    """A client that signs in by itself when it is told to."""

    async def landed() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(
            **{name: person.query[name] for name in ("code", "state", "iss") if name in person.query}
        )

    metadata = OAuthClientMetadata.model_validate({"redirect_uris": [CALLBACK], "client_name": "a client"})
    auth = OAuthClientProvider(f"{url}/mcp", metadata, wallet, person.open, landed)
    async with (
        httpx2.AsyncClient(auth=auth, timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield client


async def test_discovery_registration_consent_code_token_call_refresh(server: Server, idp: FakeIdp) -> None:
    wallet = Wallet()
    async with browser() as person, signed_in(server.url, wallet, person) as client:
        assert "1 account" in text_of(await client.call_tool("list_accounts", {}))
        assert idp.authorized[-1]["scope"] == "user"
        assert wallet.tokens
        assert wallet.tokens.access_token not in idp.tokens
    assert wallet.tokens.refresh_token
    assert wallet.client
    assert server.records()[-1]["principal"] == "alice"
    form = {
        "grant_type": "refresh_token",
        "refresh_token": wallet.tokens.refresh_token,
        "resource": f"{server.url}/mcp",
    }
    again = httpx2.post(f"{server.url}/token", data={**form, **_client(wallet)})
    assert again.status_code == 200, again.text
    fresh = again.json()["access_token"]
    assert fresh != wallet.tokens.access_token
    assert post(server.url, LIST_TOOLS, Authorization=f"Bearer {fresh}").status_code == 200
    used = httpx2.post(f"{server.url}/token", data={**form, **_client(wallet)})
    assert (used.status_code, used.json()["error"]) == (401, "invalid_grant")  # a refresh token works once


def _client(wallet: Wallet) -> dict[str, str]:
    assert wallet.client
    return {"client_id": str(wallet.client.client_id)}


async def test_who_signs_in_without_a_rule_sees_nothing(server: Server, idp: FakeIdp) -> None:
    idp.login, idp.user_id = "mallory", 666
    try:
        async with browser() as person, signed_in(server.url, Wallet(), person) as client:
            assert (await client.list_tools()).tools == []
            assert (await client.call_tool("list_accounts", {})).is_error
    finally:
        idp.login, idp.user_id = "alice", 4711


async def test_sign_ins_survive_a_restart(idp: FakeIdp, folder: Path) -> None:
    wallet, port = Wallet(), _free_port()
    with signing_in(folder, idp, port) as made:
        async with browser() as person, signed_in(made.url, wallet, person) as client:
            await client.list_tools()
    assert wallet.tokens
    with signing_in(folder, idp, port) as made:
        bearer = f"Bearer {wallet.tokens.access_token}"
        assert post(made.url, LIST_TOOLS, Authorization=bearer).status_code == 200
    with signing_in(folder, idp, port, signing_key="another-key-of-decent-length") as made:
        assert post(made.url, LIST_TOOLS, Authorization=bearer).status_code == 401
    stored = b"".join(path.read_bytes() for path in (folder / "oauth").rglob("*") if path.is_file())
    assert stored
    assert not any(token.encode() in stored for token in (*idp.tokens, wallet.tokens.access_token))


@contextmanager
def redis(folder: Path) -> Iterator[tuple[str, Path]]:
    """A Redis of one's own: its address, and the file into which it saves everything when it ends."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server")
    pytest.importorskip("redis", reason="needs Redis's client, `pip install redis`")
    port = _free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--rdbcompression", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any("Ready to accept connections" in line for line in process.stdout)
        try:
            yield f"redis://127.0.0.1:{port}/0", folder / "dump.rdb"
        finally:
            process.terminate()


async def test_replicas_share_sign_ins_through_redis(idp: FakeIdp, folder: Path, tmp_path: Path) -> None:
    wallet, port = Wallet(), _free_port()
    with (
        redis(tmp_path) as (storage, saved),
        signing_in(folder, idp, port, storage=storage) as first,
        signing_in(folder, idp, port, listen=_free_port(), storage=storage) as second,
    ):
        async with browser() as person, signed_in(first.url, wallet, person) as client:
            await client.list_tools()
        assert wallet.tokens
        bearer = f"Bearer {wallet.tokens.access_token}"
        assert first.url != second.url
        assert post(second.url, LIST_TOOLS, Authorization=bearer).status_code == 200
    assert not any(token.encode() in saved.read_bytes() for token in (*idp.tokens, wallet.tokens.access_token))


def _registered(server: Server, redirect: str = CALLBACK) -> dict[str, str]:
    asked = {"redirect_uris": [redirect], "token_endpoint_auth_method": "client_secret_post", "client_name": "x"}
    answer = httpx2.post(
        f"{server.url}/register", json={**asked, "grant_types": ["authorization_code", "refresh_token"]}
    )
    assert answer.status_code == 201, answer.text
    said = answer.json()
    return {"client_id": said["client_id"]}  # a public client: PKCE stands for a secret


def _authorize(server: Server, client_id: str, verifier: str, **more: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "resource": f"{server.url}/mcp",
        **more,
    }
    return f"{server.url}/authorize?{urlencode({name: value for name, value in query.items() if value})}"


@contextmanager
def recorded(server: Server, *statuses: int) -> Iterator[None]:
    """What is refused in this block stands in the record, and no token, code or state does."""
    before = len(server.records())
    yield
    made = server.records()[before:]
    assert [one["status"] for one in made if one["kind"] == "refused"] == list(statuses)
    assert not any(word in str(made) for word in ("code=", "state=", "txn_id=", "Bearer"))


async def test_a_redirect_to_an_unregistered_address_is_refused(server: Server, idp: FakeIdp) -> None:
    made, before = _registered(server), len(idp.authorized)
    url = _authorize(server, made["client_id"], "v" * 50, redirect_uri="https://evil.example/callback")
    with recorded(server, 400):
        answer = httpx2.get(url)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert len(idp.authorized) == before


async def test_without_pkce_nobody_gets_a_code(server: Server) -> None:
    made = _registered(server)
    with recorded(server, 302):  # a refusal that has a place to go back to
        answer = httpx2.get(_authorize(server, made["client_id"], "v" * 50, code_challenge=""))
    assert (
        "code_challenge"
        in parse_qs(urlsplit(answer.headers.get("location", "")).query).get("error_description", [answer.text])[0]
    )


async def test_a_code_works_once_for_its_client_with_its_verifier(server: Server) -> None:
    made, other, verifier = _registered(server), _registered(server), secrets.token_urlsafe(40)

    async def code() -> str:
        async with browser() as person:
            await person.open(_authorize(server, made["client_id"], verifier))
            return person.query["code"]

    def exchange(code: str, **more: str) -> httpx2.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier}
        return httpx2.post(f"{server.url}/token", data={**form, **made, **more})

    with recorded(server, 401, 401, 401):
        assert exchange(await code(), code_verifier="w" * 50).json()["error"] == "invalid_grant"
        assert exchange(await code(), **other).json()["error"] == "invalid_grant"
        good = await code()
        assert exchange(good).status_code == 200
        assert exchange(good).json()["error"] == "invalid_grant"


async def test_consent_cannot_be_skipped_or_denied_into_a_code(server: Server, idp: FakeIdp) -> None:
    made = _registered(server)
    async with browser() as person:
        person.action = "deny"
        await person.open(_authorize(server, made["client_id"], "v" * 50))
        assert person.query.get("error") == "access_denied"
    async with browser() as person:
        first = await person.http.get(_authorize(server, made["client_id"], "v" * 50))
        consent = str(httpx2.URL(f"{server.url}/").join(first.headers["location"]))
        transaction = parse_qs(urlsplit(consent).query)["txn_id"][0]
        with recorded(server, 400):
            forged = await person.http.post(
                consent, data={"txn_id": transaction, "csrf_token": "guessed", "submit": "true", "action": "approve"}
            )
        assert "location" not in forged.headers
        assert forged.status_code in (400, 403)
        # straight back from the provider, as if consent had been given
        with recorded(server, 403):
            skipped = await person.http.get(f"{server.url}/auth/callback?code=x&state={transaction}")
        assert "code=" not in skipped.headers.get("location", "")
        assert skipped.status_code in (400, 403)


async def test_a_stolen_state_opens_nothing_in_another_browser(server: Server, idp: FakeIdp) -> None:
    """The attacker begins a sign-in, consents, and has the victim's browser end it."""
    made = _registered(server)
    async with browser() as attacker, browser() as victim:
        url = _authorize(server, made["client_id"], "v" * 50)
        page = await attacker.http.get(str(httpx2.URL(url).join((await attacker.http.get(url)).headers["location"])))
        found = dict(re.findall(r'name="(txn_id|csrf_token)" value="([^"]+)"', page.text))
        approved = await attacker.http.post(str(page.url), data={**found, "submit": "true", "action": "approve"})
        upstream = await victim.http.get(approved.headers["location"])
        with recorded(server, 403):
            stolen = await victim.http.get(upstream.headers["location"])
        assert stolen.status_code == 403
        assert "location" not in stolen.headers


async def test_tokens_of_the_provider_and_of_other_servers_are_no_tokens_here(
    server: Server, idp: FakeIdp, folder: Path, tmp_path: Path
) -> None:
    wallet = Wallet()
    with signing_in(folder, idp, _free_port()) as other:  # the same keys and storage, another address
        async with browser() as person, signed_in(other.url, wallet, person) as client:
            await client.list_tools()
    assert wallet.tokens
    foreign = (wallet.tokens.access_token, *idp.tokens)
    with recorded(server, *(401 for _ in foreign)):
        for token in foreign:
            assert post(server.url, LIST_TOOLS, Authorization=f"Bearer {token}").status_code == 401


async def test_a_state_that_nobody_gave_and_a_code_nobody_gave_are_refused(server: Server) -> None:
    with recorded(server, 400, 400, 401):
        guessed = httpx2.get(f"{server.url}/auth/callback?code=x&state=guessed")
        assert guessed.status_code == 400
        assert httpx2.get(f"{server.url}/auth/callback").status_code == 400
        form = {
            "grant_type": "authorization_code",
            "code": "guessed",
            "redirect_uri": CALLBACK,
            "code_verifier": "v" * 50,
        }
        refused = httpx2.post(f"{server.url}/token", data={**form, **_registered(server)})
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_grant")


async def test_a_refresh_token_of_another_client_is_refused(server: Server, idp: FakeIdp) -> None:
    wallet = Wallet()
    async with browser() as person, signed_in(server.url, wallet, person) as client:
        await client.list_tools()
    assert wallet.tokens
    form = {"grant_type": "refresh_token", "refresh_token": str(wallet.tokens.refresh_token)}
    with recorded(server, 401):
        stolen = httpx2.post(f"{server.url}/token", data={**form, **_registered(server)})
        assert stolen.json()["error"] == "invalid_grant"
    assert httpx2.post(f"{server.url}/token", data={**form, **_client(wallet)}).status_code == 200


async def test_volcengines_own_configuration_signs_in_too(idp: FakeIdp, tmp_path: Path) -> None:
    """The five keys of its cfg.yaml, and who may ask."""
    port = _free_port()
    cfg = tmp_path / "cfg.yaml"
    oauth = {
        "client_id": idp.client_id,
        "client_secret": idp.client_secret,
        "authorize_url": f"{idp.url}/login/oauth/authorize",
        "token_url": f"{idp.url}/login/oauth/access_token",
        "scope": "user",
    }
    more = {"userinfo_url": f"{idp.url}/user", "storage": str(tmp_path / "oauth")}  # GitHub's own need no naming
    access = [{"who": ["login:alice"], "accounts": ["*"]}]
    cfg.write_text(yaml.safe_dump({"auth": "oauth", "oauth": {**oauth, **more}, "access": access}))
    environ = {"MCP_SERVER_PORT": str(port), "VOLCENGINE_ACCESS_KEY": "AK", "VOLCENGINE_SECRET_KEY": "SK"}
    with served(environ, "--config", str(cfg)) as made:
        assert post(made.url, LIST_TOOLS).status_code == 401
        async with browser() as person, signed_in(made.url, Wallet(), person) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == {"LookupEvents", "DescribeTrails"}
            refused = await client.call_tool("CreateTrail", {"TrailName": "x", "TosBucketName": "b"})
            assert "there is no tool 'CreateTrail'" in text_of(refused)
        idp.login = "mallory"
        try:
            async with browser() as person, signed_in(made.url, Wallet(), person) as client:
                assert (await client.list_tools()).tools == []
        finally:
            idp.login = "alice"
