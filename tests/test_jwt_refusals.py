"""Why a token was refused: in the record and in the log for the operator, never in the answer to who sent it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crosstrail.server.auth.bearer import TokenBackend
from crosstrail.server.auth.jwt_verifier import JwtVerifier
from crosstrail.settings.jwt_settings import JwtSettings
from fakes.idp import FakeIdp, SigningKey
from running_server import LIST_TOOLS, Server, post, serving
from token_server import RESOURCE, accounts_of, logged, reason, status, token_config, with_lake

pytestmark = pytest.mark.anyio
CLIENT = "1example23456789"
ACCESS = [{"who": ["group:secops", "client:batch", "subject:u-1"], "accounts": ["prod"]}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lake(tmp_path_factory.mktemp("refusals"))


@pytest.fixture(scope="module")
def server(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    jwt = {"issuer": idp.url, "jwks_url": idp.jwks_url, "required_scopes": ["trails.read"]}
    with serving(token_config(folder, jwt, ACCESS)) as made:
        yield made


@pytest.fixture(scope="module")
def by_client(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    """As AgentCore's recipe has it: no address of its own, no audience, clients alone."""
    jwt = {"issuer": idp.url, "jwks_url": idp.jwks_url, "allowed_clients": [CLIENT, "batch"]}
    with serving(token_config(folder, jwt, ACCESS, public_url="")) as made:
        yield made


def test_every_reason_is_recorded_and_logged(server: Server, idp: FakeIdp) -> None:
    cases: dict[str, tuple[str, str]] = {
        "expired": (idp.token(exp=1_000_000_000), "it has expired"),
        "not_yet_valid": (idp.token(nbf=4_000_000_000), "not valid yet"),
        "audience": (idp.token(aud=["api://a", "b"]), f"audience 'api://a', 'b' is not among '{RESOURCE}'"),
        "issuer": (idp.token(iss="https://evil.example/"), f"issuer 'https://evil.example/' is not among '{idp.url}'"),
        "unknown_key": (idp.token(key=SigningKey("unknown")), "its key is none of"),
        "signature": (idp.token(key=SigningKey("first")), "its signature is not that of its key"),
        "algorithm": (idp.token(key=SigningKey("first", algorithm="PS512")), "'PS512' is not among 'RS256', 'ES256'"),
        "missing_claim": (idp.token(exp=None), "it has no exp"),
        "subject": (idp.token(sub="two\nlines"), "its sub names nobody"),
        "malformed": ("abc", "it is no token"),
    }
    for expected, (token, words) in cases.items():
        since = len(server.lines)
        assert reason(server, token) == (401, expected)
        line = logged(server, words, since)
        assert f"a token is refused ({expected})" in line
        assert token not in line


def test_too_few_scopes_and_no_token_are_reasons_too(server: Server, idp: FakeIdp) -> None:
    assert reason(server, idp.token(scope="openid")) == (403, "scope")
    before = len(server.records())
    assert post(server.url, LIST_TOOLS).status_code == 401
    assert server.records()[before]["reason"] == "no_token"
    assert post(server.url, LIST_TOOLS, Authorization="Basic dTpw").status_code == 401
    assert server.records()[-1]["reason"] == "no_token"
    large = json.dumps({**LIST_TOOLS, "x": "y" * 20_000}).encode()
    assert post(server.url, large, Authorization="Bearer abc").status_code == 413
    assert "reason" not in server.records()[-1]


def test_the_answer_says_no_more_than_that_it_is_not_valid(server: Server, idp: FakeIdp) -> None:
    answers = {
        (answer.status_code, answer.text, answer.headers["www-authenticate"])
        for token in (idp.token(exp=1), idp.token(aud="x"), idp.token(iss="https://evil.example"), "abc")
        for answer in [post(server.url, LIST_TOOLS, Authorization=f"Bearer {token}")]
    }
    assert len(answers) == 1


