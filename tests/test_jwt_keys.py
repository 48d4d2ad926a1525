"""Keys of an identity provider: which may verify what, how they are found, replaced and withdrawn, and what holds while it is away."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from crosstrail.server.auth.jwks import ProviderAway
from crosstrail.server.auth.jwt_verifier import JwtVerifier, Refused
from crosstrail.settings.jwt_settings import JwtSettings
from fakes.http import Answer
from fakes.idp import FakeIdp, SigningKey
from ports import free_port
from running_server import LIST_TOOLS, post, serving
from token_server import RESOURCE, reason, token_config

pytestmark = pytest.mark.anyio
ALL = ("RS256", "RS512", "PS256", "ES256", "ES384")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def keys(idp: FakeIdp, *given: SigningKey) -> Iterator[None]:
    """The provider has these keys for a while."""
    before, idp.keys = idp.keys, list(given)
    try:
        yield
    finally:
        idp.keys = before


def verifier(idp: FakeIdp, clock: Clock | None = None, **values: Any) -> JwtVerifier:
    settings = JwtSettings(**{"issuer": idp.url, "jwks_url": idp.jwks_url, "algorithms": ALL, **values})
    return JwtVerifier(settings, RESOURCE, clock=clock or Clock())


async def refused(verifier: JwtVerifier, token: str) -> str:
    """The class of the reason; empty for a token that is believed."""
    try:
        await verifier.verified(token)
    except Refused as error:
        return error.reason
    return ""


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256"])
async def test_a_key_without_an_algorithm_takes_every_listed_one_of_its_type(idp: FakeIdp, algorithm: str) -> None:
    key = SigningKey("plain", algorithm=algorithm, bound=False)
    with keys(idp, key):
        assert await refused(verifier(idp), idp.token(key=key)) == ""
        others = [one for one in ALL if one != algorithm]
        assert await refused(verifier(idp, algorithms=others), idp.token(key=key)) == "algorithm"


@pytest.mark.parametrize(("curve", "algorithm"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384")])
async def test_a_curve_has_one_algorithm(idp: FakeIdp, curve: ec.EllipticCurve, algorithm: str) -> None:
    key = SigningKey("curve", ec.generate_private_key(curve), algorithm, bound=False)
    with keys(idp, key):
        assert await refused(verifier(idp), idp.token(key=key)) == ""
        wrong = {"ES256": "ES384", "ES384": "ES256"}[algorithm]
        forged = SigningKey("curve", algorithm="RS256")
        assert await refused(verifier(idp), idp.token(key=forged)) == "algorithm"
        assert await refused(verifier(idp, algorithms=[wrong]), idp.token(key=key)) == "algorithm"


async def test_a_key_that_is_bound_to_an_algorithm_takes_no_other(idp: FakeIdp) -> None:
    key = SigningKey("bound", algorithm="PS256")
    with keys(idp, replace(key, algorithm="RS256")):
        assert await refused(verifier(idp), idp.token(key=key)) == "algorithm"


@pytest.mark.parametrize("bound", [True, False])
async def test_a_public_key_is_no_secret(idp: FakeIdp, bound: bool) -> None:
    """HMAC with the key's text for a secret, and no signature at all."""
    key = SigningKey("plain", bound=bound)
    claims = jwt.decode(idp.token(), options={"verify_signature": False})

    def part(value: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    with keys(idp, key):
        for secret in (key.public_pem.encode(), json.dumps(key.jwk).encode()):
            text = part({"alg": "HS256", "kid": "plain"}) + b"." + part(claims)
            mac = base64.urlsafe_b64encode(hmac.new(secret, text, hashlib.sha256).digest()).rstrip(b"=")
            assert await refused(verifier(idp), (text + b"." + mac).decode()) == "algorithm"
        unsigned = part({"alg": "none", "kid": "plain"}) + b"." + part(claims) + b"."
        assert await refused(verifier(idp), unsigned.decode()) == "algorithm"


@pytest.mark.parametrize("more", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": 5}, {"alg": "RSA-OAEP"}])
async def test_a_key_of_another_use_verifies_nothing(idp: FakeIdp, more: dict[str, Any]) -> None:
    other = SigningKey("other")
    idp.pages["/keys"] = Answer(200, json.dumps({"keys": [{**idp.key.jwk, **more}, other.jwk]}).encode())
    try:
        assert await refused(verifier(idp), idp.token()) == "unknown_key"
        assert await refused(verifier(idp), idp.token(key=other)) == ""
    finally:
        idp.pages.clear()


async def test_two_keys_of_one_id_are_both_tried(idp: FakeIdp) -> None:
    first, second, stranger = (SigningKey("same") for _ in range(3))
    with keys(idp, first, second):
        made = verifier(idp)
        assert await refused(made, idp.token(key=first)) == ""
        assert await refused(made, idp.token(key=second)) == ""
        assert await refused(made, idp.token(key=stranger)) == "signature"


async def test_a_key_replaced_under_its_id_is_found_and_strangers_cannot_make_us_ask(idp: FakeIdp) -> None:
    old, new, stranger = (SigningKey("same") for _ in range(3))
    clock, idp.asked["/keys"] = Clock(), 0
    with keys(idp, old):
        made = verifier(idp, clock)
        assert await refused(made, idp.token(key=old)) == ""
        for _ in range(5):
            assert await refused(made, idp.token(key=stranger)) == "signature"
        assert idp.asked["/keys"] == 1
    with keys(idp, new):
        assert await refused(made, idp.token(key=new)) == "signature"
        clock.now += 31
        assert await refused(made, idp.token(key=new)) == ""
        assert await refused(made, idp.token(key=old)) == "signature"
        assert idp.asked["/keys"] == 2


async def test_a_key_that_is_withdrawn_is_forgotten_in_minutes(idp: FakeIdp) -> None:
    old, new = SigningKey("old"), SigningKey("new")
    clock = Clock()
    with keys(idp, old):
        made = verifier(idp, clock)
        assert await refused(made, idp.token(key=old)) == ""
    with keys(idp, new):
        clock.now += 100
        assert await refused(made, idp.token(key=old)) == ""
        clock.now += 201
        assert await refused(made, idp.token(key=old)) == "unknown_key"


async def test_keys_are_read_again_beside_the_request_that_uses_them(idp: FakeIdp) -> None:
    """A provider that hangs then keeps nobody waiting."""
    clock, idp.asked["/keys"] = Clock(), 0
    made = verifier(idp, clock)
    assert await refused(made, idp.token()) == ""
    idp.wire["/keys"] = "hang"
    try:
        clock.now = 151.0
        with anyio.fail_after(5):
            assert await refused(made, idp.token()) == ""
            while idp.asked["/keys"] < 2:
                await anyio.lowlevel.checkpoint()
            assert await refused(made, idp.token()) == ""
    finally:
        idp.wire.clear()
    assert idp.asked["/keys"] == 2


async def test_while_the_provider_is_away_known_keys_hold_for_an_hour_and_nobody_is_blamed(idp: FakeIdp) -> None:
    clock = Clock()
    made = verifier(idp, clock)
    assert await refused(made, idp.token()) == ""
    idp.pages["/keys"] = Answer(503, b"")
    try:
        for clock.now in (301.0, 400.0, 3000.0, 3590.0):
            assert await refused(made, idp.token()) == ""
            with pytest.raises(ProviderAway) as away:
                await made.verified(idp.token(key=SigningKey("unknown")))
            assert 1 <= away.value.retry_after <= 10
            assert await made.reachable()
        clock.now = 3601.0
        with pytest.raises(ProviderAway):
            await made.verified(idp.token())
        assert not await made.reachable()
        assert await made.verify_token(idp.token()) is None
    finally:
        idp.pages.clear()
    clock.now += 11
    assert await refused(made, idp.token()) == ""
    assert await refused(made, idp.token(key=SigningKey("unknown"))) == "unknown_key"


WELL_KNOWN = "/tenant/.well-known/openid-configuration"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server/tenant"


@pytest.mark.parametrize(
    ("path", "named"), [(WELL_KNOWN, ""), (WELL_KNOWN, WELL_KNOWN), (AUTHORIZATION_SERVER, AUTHORIZATION_SERVER)]
)
@pytest.mark.parametrize("issuer", ["/tenant", "/tenant/"])
async def test_keys_are_discovered(idp: FakeIdp, path: str, named: str, issuer: str) -> None:
    issuer = idp.url + issuer
    idp.pages[path] = idp.discovery(issuer)
    try:
        made = verifier(idp, issuer=issuer, jwks_url=named and idp.url + named)
        assert await refused(made, idp.token(iss=issuer)) == ""
    finally:
        idp.pages.clear()


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"jwks_uri": "http://evil.example/keys"},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://[evil"},
        {"jwks_uri": "https://evil example/\x00"},
        {"jwks_uri": ""},
        {"jwks_uri": 5},
    ],
)
async def test_a_discovery_document_of_another_or_to_an_open_address_gives_no_keys(
    idp: FakeIdp, said: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    issuer = f"{idp.url}/tenant"
    document = {"issuer": issuer, "jwks_uri": idp.jwks_url, **said}
    idp.pages[WELL_KNOWN], idp.asked["/keys"] = Answer(200, json.dumps(document).encode()), 0
    try:
        with pytest.raises(ProviderAway):
            await verifier(idp, issuer=issuer, jwks_url="").verified(idp.token(iss=issuer))
    finally:
        idp.pages.clear()
    assert idp.asked["/keys"] == 0
    assert "cannot be read" in caplog.text


async def test_a_redirect_is_not_followed(idp: FakeIdp) -> None:
    issuer = f"{idp.url}/tenant"
    idp.pages[WELL_KNOWN] = Answer(302, b"", headers={"Location": f"{idp.url}/elsewhere"})
    idp.pages["/elsewhere"] = idp.discovery(issuer)
    try:
        with pytest.raises(ProviderAway):
            await verifier(idp, issuer=issuer, jwks_url="").verified(idp.token(iss=issuer))
    finally:
        idp.pages.clear()


def test_a_caller_hears_that_the_provider_is_away_and_may_try_again(idp: FakeIdp, tmp_path: Path) -> None:
    """Nothing listens where the keys should be: no token is good or bad."""
    away = {"issuer": idp.url, "jwks_url": f"http://127.0.0.1:{free_port()}/keys"}
    config = token_config(tmp_path, away, [{"who": ["*"], "accounts": ["prod"]}])
    with serving(config) as server:
        answer = post(server.url, LIST_TOOLS, Authorization=f"Bearer {idp.token()}")
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert answer.json()["error"] == "temporarily_unavailable"
        assert "www-authenticate" not in answer.headers
        assert reason(server, idp.token()) == (503, "provider_unavailable")
        assert post(server.url, LIST_TOOLS).status_code == 401
