"""A server that signs people in through a fake GitHub, a person with a browser, and a client that signs in."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from fakes.idp import FakeIdp
from fakes.oauth_providers import GITHUB
from lake_workspace import NOON, PROD, collect, record, write_logs
from ports import free_port
from running_server import PATIENCE, Server, serving, write_config

CALLBACK = "http://127.0.0.1:33418/callback"


def with_lake(folder: Path) -> Path:
    """The folder with a lake in it."""
    write_logs(folder / "logs", [record(PROD, number, NOON) for number in range(2)])
    collect(folder / "logs", folder / "lake")
    return folder


@contextmanager
def signing_in(
    folder: Path,
    idp: FakeIdp,
    port: int,
    *,
    listen: int = 0,
    path: str = "",
    who: str = "login:alice",
    **oauth: Any,
) -> Iterator[Server]:
    """A server known by one port, and a path there; as a replica behind a balancer it may `listen` at another. It is GitHub's
    that people sign in by, unless `oauth` says otherwise; `who` may see the account."""
    config = write_config(
        folder,
        accounts=[{"id": PROD, "alias": "prod", "archive": "logs"}],
        lake={"path": "lake"},
        serve={"auth": "oauth", "public_url": f"http://127.0.0.1:{port}{path}"},
        oauth={
            "client_id": idp.client_id,
            "client_secret": idp.client_secret,
            **GITHUB.oauth(idp.url),
            "storage": str(folder / "oauth"),
            **oauth,
        },
        access=[{"who": [who], "accounts": ["prod"]}],
    )
    with serving(config, "--port", str(listen or port)) as made:
        yield made


@dataclass
class Browser:
    """A person with a browser: follows redirects, keeps cookies, and allows or denies."""

    http: httpx2.AsyncClient
    action: str = "approve"
    landed: str = ""

    async def open(self, url: str, until: str = CALLBACK) -> None:
        """Until the client's own address is reached, or a page that leads nowhere."""
        for _ in range(10):
            if url.startswith(until):
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
    async with httpx2.AsyncClient(timeout=PATIENCE) as http:
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
        httpx2.AsyncClient(auth=auth, timeout=PATIENCE) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield client


def client_of(wallet: Wallet) -> dict[str, str]:
    assert wallet.client
    return {"client_id": str(wallet.client.client_id)}


@contextmanager
def redis(folder: Path) -> Iterator[tuple[str, Path]]:
    """A Redis of one's own: its address, and the file into which it saves everything when it ends."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server")
    pytest.importorskip("redis", reason="needs Redis's client, `pip install redis`")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--rdbcompression", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any("Ready to accept connections" in line for line in process.stdout)
        try:
            yield f"redis://127.0.0.1:{port}/0", folder / "dump.rdb"
        finally:
            process.terminate()


def registered(server: Server, redirect: str = CALLBACK) -> dict[str, str]:
    """A client that registered this address, as what it sends of itself."""
    asked = {"redirect_uris": [redirect], "token_endpoint_auth_method": "client_secret_post", "client_name": "x"}
    answer = httpx2.post(
        f"{server.url}/register",
        json={**asked, "grant_types": ["authorization_code", "refresh_token"]},
        timeout=PATIENCE,
    )
    assert answer.status_code == 201, answer.text
    said = answer.json()
    return {"client_id": said["client_id"]}  # a public client: PKCE stands for a secret


def authorize_url(server: Server, client_id: str, verifier: str, **more: str) -> str:
    """Where a person begins to sign in to this client."""
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