async def test_a_flood_of_tokens_does_not_fill_the_log(idp: FakeIdp, caplog: pytest.LogCaptureFixture) -> None:
    from starlette.requests import HTTPConnection

    now = [0.0]
    verifier = JwtVerifier(JwtSettings(issuer=idp.url, jwks_url=idp.jwks_url), RESOURCE)
    backend = TokenBackend(verifier, clock=lambda: now[0])
    token = idp.token(iss="https://evil.example/" + "\x1b[31m\n" + "x" * 5_000)

    async def send() -> None:
        scope = {"type": "http", "path": "/mcp", "headers": [(b"authorization", f"Bearer {token}".encode())]}
        assert await backend.authenticate(HTTPConnection(scope)) is None

    for _ in range(50):
        await send()
    assert len(caplog.messages) == 20
    assert all(len(line) < 400 and line.isprintable() for line in caplog.messages)
    now[0] = 61.0
    await send()
    assert caplog.messages[20:21] == ["30 more tokens were refused"]
    assert len(caplog.messages) == 22


COGNITO: dict[str, Any] = {
    "aud": None,
    "token_use": "access",
    "client_id": CLIENT,
    "username": "alice",
    "scope": "openid",
}


async def test_a_token_without_an_audience_is_for_us_by_its_client(by_client: Server, idp: FakeIdp) -> None:
    assert await accounts_of(by_client, idp.token(**COGNITO)) == {"prod"}
    assert [one["client"] for one in by_client.records() if one["kind"] == "call"][-1] == CLIENT
    machine = idp.token(**{**COGNITO, "client_id": "batch", "sub": "batch", "username": None})
    assert await accounts_of(by_client, machine) == {"prod"}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"client_id": "another"}, "client"),
        ({"client_id": None}, "client"),
        ({"client_id": ["batch"]}, "client"),
        ({"client_id": None, "sub": "batch"}, "client"),
        ({"client_id": "batch\n"}, "client"),
        ({"token_use": "id"}, "audience"),
        ({"token_use": None, "aud": CLIENT}, "audience"),
        ({"token_use": "id", "aud": CLIENT, "client_id": None}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": ""}, "audience"),
        ({"aud": [None]}, "audience"),
        ({"aud": {"a": 1}}, "audience"),
        ({"aud": ["batch"]}, "audience"),
    ],
)
def test_what_is_not_of_a_listed_client_is_refused(
    by_client: Server, idp: FakeIdp, claims: dict[str, Any], expected: str
) -> None:
    assert reason(by_client, idp.token(**{**COGNITO, **claims})) == (401, expected)


def test_without_a_list_of_clients_an_audience_is_needed(server: Server, idp: FakeIdp) -> None:
    since = len(server.lines)
    assert reason(server, idp.token(**COGNITO)) == (401, "audience")
    assert f"client '{CLIENT}'" in logged(server, "jwt.allowed_clients is empty", since)
    bad: list[Any] = [[], "", [""], [1], 5]
    for empty in bad:
        assert reason(server, idp.token(**{**COGNITO, "aud": empty})) == (401, "audience")


def test_an_id_token_is_no_access_token_unless_its_audience_is_configured(idp: FakeIdp, folder: Path) -> None:
    groups: dict[str, Any] = {"cognito:groups": ["secops"]}
    token = idp.token(aud=CLIENT, token_use="id", **groups)
    usual = {"issuer": idp.url, "jwks_url": idp.jwks_url, "groups_claim": "cognito:groups"}
    with serving(token_config(folder, {**usual, "audience": CLIENT}, ACCESS, public_url="")) as made:
        assert status(made, token) == 200
    both = {**usual, "audience": RESOURCE, "allowed_clients": CLIENT}
    with serving(token_config(folder, both, ACCESS)) as made:
        assert reason(made, token) == (401, "audience")
        assert status(made, idp.token(azp=CLIENT)) == 200
        assert reason(made, idp.token(azp="another")) == (401, "client")


def nested(depth: int) -> Any:
    value: Any = ["secops"]
    for _ in range(depth):
        value = {"groups": [value]}
    return value


@pytest.mark.parametrize("claim", [nested(400), nested(1), [["secops"]], {"secops": True}, ["x" * 20] * 500])
async def test_a_huge_or_deep_claim_for_groups_gives_none(server: Server, idp: FakeIdp, claim: Any) -> None:
    token = idp.token(sub="u-2", scope="trails.read", groups=claim)
    assert await accounts_of(server, token) == set()
