"""What /healthz says of what a server depends on, and what asking for it may cost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest

from crosstrail.errors import CrosstrailError
from crosstrail.server.http.health import Checks
from fakes.idp import FakeIdp
from running_server import PATIENCE, health, serving, write_config

pytestmark = pytest.mark.anyio


def oauth(idp: FakeIdp, folder: Path) -> Path:
    return write_config(
        folder,
        lake={"path": "lake"},
        serve={"auth": "oauth", "public_url": "https://trails.example.com", "allowed_hosts": "127.0.0.1"},
        oauth={
            "client_id": idp.client_id,
            "client_secret": idp.client_secret,
            "authorize_url": f"{idp.url}/login/oauth/authorize",
            "token_url": f"{idp.url}/login/oauth/access_token",
            "userinfo_url": f"{idp.url}/user",
            "storage": str(folder / "oauth"),
        },
        access=[{"who": ["login:alice"], "accounts": ["*"]}],
    )


def test_an_identity_provider_that_answers_is_not_asked_again_and_again(tmp_path: Path) -> None:
    with FakeIdp() as idp, serving(oauth(idp, tmp_path)) as made:
        well = {"accounts": "ok", "lake": "ok", "identity": "ok"}
        health(made.url, **well)
        for _ in range(20):
            said = httpx2.get(f"{made.url}/healthz", timeout=PATIENCE)
            assert said.json() == {"status": "ok", "checks": well}
        assert idp.asked["/user"] == 1


def test_an_identity_provider_that_is_gone_is_said(tmp_path: Path) -> None:
    with FakeIdp() as idp:
        config = oauth(idp, tmp_path)
    with serving(config) as made:
        checks = {"accounts": "ok", "lake": "ok", "identity": "failing"}
        said = health(made.url, **checks)
        assert said.status_code == 503
        assert said.json() == {"status": "failing", "checks": checks}
        assert httpx2.get(f"{made.url}/ping", timeout=PATIENCE).status_code == 200


async def test_what_hangs_fails_in_time_and_is_asked_once() -> None:
    asked = []
    answered = asyncio.Event()

    async def hangs() -> None:
        asked.append(1)
        await answered.wait()

    async def breaks() -> None:
        raise RuntimeError("secret")

    async def fails() -> None:
        raise CrosstrailError("x")

    async def works() -> None:
        return None

    checks = Checks({"a": hangs, "b": breaks, "c": fails, "d": works}, wait_seconds=0.01, kept_seconds=0)
    for _ in range(3):
        found = await asyncio.gather(*(checks.states() for _ in range(5)))
        assert found == [{"a": "failing", "b": "failing", "c": "failing", "d": "ok"}] * 5
    assert len(asked) == 1
    answered.set()
    await checks.states()
    assert (await checks.states())["a"] == "ok"


async def test_many_who_ask_at_once_cost_one_look() -> None:
    asked = []

    async def works() -> None:
        asked.append(1)

    checks = Checks({"a": works})
    await asyncio.gather(*(checks.states() for _ in range(100)))
    assert len(asked) == 1
