"""A whole sign-in by a real MCP client through a fake GitHub, and everything that must break it off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import yaml

from fakes.idp import FakeIdp
from lake_workspace import text_of
from ports import free_port
from running_server import LIST_TOOLS, PATIENCE, Server, post
from signing_in import Wallet, browser, client_of, redis, signed_in, signing_in, with_lake
from volcengine_server import served

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lake(tmp_path_factory.mktemp("oauth"))


@pytest.fixture(scope="module")
def server(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    with signing_in(folder, idp, free_port()) as made:
        yield made


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
    again = httpx2.post(f"{server.url}/token", data={**form, **client_of(wallet)}, timeout=PATIENCE)
    assert again.status_code == 200, again.text
    fresh = again.json()["access_token"]
    assert fresh != wallet.tokens.access_token
    assert post(server.url, LIST_TOOLS, Authorization=f"Bearer {fresh}").status_code == 200


async def test_a_token_endpoint_that_answers_without_end_is_cut(server: Server, idp: FakeIdp) -> None:
    wallet = Wallet()
    async with browser() as person, signed_in(server.url, wallet, person) as client:
        await client.list_tools()
    assert wallet.tokens
    form = {"grant_type": "refresh_token", "refresh_token": str(wallet.tokens.refresh_token), **client_of(wallet)}
    idp.wire["/login/oauth/access_token"] = "endless"
    try:
        answer = httpx2.post(f"{server.url}/token", data=form, timeout=PATIENCE)
    finally:
        idp.wire.clear()
    assert answer.status_code >= 400
    assert 0 < idp.poured < 32_000_000, "what the kernel's buffers hold, beside a quarter of a megabyte"
    assert httpx2.get(f"{server.url}/ping", timeout=PATIENCE).status_code == 200


async def test_who_signs_in_without_a_rule_sees_nothing(server: Server, idp: FakeIdp) -> None:
    idp.login, idp.user_id = "mallory", 666
    try:
        async with browser() as person, signed_in(server.url, Wallet(), person) as client:
            assert (await client.list_tools()).tools == []
            assert (await client.call_tool("list_accounts", {})).is_error
    finally:
        idp.login, idp.user_id = "alice", 4711


async def test_groups_are_read_where_the_provider_says_them(idp: FakeIdp, folder: Path) -> None:
    idp.claims = {"groups": ["staff"], "resource_access": {"my.app": {"roles": ["secops"]}}}
    claims = ["resource_access.my.app.roles", "https://example.com/groups"]
    try:
        with signing_in(folder, idp, free_port(), who="group:secops", groups_claim=claims) as made:
            async with browser() as person, signed_in(made.url, Wallet(), person) as client:
                assert "1 account" in text_of(await client.call_tool("list_accounts", {}))
        with signing_in(folder, idp, free_port(), who="group:staff", groups_claim=claims) as made:
            async with browser() as person, signed_in(made.url, Wallet(), person) as client:
                assert (await client.list_tools()).tools == []
    finally:
        idp.claims = {}


async def test_sign_ins_survive_a_restart(idp: FakeIdp, folder: Path) -> None:
    wallet, port = Wallet(), free_port()
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


async def test_replicas_share_sign_ins_through_redis(idp: FakeIdp, folder: Path, tmp_path: Path) -> None:
    wallet, port = Wallet(), free_port()
    with (
        redis(tmp_path) as (storage, saved),
        signing_in(folder, idp, port, storage=storage) as first,
        signing_in(folder, idp, port, listen=free_port(), storage=storage) as second,
    ):
        async with browser() as person, signed_in(first.url, wallet, person) as client:
            await client.list_tools()
        assert wallet.tokens
        bearer = f"Bearer {wallet.tokens.access_token}"
        assert first.url != second.url
        assert post(second.url, LIST_TOOLS, Authorization=bearer).status_code == 200
    assert not any(token.encode() in saved.read_bytes() for token in (*idp.tokens, wallet.tokens.access_token))


async def test_volcengines_own_configuration_signs_in_too(idp: FakeIdp, tmp_path: Path) -> None:
    """The five keys of its cfg.yaml, and who may ask."""
    port = free_port()
    cfg = tmp_path / "cfg.yaml"
    oauth = {
        "client_id": idp.client_id,
        "client_secret": idp.client_secret,
        "authorize_url": f"{idp.url}/login/oauth/authorize",
        "token_url": f"{idp.url}/login/oauth/access_token",
        "scope": ["user"],
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
        begun = [one for one in idp.authorized if one["redirect_uri"] == f"{made.url}/auth/oauth/callback"]
        assert begun, "what their users have registered"
        assert {one["scope"] for one in begun} == {"user"}
        for path in ("/auth/callback", "/auth/oauth/callback"):
            assert httpx2.get(f"{made.url}{path}?code=x&state=guessed", timeout=PATIENCE).status_code == 400
        idp.login = "mallory"
        try:
            async with browser() as person, signed_in(made.url, Wallet(), person) as client:
                assert (await client.list_tools()).tools == []
        finally:
            idp.login = "alice"


async def test_the_log_holds_no_secret_at_its_most_talkative(
    idp: FakeIdp, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSTRAIL_LOG_LEVEL", "debug")
    wallet = Wallet()
    with signing_in(folder, idp, free_port()) as made:
        async with browser() as person, signed_in(made.url, wallet, person) as client:
            await client.list_tools()
            code = person.query["code"]
        assert wallet.tokens
        form = {"grant_type": "refresh_token", "refresh_token": str(wallet.tokens.refresh_token), **client_of(wallet)}
        assert httpx2.post(f"{made.url}/token", data=form, timeout=PATIENCE).status_code == 200
        post(made.url, LIST_TOOLS, Authorization="Bearer wrong-token-of-somebody")
        made.stop()
        said = "".join(made.lines)
    assert "DEBUG" in said
    secret = [*idp.tokens, *idp.refresh_tokens, idp.client_secret, code, "wrong-token-of-somebody"]
    secret += [wallet.tokens.access_token, str(wallet.tokens.refresh_token)]
    assert [one for one in secret if one in said] == []
