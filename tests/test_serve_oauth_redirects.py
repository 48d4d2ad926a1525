"""Where codes may be sent: addresses that nobody may register, those that patterns allow, and every way around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from crosstrail.errors import ConfigError
from crosstrail.settings.redirect_uris import is_allowed, refused_pattern, refused_redirect
from crosstrail.settings.sign_in_settings import OAuthSettings, oauth_conflicts
from fakes.idp import FakeIdp
from ports import free_port
from running_server import PATIENCE, Server
from signing_in import CALLBACK, authorize_url, browser, recorded, registered, signing_in

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("redirects")


@pytest.fixture(scope="module")
def server(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    with signing_in(folder, idp, free_port()) as made:
        yield made


PATTERNS = (
    "cursor://*",
    "vscode://vscode.example/*",
    "http://localhost:*",
    "http://127.0.0.1:*/callback",
    "https://*.example.com/oauth/*",
)
MATCHING = (
    "cursor://anysphere.cursor-retrieval/oauth/user-x/callback",
    "CURSOR://anysphere.cursor-retrieval/oauth",
    "vscode://vscode.example/did-authenticate?windowId=1",
    "http://localhost:33418/callback",
    "http://localhost/callback",
    "http://127.0.0.1:1/callback",
    "https://app.example.com/oauth/callback",
    "https://a.b.example.com:443/oauth/",
)
NOT_MATCHING = (
    "http://localhost:1@evil.example/callback",
    "http://localhost:1:2@evil.example/callback",
    "http://localhost@evil.example:80/callback",
    "http://localhost:*@evil.example/callback",
    "http://localhost.evil.example:1/callback",
    "http://evil.example/http://localhost:1/",
    "http://localhost:1\\@evil.example/",
    "http://localhost:99999/",
    "http://127.0.0.1:1/other",
    "http://127.0.0.1:1/callback/../other",
    "http://127.0.0.2:1/callback",
    "https://localhost:1/callback",
    "javascript:cursor://alert(1)",
    "javascript://cursor%0aalert(1)",
    "data:cursor://x",
    "file://cursor/x",
    "cursor:javascript:alert(1)",
    "cursor.evil://x/",
    "cursors://x/",
    "cursor://user@evil.example/x",
    "cursor://x/y#z",
    "cursor://x/%2e%2e/y",
    "vscode://vscode.example/../other/x",
    "vscode://evil.example/vscode.example/",
    "vscode://vscode.example.evil/x",
    "https://example.com/oauth/x",
    "https://.example.com/oauth/x",
    "https://evilexample.com/oauth/x",
    "https://app.example.com.evil.example/oauth/x",
    "https://app.example.com/oauth/%2e%2e/steal",
    "https://app.example.com/oauth/..%2fsteal",
    "https://app.example.com:8443/oauth/x",
    "https://app.example.com/other",
    "https://evil.example/?https://app.example.com/oauth/x",
)


@pytest.mark.parametrize("address", MATCHING)
def test_an_address_that_a_pattern_allows(address: str) -> None:
    assert is_allowed(address, PATTERNS)


@pytest.mark.parametrize("address", NOT_MATCHING)
def test_an_address_that_only_looks_like_what_a_pattern_allows(address: str) -> None:
    assert not is_allowed(address, PATTERNS)


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "*://x",
        "javascript:*",
        "JavaScript://*",
        "data:*",
        "file:///*",
        "http://localhost:*@evil.example",
        "http://*",
        "https://*",
        "https://*.com/x",
        "https://app*.example.com/x",
        "https://app.example.com*/x",
        "https://*.*.example.com/x",
        "https://app.example.com:99999/",
        "http://app.example.com/x",
        "https://app.example.com/x#y",
        "https://app.example.com/a/../b",
        "http://[::1/x",
        "",
        "no address",
    ],
)
def test_a_pattern_that_would_allow_anything_or_nothing_does_not_start(pattern: str) -> None:
    assert refused_pattern(pattern)
    oauth = OAuthSettings.model_validate({"client_id": "a", "client_secret": "b", "redirect_uris": [pattern]})
    with pytest.raises(ConfigError, match=r"oauth\.redirect_uris has"):
        raise next(oauth_conflicts(oauth)).error


@pytest.mark.parametrize(
    "pattern", [*PATTERNS, CALLBACK, "http://[::1]:*", "https://app.example.com:*/x", "com.example.app:/oauth"]
)
def test_a_pattern_that_names_somebody_starts(pattern: str) -> None:
    assert not refused_pattern(pattern)


async def test_a_registered_address_needs_a_pattern_too(idp: FakeIdp, folder: Path) -> None:
    wanted = "cursor://anysphere.cursor-retrieval/oauth/callback"
    with signing_in(folder, idp, free_port(), redirect_uris=["cursor://*", "http://127.0.0.1:*"]) as server:
        refused = httpx2.post(
            f"{server.url}/register",
            json={"redirect_uris": [wanted, "https://app.example/callback"], "client_name": "x"},
            timeout=PATIENCE,
        )
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_redirect_uri")
        made = registered(server, wanted)
        for other in (f"{wanted}/other", "http://127.0.0.1:5/callback", "cursor://evil/x", "javascript:cursor://x"):
            answer = httpx2.get(
                authorize_url(server, made["client_id"], "v" * 50, redirect_uri=other), timeout=PATIENCE
            )
            assert (answer.status_code, "location" in answer.headers) == (400, False)
        url = authorize_url(server, made["client_id"], "v" * 50, redirect_uri=wanted)
        async with browser() as person:
            await person.open(url, until=wanted)
            assert person.landed.startswith(f"{wanted}?code=")
    with signing_in(folder, idp, free_port(), redirect_uris=["vscode://*"]) as server:  # the same clients, another rule
        answer = httpx2.get(authorize_url(server, made["client_id"], "v" * 50, redirect_uri=wanted), timeout=PATIENCE)
        assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    "address",
    ["https://user@app.example/callback", "https://app.example/callback#x", "http://10.0.0.7/x", "blob:https://a/1"],
)
async def test_who_asks_as_the_application_itself_registers_nothing_and_may_no_more(
    server: Server, idp: FakeIdp, address: str
) -> None:
    """Some clients send the application's own id, which they were told, without registering."""
    good = authorize_url(server, idp.client_id, "v" * 50, redirect_uri="https://app.example/callback")
    assert httpx2.get(good, timeout=PATIENCE).status_code == 302
    answer = httpx2.get(authorize_url(server, idp.client_id, "v" * 50, redirect_uri=address), timeout=PATIENCE)
    assert (answer.status_code, "location" in answer.headers) == (400, False)


