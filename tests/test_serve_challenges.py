"""What a caller without a good token is told: where to sign in, and which scopes to ask for there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from fakes.idp import FakeIdp
from ports import free_port
from running_server import LIST_TOOLS, PATIENCE, post, serving, write_config
from signing_in import Wallet, browser, signed_in, signing_in

pytestmark = pytest.mark.anyio
PUBLIC = "https://trails.example.com"


def challenge(answer: httpx2.Response) -> dict[str, str]:
    """The parameters of its one Bearer challenge."""
    (said,) = answer.headers.get_list("www-authenticate")
    assert said.startswith("Bearer ")
    return dict(re.findall(r'(\w+)="([^"]*)"', said))


def configured(folder: Path, idp: FakeIdp, **values: Any) -> Path:
    return write_config(
        folder,
        lake={"path": "lake"},
        serve={"auth": "jwt", "public_url": PUBLIC, "allowed_hosts": "127.0.0.1", "allow_any": True},
        jwt={"issuer": idp.url, "jwks_url": idp.jwks_url, **values},
    )


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_a_token_with_too_few_scopes_is_told_those_it_needs(idp: FakeIdp, tmp_path: Path, transport: str) -> None:
    config = configured(tmp_path, idp, required_scopes=["trails.read", "openid"])
    metadata = f"{PUBLIC}/.well-known/oauth-protected-resource/mcp"
    with serving(config, "--transport", transport) as server:
        said = challenge(post(server.url, LIST_TOOLS))
        assert said["scope"] == "trails.read openid"
        assert (said["error"], said["resource_metadata"]) == ("invalid_token", metadata)
        assert challenge(post(server.url, LIST_TOOLS, Authorization="Bearer x")) == said
        refused = post(server.url, LIST_TOOLS, Authorization=f"Bearer {idp.token(scope='openid')}")
        assert refused.status_code == 403
        said = challenge(refused)
        assert (said["error"], said["scope"]) == ("insufficient_scope", "trails.read openid")
        assert said["resource_metadata"] == metadata
        good = idp.token(scope="openid trails.read")
        assert post(server.url, LIST_TOOLS, Authorization=f"Bearer {good}").status_code == 200
        foreign = post(server.url, LIST_TOOLS, Origin="https://evil.example")
        assert (foreign.status_code, "www-authenticate" in foreign.headers) == (403, False)
        if transport == "sse":
            assert challenge(httpx2.get(f"{server.url}/sse", timeout=PATIENCE))["scope"] == "trails.read openid"


def test_where_no_scope_is_needed_none_is_named(idp: FakeIdp, tmp_path: Path) -> None:
    with serving(configured(tmp_path, idp)) as server:
        assert "scope" not in challenge(post(server.url, LIST_TOOLS))


def test_a_scope_writes_nothing_else_into_the_header(idp: FakeIdp, tmp_path: Path) -> None:
    with serving(configured(tmp_path, idp, required_scopes=['x", error="none', "a\\b", "read"])) as server:
        said = challenge(post(server.url, LIST_TOOLS))
        assert (said["scope"], said["error"]) == ("read", "invalid_token")


async def test_a_client_that_signs_in_asks_for_the_scopes_of_the_challenge(idp: FakeIdp, tmp_path: Path) -> None:
    with signing_in(tmp_path, idp, free_port(), scope="openid email") as server:
        assert challenge(post(server.url, LIST_TOOLS))["scope"] == "openid email"
        wallet = Wallet()
        async with browser() as person, signed_in(server.url, wallet, person) as client:
            await client.list_tools()
        assert wallet.client
        assert wallet.client.scope == "openid email"
    assert idp.authorized[-1]["scope"] == "openid email"
