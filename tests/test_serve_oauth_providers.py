"""A sign-in by each provider's own shapes: who somebody is there, and whether their e-mail address counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.shared.auth import OAuthToken
from pydantic import ValidationError

from crosstrail.errors import ConfigError
from crosstrail.server.auth.oauth import UserInfo
from crosstrail.server.auth.userinfo import email_counts, is_github
from crosstrail.settings.sign_in_settings import OAuthSettings, oauth_conflicts, userinfo_url
from fakes.idp import FakeIdp
from fakes.oauth_providers import EMAIL, PROVIDERS
from lake_workspace import text_of
from ports import free_port
from running_server import LIST_TOOLS, PATIENCE, Server, post
from signing_in import Wallet, browser, client_of, signed_in, signing_in, with_lake

pytestmark = pytest.mark.anyio
UNVERIFIED = ("entra",)
"""Who never says that an address is verified."""
SERVER = PROVIDERS["github-enterprise-server"]
EMAILS = "/api/v3/user/emails"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lake(tmp_path_factory.mktemp("oauth"))


@contextmanager
def by(name: str, folder: Path, idp: FakeIdp, **oauth: Any) -> Iterator[Server]:
    """A server that signs in by this provider, and lets the one e-mail address in."""
    with signing_in(folder, idp, free_port(), who=EMAIL, **{**PROVIDERS[name].oauth(idp.url), **oauth}) as made:
        yield made


@contextmanager
def saying(idp: FakeIdp, pages: dict[str, Any] | None = None, **claims: Any) -> Iterator[None]:
    """The provider says this of everybody in this block."""
    idp.claims, idp.pages = claims, pages or {}
    try:
        yield
    finally:
        idp.claims, idp.pages = {}, {}


async def seen(server: Server) -> str:
    """What list_accounts says to somebody who signs in."""
    async with browser() as person, signed_in(server.url, Wallet(), person) as client:
        return text_of(await client.call_tool("list_accounts", {}))


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "github"])
async def test_a_verified_address_lets_in(idp: FakeIdp, folder: Path, name: str) -> None:
    """GitHub's own counts by the name of its host, which no fake has."""
    with by(name, folder, idp, trust_email=name in UNVERIFIED) as server:
        assert "1 account" in await seen(server)
        assert server.records()[-1]["principal"] == EMAIL


@pytest.mark.parametrize("name", ["entra", "cognito"])
async def test_an_address_nobody_vouches_for_lets_nobody_in(idp: FakeIdp, folder: Path, name: str) -> None:
    with by(name, folder, idp) as server, saying(idp, email_verified=None):
        assert "1 account" not in await seen(server)


async def test_no_trust_outweighs_a_no(idp: FakeIdp, folder: Path) -> None:
    with by("cognito", folder, idp, trust_email=True) as server, saying(idp, email_verified="false"):
        assert "1 account" not in await seen(server)


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        False,
        "false",
        "True ",
        "True",
        "TRUE",
        " true",
        "true\u200b",
        1,
        1.0,
        "1",
        "yes",
        ["true"],
        {"true": True},
        "",
        0,
    ],
)
def test_whatever_is_not_true_is_a_no(said: object, trusted: bool) -> None:
    assert not email_counts(said, trusted=trusted)


def test_true_is_a_yes_and_silence_is_for_the_setting() -> None:
    assert email_counts(True, trusted=False)
    assert email_counts("true", trusted=False)
    assert email_counts(None, trusted=True)
    assert not email_counts(None, trusted=False)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_sign_in_outlives_the_providers_access_token(idp: FakeIdp, folder: Path, name: str) -> None:
    with by(name, folder, idp, trust_email=True) as server:
        wallet = Wallet()
        async with browser() as person, signed_in(server.url, wallet, person) as client:
            await client.list_tools()
        first = wallet.tokens
        assert first
        assert first.scope == PROVIDERS[name].scope, "by the names that the client asked by"
        for scope in ({}, {"scope": first.scope}):
            idp.tokens.clear()  # the provider's access token has ended
            assert wallet.tokens
            form = {"grant_type": "refresh_token", "refresh_token": str(wallet.tokens.refresh_token), **scope}
            answer = httpx2.post(f"{server.url}/token", data={**form, **client_of(wallet)}, timeout=PATIENCE)
            assert answer.status_code == 200, answer.text
            wallet.tokens = OAuthToken.model_validate(answer.json())
            bearer = f"Bearer {wallet.tokens.access_token}"
            assert post(server.url, LIST_TOOLS, Authorization=bearer).status_code == 200
    if name == "google":
        asked = idp.authorized[-1]
        assert (asked["access_type"], asked["prompt"], asked["scope"]) == ("offline", "consent", "openid email")