REFUSED = {
    "userinfo": "http://127.0.0.1:33418@evil.example/callback",
    "userinfo on the machine": "http://user@127.0.0.1:33418/callback",
    "a password": "https://user:secret@app.example/callback",
    "a fragment": "https://app.example/callback#here",
    "an empty fragment": f"{CALLBACK}#",
    "http elsewhere": "http://app.example/callback",
    "http to a private network": "http://10.0.0.7/callback",
    "a wildcard": "https://*.example/callback",
    "a wildcard in the path": "https://app.example/*",
    "script": "javascript:alert(1)//",
    "SCRIPT": "JavaScript:alert(1)//",
    "data": "data:text/html,x",
    "a file": "file:///etc/passwd",
    "a page of the browser": "about:blank",
    "a blob": "blob:https://app.example/1",
    "too long": "https://app.example/" + "x" * 2_000,
}


ALLOWED = (
    "https://app.example/callback?a=b",
    "http://localhost:1/x",
    "http://[::1]:5/x",
    "cursor://anysphere.cursor-retrieval/oauth/callback",
    "com.example.app:/oauth",
    CALLBACK,
)


def test_which_addresses_a_code_may_go_to() -> None:
    assert [name for name, address in REFUSED.items() if not refused_redirect(address)] == []
    assert [address for address in ALLOWED if refused_redirect(address)] == []


async def test_a_redirect_to_an_unregistered_address_is_refused(server: Server, idp: FakeIdp) -> None:
    made, before = registered(server), len(idp.authorized)
    url = authorize_url(server, made["client_id"], "v" * 50, redirect_uri="https://evil.example/callback")
    with recorded(server, 400):
        answer = httpx2.get(url, timeout=PATIENCE)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert len(idp.authorized) == before


@pytest.mark.parametrize("name", ["userinfo", "a fragment", "script", "a wildcard"])
async def test_an_address_that_no_code_may_go_to_is_not_registered(server: Server, name: str) -> None:
    answer = httpx2.post(
        f"{server.url}/register",
        json={"redirect_uris": [CALLBACK, REFUSED[name]], "token_endpoint_auth_method": "none", "client_name": "x"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] in ("invalid_redirect_uri", "invalid_client_metadata")


async def test_an_address_of_an_application_is_registered(server: Server) -> None:
    assert registered(server, ALLOWED[3])["client_id"]


async def test_a_code_goes_to_no_address_with_more_in_it_than_was_registered(server: Server) -> None:
    made = registered(server)
    for change in ("user@127.0.0.1:33418/callback", "127.0.0.1:33418/callback#x"):
        url = authorize_url(server, made["client_id"], "v" * 50, redirect_uri=f"http://{change}")
        answer = httpx2.get(url, timeout=PATIENCE)
        assert (answer.status_code, "location" in answer.headers) == (400, False)
