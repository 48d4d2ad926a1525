"""What must break a sign-in off: consent skipped, codes and states of others, redirects to nowhere registered."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr

from crosstrail.server.auth.oauth import UserInfo, open_store
from crosstrail.settings.sign_in_settings import OAuthSettings
from fakes.idp import FakeIdp
from ports import free_port
from running_server import LIST_TOOLS, PATIENCE, Server, post
from signing_in import (
    CALLBACK,
    Wallet,
    authorize_url,
    browser,
    client_of,
    recorded,
    registered,
    signed_in,
    signing_in,
    with_lake,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lake(tmp_path_factory.mktemp("oauth"))


@pytest.fixture(scope="module")
def server(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    with signing_in(folder, idp, free_port()) as made:
        yield made


@pytest.mark.parametrize("sub", ["", " ", "\t", None, 7, ["a"], "a\x00", " a", "a\u202e", "x" * 256, {"a": 1}])
async def test_a_provider_that_names_nobody_lets_nobody_in(idp: FakeIdp, sub: object) -> None:
    idp.tokens.add("a-token")
    idp.claims = {"sub": sub}
    try:
        assert await UserInfo(f"{idp.url}/user", idp.url).verify_token("a-token") is None
        idp.claims = {"sub": "auth0|é 1"}
        known = await UserInfo(f"{idp.url}/user", idp.url).verify_token("a-token")
        assert known
        assert known.subject == "auth0|é 1"
        idp.claims = {"name": "x" * 300_000}  # more than anybody reads
        assert await UserInfo(f"{idp.url}/user", idp.url).verify_token("a-token") is None
    finally:
        idp.claims = {}


async def test_without_pkce_nobody_gets_a_code(server: Server) -> None:
    made = registered(server)
    with recorded(server, 302):  # a refusal that has a place to go back to
        answer = httpx2.get(authorize_url(server, made["client_id"], "v" * 50, code_challenge=""), timeout=PATIENCE)
    assert (
        "code_challenge"
        in parse_qs(urlsplit(answer.headers.get("location", "")).query).get("error_description", [answer.text])[0]
    )


async def test_a_code_works_once_for_its_client_with_its_verifier(server: Server) -> None:
    made, other, verifier = registered(server), registered(server), secrets.token_urlsafe(40)

    async def code() -> str:
        async with browser() as person:
            await person.open(authorize_url(server, made["client_id"], verifier))
            return person.query["code"]

    def exchange(code: str, **more: str) -> httpx2.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier}
        return httpx2.post(f"{server.url}/token", data={**form, **made, **more}, timeout=PATIENCE)

    with recorded(server, 401, 401, 401):
        assert exchange(await code(), code_verifier="w" * 50).json()["error"] == "invalid_grant"
        assert exchange(await code(), **other).json()["error"] == "invalid_grant"
        good = await code()
        assert exchange(good).status_code == 200
        assert exchange(good).json()["error"] == "invalid_grant"


async def test_consent_cannot_be_skipped_or_denied_into_a_code(server: Server, idp: FakeIdp) -> None:
    made = registered(server)
    async with browser() as person:
        person.action = "deny"
        await person.open(authorize_url(server, made["client_id"], "v" * 50))
        assert person.query.get("error") == "access_denied"
    async with browser() as person:
        first = await person.http.get(authorize_url(server, made["client_id"], "v" * 50))
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
    made = registered(server)
    async with browser() as attacker, browser() as victim:
        url = authorize_url(server, made["client_id"], "v" * 50)
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
    with signing_in(folder, idp, free_port()) as other:  # the same keys and storage, another address
        async with browser() as person, signed_in(other.url, wallet, person) as client:
            await client.list_tools()
    assert wallet.tokens
    foreign = (wallet.tokens.access_token, *idp.tokens)
    with recorded(server, *(401 for _ in foreign)):
        for token in foreign:
            assert post(server.url, LIST_TOOLS, Authorization=f"Bearer {token}").status_code == 401


async def test_a_state_that_nobody_gave_and_a_code_nobody_gave_are_refused(server: Server) -> None:
    with recorded(server, 400, 400, 401):
        guessed = httpx2.get(f"{server.url}/auth/callback?code=x&state=guessed", timeout=PATIENCE)
        assert guessed.status_code == 400
        assert httpx2.get(f"{server.url}/auth/callback", timeout=PATIENCE).status_code == 400
        form = {
            "grant_type": "authorization_code",
            "code": "guessed",
            "redirect_uri": CALLBACK,
            "code_verifier": "v" * 50,
        }
        refused = httpx2.post(f"{server.url}/token", data={**form, **registered(server)}, timeout=PATIENCE)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_grant")


async def test_a_refresh_token_of_another_client_is_refused(server: Server, idp: FakeIdp) -> None:
    wallet = Wallet()
    async with browser() as person, signed_in(server.url, wallet, person) as client:
        await client.list_tools()
    assert wallet.tokens
    form = {"grant_type": "refresh_token", "refresh_token": str(wallet.tokens.refresh_token)}
    with recorded(server, 401):
        stolen = httpx2.post(f"{server.url}/token", data={**form, **registered(server)}, timeout=PATIENCE)
        assert stolen.json()["error"] == "invalid_grant"
    assert httpx2.post(f"{server.url}/token", data={**form, **client_of(wallet)}, timeout=PATIENCE).status_code == 200


def until_late(ask: Callable[[], httpx2.Response]) -> list[httpx2.Response]:
    """The answers up to the first that says to come back later."""
    answers = [ask()]
    while answers[-1].status_code != 429:
        assert len(answers) < 1_000
        answers.append(ask())
    return answers


def test_a_registration_is_kept_and_therefore_small(server: Server) -> None:
    for asked in ({"client_name": "x" * 9_000}, {"redirect_uris": [f"{CALLBACK}{number}" for number in range(300)]}):
        with recorded(server, 413):
            large = {"redirect_uris": [CALLBACK], **asked}
            assert httpx2.post(f"{server.url}/register", json=large, timeout=PATIENCE).status_code == 413


def test_a_stranger_writes_no_line_of_his_own_into_log_or_record(server: Server) -> None:
    forged = json.dumps({"kind": "call", "principal": "alice", "tool": "create_trail", "outcome": "done"})
    hostile = f"x\n{forged}\r\n{forged}\x1b[2J\x1b]0;gone\x07\u2028{forged}"
    before, said = len(server.records()), len(server.lines)
    asks = ({"error": hostile, "error_description": hostile}, {"code": "x", "state": hostile}, {"error": "last"})
    for query in asks:
        assert httpx2.get(f"{server.url}/auth/callback", params=query, timeout=PATIENCE).status_code == 400
    while not any("error: last" in line for line in server.lines[said:]):
        assert server.process.poll() is None
    log = "".join(server.lines[said:])
    assert not any(line.lstrip().startswith("{") for line in log.splitlines())
    assert log.replace("\n", "").isprintable()
    assert len(server.lines) - said == len(asks)
    assert [one["kind"] for one in server.records()[before:]] == ["refused"] * len(asks)


def test_a_flood_of_registrations_and_sign_ins_is_held_to_a_pace(idp: FakeIdp, folder: Path) -> None:
    with signing_in(folder, idp, free_port()) as made:
        with httpx2.Client(base_url=made.url, timeout=PATIENCE) as http:
            registered = until_late(lambda: http.post("/register", json={"redirect_uris": [CALLBACK]}))
            begun = until_late(lambda: http.get("/authorize?client_id=x"))
            ended = until_late(lambda: http.get("/auth/callback?error=x"))
        assert httpx2.get(f"{made.url}/.well-known/oauth-authorization-server", timeout=PATIENCE).status_code == 200
        turned_away = [one["path"] for one in made.records() if one.get("status") == 429]
    paces = ((registered, "/register", 30), (begun, "/authorize", 120), (ended, "/auth/callback", 120))
    for answers, path, most in paces:
        assert len(answers) > most  # one more is let in as time passes
        assert answers[-1].headers["retry-after"] == "1"
        assert turned_away.count(path) == 1


async def test_what_has_expired_does_not_stay_on_the_disk(idp: FakeIdp, tmp_path: Path) -> None:
    settings = OAuthSettings(client_secret=SecretStr(idp.client_secret), storage=str(tmp_path / "oauth"))
    store = open_store(settings)
    await store.put(collection="begun", key="old", value={"a": 1}, ttl=0.001)
    await store.put(collection="begun", key="new", value={"a": 1}, ttl=3600)

    def kept() -> list[str]:
        return sorted(path.stem for path in (tmp_path / "oauth").glob("*/begun/*.json"))

    assert kept() == ["new", "old"]
    with signing_in(tmp_path, idp, free_port()) as made:
        while "old" in kept():
            assert httpx2.get(f"{made.url}/ping", timeout=PATIENCE).status_code == 200
    assert kept() == ["new"]
