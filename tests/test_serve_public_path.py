"""A server whose public address has a path: every address of a sign-in is under it, whatever the proxy in front does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from crosstrail.errors import ConfigError
from crosstrail.settings.jwt_settings import JwtSettings
from crosstrail.settings.server_settings import ServeSettings, check
from crosstrail.settings.sign_in_settings import OAuthSettings
from fakes.idp import FakeIdp
from lake_workspace import text_of
from ports import free_port
from reverse_proxy import ReverseProxy, Rule, leaving, stripping
from running_server import INITIALIZE, JSON, LIST_TOOLS, PATIENCE, Server, post, serving, signed, write_config
from signing_in import Wallet, browser, client_of, registered, signed_in, signing_in, with_lake
from test_serve_challenges import challenge

pytestmark = pytest.mark.anyio
PROXIES = {"leaves the prefix": leaving, "strips the prefix": stripping}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lake(tmp_path_factory.mktemp("paths"))


@contextmanager
def behind(rule: Rule, folder: Path, idp: FakeIdp, path: str) -> Iterator[tuple[str, Server, ReverseProxy]]:
    """The public address of a server behind a proxy, without a slash at its end, and both."""
    port, public = free_port(), free_port()
    with (
        ReverseProxy(port, rule, listen=public) as proxy,
        signing_in(folder, idp, public, listen=port, path=path) as server,
    ):
        yield f"http://127.0.0.1:{public}{path.rstrip('/')}", server, proxy


@pytest.mark.parametrize("path", ["/trails", "/trails/", "/audit/v1.0"])
@pytest.mark.parametrize("name", PROXIES)
async def test_a_client_signs_in_under_the_path(idp: FakeIdp, folder: Path, name: str, path: str) -> None:
    prefix, wallet = path.rstrip("/"), Wallet()
    with behind(PROXIES[name](prefix), folder, idp, path) as (url, server, proxy):
        async with browser() as person, signed_in(url, wallet, person) as client:
            assert "1 account" in text_of(await client.call_tool("list_accounts", {}))
        assert server.records()[-1]["principal"] == "alice"
        assert idp.authorized[-1]["redirect_uri"] == f"{url}/auth/callback"
        assert wallet.tokens
        form = {"grant_type": "refresh_token", "refresh_token": str(wallet.tokens.refresh_token), **client_of(wallet)}
        assert httpx2.post(f"{url}/token", data=form, timeout=PATIENCE).status_code == 200
    inner = "" if name.startswith("strips") else prefix
    for one in ("/mcp", "/register", "/authorize", "/consent", "/auth/callback", "/token"):
        assert f"{inner}{one}" in proxy.paths
    for one in ("protected-resource", "authorization-server"):
        assert f"/.well-known/oauth-{one}{prefix}{'/mcp' if one == 'protected-resource' else ''}" in proxy.paths


@pytest.mark.parametrize("name", PROXIES)
def test_every_address_that_is_told_is_under_the_path(idp: FakeIdp, folder: Path, name: str) -> None:
    with behind(PROXIES[name]("/trails"), folder, idp, "/trails") as (url, server, _):
        origin = url.removesuffix("/trails")
        told = challenge(post(url, LIST_TOOLS))["resource_metadata"]
        assert told == f"{origin}/.well-known/oauth-protected-resource/trails/mcp"
        resource = httpx2.get(told, timeout=PATIENCE).json()
        assert (resource["resource"], resource["authorization_servers"]) == (f"{url}/mcp", [url])
        for place in (
            f"{origin}/.well-known/oauth-authorization-server/trails",
            f"{url}/.well-known/oauth-authorization-server",
        ):
            issuer = httpx2.get(place, timeout=PATIENCE).json()
            assert issuer["issuer"] == url
            for endpoint in ("authorization", "token", "registration"):
                assert issuer[f"{endpoint}_endpoint"].startswith(f"{url}/")
        assert httpx2.get(f"{url}/ping", timeout=PATIENCE).status_code == 200
        for other in ("/trailsmcp", "/trails/../mcp", "/trails//mcp", "/trails/trails/trails/mcp", "/trails%2fmcp"):
            assert httpx2.post(f"{server.url}{other}", json=LIST_TOOLS, headers=JSON, timeout=PATIENCE).status_code in (
                401,
                404,
            )


def test_no_prefix_leads_around_what_is_limited(idp: FakeIdp, folder: Path) -> None:
    with behind(leaving("/trails"), folder, idp, "/trails") as (_, server, _):
        registered(server)
        statuses = [
            httpx2.post(
                f"{server.url}{('', '/trails')[turn % 2]}/register", content=b"{}", timeout=PATIENCE
            ).status_code
            for turn in range(40)
        ]
        assert 429 in statuses, "both spellings have one pace"
        assert {one["path"] for one in server.records() if one.get("status") == 429} == {"/register"}


async def test_a_token_of_a_provider_is_for_the_address_with_its_path(idp: FakeIdp, tmp_path: Path) -> None:
    public = "https://example.com/trails"
    config = write_config(
        tmp_path,
        lake={"path": "lake"},
        serve={"auth": "jwt", "public_url": f"{public}/", "allowed_hosts": "127.0.0.1", "allow_any": True},
        jwt={"issuer": idp.url, "jwks_url": idp.jwks_url},
    )
    with serving(config, "--transport", "sse") as server:
        told = challenge(post(server.url, LIST_TOOLS))["resource_metadata"]
        assert told == "https://example.com/.well-known/oauth-protected-resource/trails/mcp"
        metadata = told.removeprefix("https://example.com")
        assert httpx2.get(f"{server.url}{metadata}", timeout=PATIENCE).json()["resource"] == f"{public}/mcp"
        good, foreign = idp.token(aud=f"{public}/mcp"), idp.token(aud="https://example.com/mcp")
        for prefix in ("", "/trails"):
            assert post(f"{server.url}{prefix}", LIST_TOOLS, Authorization=f"Bearer {foreign}").status_code == 401
            async with (
                httpx2.AsyncClient(headers=signed(good), timeout=PATIENCE) as http,
                Client(streamable_http_client(f"{server.url}{prefix}/mcp", http_client=http)) as client,
            ):
                assert (await client.list_tools()).tools
            place = f"{server.url}{prefix}/sse"
            with httpx2.stream("GET", place, headers=signed(good), timeout=PATIENCE) as stream:
                lines = stream.iter_lines()  # the stream ends with them
                endpoint = next(line for line in lines if line.startswith("data: ")).removeprefix("data: ")
                assert endpoint.startswith("/trails/messages/?session_id=")
                answer = httpx2.post(f"{server.url}{endpoint}", json=INITIALIZE, headers=signed(good), timeout=PATIENCE)
                assert answer.status_code == 202
                stolen = httpx2.post(f"{server.url}{endpoint}", json=INITIALIZE, timeout=PATIENCE)
                assert stolen.status_code == 403, "another than who opened the stream"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/auth", "begins like one"),
        ("/messages/x", "begins like one"),
        ("/.well-known", "begins like one"),
        ("/sign-in", "begins like one"),
        ("/trails/mcp", "ends with /mcp"),
        ("/a/../b", "more than an address"),
        ("/a//b", "more than an address"),
        ("/a%2fb", "more than an address"),
        ("/trails?x=y", "more than an address"),
        ("/trails#x", "more than an address"),
        ("/tr ails", "more than an address"),
        ("/tr*ls", "more than an address"),
    ],
)
def test_a_path_that_cannot_work_does_not_start(path: str, said: str) -> None:
    serve = ServeSettings.model_validate({"transport": "http", "public_url": f"https://example.com{path}"})
    with pytest.raises(ConfigError, match=said) as refused:
        check(serve, JwtSettings(), OAuthSettings(callback_path="/sign-in/callback"), rules=())
    assert refused.value.hint


def test_a_name_before_the_host_does_not_start() -> None:
    serve = ServeSettings.model_validate({"transport": "http", "public_url": "https://user@example.com/trails"})
    with pytest.raises(ConfigError, match="more than an address"):
        check(serve, JwtSettings(), OAuthSettings(), rules=())