@pytest.mark.parametrize("name", ["google", "entra"])
async def test_who_does_not_ask_for_offline_access_signs_in_again(idp: FakeIdp, folder: Path, name: str) -> None:
    with by(name, folder, idp, trust_email=True, authorize_parameters=[], scope="openid email") as server:
        wallet = Wallet()
        async with browser() as person, signed_in(server.url, wallet, person) as client:
            assert "1 account" in text_of(await client.call_tool("list_accounts", {}))
        assert wallet.tokens
        assert wallet.tokens.refresh_token is None


@pytest.mark.parametrize(
    "parameter",
    [
        "redirect_uri=https://evil.example",
        "STATE=x",
        "scope=admin",
        "client_id=x",
        "response_mode=fragment",
        "request_uri=https://evil.example",
        "code_challenge_method=plain",
        "resource=x",
        "prompt",
        "=x",
        "a&state=x",
        " a=b",
    ],
)
def test_no_parameter_takes_the_place_of_one_that_protects(parameter: str) -> None:
    with pytest.raises(ValidationError, match=r"authorize_parameters"):
        OAuthSettings.model_validate({"authorize_parameters": [parameter]})


ALL_SAID_NO = [{"email": EMAIL, "primary": True, "verified": False}]


@pytest.mark.parametrize(
    ("listed", "trust", "expected"),
    [
        (ALL_SAID_NO, False, False),  # a server that sends no mail verifies nothing
        (ALL_SAID_NO, True, True),
        ([{"email": EMAIL, "primary": False, "verified": True}], False, False),
        ([{"email": EMAIL, "primary": True, "verified": "true"}], False, False),
        ([{"email": [EMAIL], "primary": True, "verified": True}], False, False),
        ({"email": EMAIL, "primary": True, "verified": True}, False, False),
        ([None, "x", [], {}], False, False),
        (404, False, False),  # the token may not read it
        (403, True, True),
    ],
)
async def test_a_github_enterprise_servers_profile_proves_no_address(
    idp: FakeIdp, listed: object, trust: bool, expected: bool
) -> None:
    idp.tokens.add("a-token")
    with saying(idp, {EMAILS: listed}):
        known = await UserInfo(f"{idp.url}{SERVER.userinfo}", idp.url, trust_email=trust).verify_token("a-token")
    assert known
    assert known.claims["email_verified"] is expected
    assert known.claims["email"] == EMAIL


async def test_a_primary_address_counts_before_the_one_in_the_profile(idp: FakeIdp) -> None:
    idp.tokens.add("a-token")
    with saying(idp, email="typed-by-anybody@example.com"):
        known = await UserInfo(f"{idp.url}{SERVER.userinfo}", idp.url, trust_email=True).verify_token("a-token")
    assert known
    assert (known.claims["email"], known.claims["email_verified"]) == (EMAIL, True)


async def test_addresses_that_cannot_be_read_now_let_nobody_in_without_them(idp: FakeIdp) -> None:
    idp.tokens.add("a-token")
    asked = UserInfo(f"{idp.url}{SERVER.userinfo}", idp.url)
    with saying(idp, {EMAILS: 503}):
        assert await asked.verify_token("a-token") is None
    assert await asked.verify_token("a-token"), "and the next one asks again"


@pytest.mark.parametrize(
    ("authorize_url", "expected"),
    [
        ("https://github.com/login/oauth/authorize", "https://api.github.com/user"),
        ("https://octocorp.ghe.com/login/oauth/authorize", "https://api.octocorp.ghe.com/user"),
        ("https://accounts.google.com/o/oauth2/v2/auth", "https://openidconnect.googleapis.com/v1/userinfo"),
        ("https://ghe.example.com/login/oauth/authorize", ""),  # Gitea's is the same
        ("https://github.com.example/login/oauth/authorize", ""),
        ("https://evilghe.com/login/oauth/authorize", ""),
        ("https://ghe.com/login/oauth/authorize", ""),
    ],
)
def test_whose_userinfo_address_is_known(authorize_url: str, expected: str) -> None:
    assert userinfo_url(OAuthSettings(authorize_url=authorize_url)) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.github.com/user", True),
        ("https://api.octocorp.ghe.com/user", True),
        ("https://ghe.example.com/api/v3/user", True),
        ("https://ghe.example.com/api/v3/user/", True),
        ("https://api.github.com.example/user", False),
        ("https://api.evilghe.com/user", False),
        ("https://login.example.com/user", False),
        ("https://openidconnect.googleapis.com/v1/userinfo", False),
    ],
)
def test_which_addresses_are_githubs(url: str, expected: bool) -> None:
    assert is_github(url) is expected


def test_the_userinfo_address_of_a_github_enterprise_server_is_named_to_who_left_it_out() -> None:
    left_out = {
        "client_id": "a",
        "client_secret": "b",
        "authorize_url": "https://ghe.example.com/login/oauth/authorize",
    }
    with pytest.raises(ConfigError) as refused:
        raise next(oauth_conflicts(OAuthSettings.model_validate(left_out))).error
    assert "https://ghe.example.com/api/v3/user" in (refused.value.hint or "")
