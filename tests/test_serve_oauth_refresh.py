"""A refresh token works once: for all who use it at the same moment, and for nobody who comes with it later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from fakes.idp import FakeIdp
from fakes.oauth_providers import GITHUB
from ports import free_port
from running_server import LIST_TOOLS, PATIENCE, Server, post
from signing_in import Wallet, browser, client_of, recorded, redis, registered, signed_in, signing_in

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refresh")


@pytest.fixture(scope="module")
def server(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    with signing_in(folder, idp, free_port()) as made:
        yield made


@pytest.fixture(scope="module")
def strict(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    """One whose grace is as short as it may be."""
    with signing_in(folder, idp, free_port(), refresh_grace=1) as made:
        yield made


async def new_sign_in(server: Server) -> Wallet:
    wallet = Wallet()
    async with browser() as person, signed_in(server.url, wallet, person) as client:
        await client.list_tools()
    assert wallet.tokens
    return wallet


async def refreshed(server: Server, wallet: Wallet, token: str = "", **client: str) -> httpx2.Response:
    """The answer to its refresh token, or to another one, of its client or another."""
    assert wallet.tokens
    form = {"grant_type": "refresh_token", "refresh_token": token or str(wallet.tokens.refresh_token)}
    async with httpx2.AsyncClient(timeout=PATIENCE) as http:
        return await http.post(f"{server.url}/token", data={**form, **client_of(wallet), **client})


def works(server: Server, token: str) -> bool:
    return post(server.url, LIST_TOOLS, Authorization=f"Bearer {token}").status_code == 200


async def test_two_at_once_get_one_answer(server: Server, idp: FakeIdp) -> None:
    wallet, before = await new_sign_in(server), idp.asked[GITHUB.token]
    first, second = await asyncio.gather(*(refreshed(server, wallet) for _ in range(2)))
    assert [first.status_code, second.status_code] == [200, 200], (first.text, second.text)
    late = await refreshed(server, wallet)  # a window that was asleep for a moment
    assert late.status_code == 200, late.text
    for name in ("access_token", "refresh_token"):
        assert {one.json()[name] for one in (first, second, late)} == {first.json()[name]}
    assert 0 < late.json()["expires_in"] <= first.json()["expires_in"]
    assert works(server, first.json()["access_token"])
    assert idp.asked[GITHUB.token] == before + 1, "its own refresh token works once"
    assert (await refreshed(server, wallet, first.json()["refresh_token"])).status_code == 200


@pytest.mark.parametrize("shared", ["folder", "redis"])
@pytest.mark.parametrize("grace", [30, 1])
async def test_two_at_once_at_two_replicas_both_go_on(idp: FakeIdp, tmp_path: Path, shared: str, grace: int) -> None:
    """With the longer grace the second waits for the first's answer, with the shorter one it asks the provider itself, is
    refused, and takes that answer."""
    with ExitStack() as stack:
        storage = stack.enter_context(redis(tmp_path))[0] if shared == "redis" else str(tmp_path / "shared")
        port = free_port()
        options: dict[str, Any] = {"storage": storage, "refresh_grace": grace}
        replicas = [
            stack.enter_context(signing_in(tmp_path, idp, port, listen=at, **options)) for at in (port, free_port())
        ]
        wallet, before = await new_sign_in(replicas[0]), idp.asked[GITHUB.token]
        idp.delays[GITHUB.token] = 2.0
        try:
            first = asyncio.create_task(refreshed(replicas[0], wallet))
            async with httpx2.AsyncClient(timeout=PATIENCE) as http:
                while idp.asked[GITHUB.token] == before:
                    assert (await http.get(f"{replicas[1].url}/ping")).status_code == 200
            both = [await refreshed(replicas[1], wallet), await first]
        finally:
            idp.delays.clear()
        assert [one.status_code for one in both] == [200, 200], [one.text for one in both]
        assert idp.asked[GITHUB.token] - before == (1 if grace > 2 else 2)
        for one in both:
            assert works(replicas[0], one.json()["access_token"])
            assert works(replicas[1], one.json()["access_token"])
        last = both[0].json()["refresh_token"]
        assert (await refreshed(replicas[0], wallet, last)).status_code == 200


async def test_a_refresh_token_that_comes_back_later_ends_its_sign_in_and_no_other(strict: Server) -> None:
    wallet, other = await new_sign_in(strict), await new_sign_in(strict)
    fresh = (await refreshed(strict, wallet)).json()
    assert works(strict, fresh["access_token"])
    while (again := await refreshed(strict, wallet)).status_code == 200:
        assert again.json()["access_token"] == fresh["access_token"]
    assert (again.status_code, again.json()["error"]) == (401, "invalid_grant")
    assert not works(strict, fresh["access_token"])
    with recorded(strict, 401):
        ended = await refreshed(strict, wallet, fresh["refresh_token"])
    assert ended.json()["error"] == "invalid_grant"
    assert any("used again" in line for line in strict.lines)
    assert other.tokens
    assert works(strict, other.tokens.access_token)
    assert (await refreshed(strict, other)).status_code == 200


async def test_a_used_refresh_token_is_worth_nothing_to_another_client(server: Server) -> None:
    wallet = await new_sign_in(server)
    fresh = (await refreshed(server, wallet)).json()
    with recorded(server, 401, 401):
        for token in ("", fresh["refresh_token"]):
            stolen = await refreshed(server, wallet, token, **registered(server))
            assert stolen.json()["error"] == "invalid_grant"
    assert works(server, fresh["access_token"]), "and ends nobody's sign-in"


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
async def test_a_made_up_refresh_token_is_refused(server: Server, token: str) -> None:
    wallet = await new_sign_in(server)
    assert (await refreshed(server, wallet, token)).json()["error"] == "invalid_grant"
    assert wallet.tokens
    assert (await refreshed(server, wallet, wallet.tokens.access_token)).json()["error"] == "invalid_grant"


async def test_a_provider_that_fails_costs_no_refresh_token(server: Server, idp: FakeIdp) -> None:
    wallet = await new_sign_in(server)
    idp.pages[GITHUB.token] = 503
    try:
        assert (await refreshed(server, wallet)).status_code >= 500
    finally:
        idp.pages.clear()
    assert (await refreshed(server, wallet)).status_code == 200


async def test_a_sign_in_that_the_provider_ended_is_over(server: Server, idp: FakeIdp) -> None:
    wallet = await new_sign_in(server)
    idp.refresh_tokens.clear()
    refused = await refreshed(server, wallet)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_grant"), "GitHub calls it bad_refresh_token"


async def test_answers_that_are_given_again_are_stored_encrypted(server: Server, folder: Path) -> None:
    wallet = await new_sign_in(server)
    fresh = (await refreshed(server, wallet)).json()
    assert wallet.tokens
    secret = [wallet.tokens.refresh_token, fresh["access_token"], fresh["refresh_token"]]
    stored = b"".join(path.read_bytes() for path in (folder / "oauth").rglob("*") if path.is_file())
    assert stored
    assert not any(str(one).encode() in stored for one in secret)
