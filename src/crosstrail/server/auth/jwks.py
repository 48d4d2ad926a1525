"""The keys that an identity provider signs its tokens with: found, read within bounds, and forgotten when they are withdrawn.

Decides how old keys may be, how often a provider is asked whatever strangers send, and which algorithm a key may be used
with. It never follows an address that a token names.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol
from urllib.parse import urlsplit

import anyio
import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import AllowedPublicKeys

from crosstrail.bounded_http import fetched
from crosstrail.errors import ConfigError
from crosstrail.json_values import Json, items, table, text
from crosstrail.settings.jwt_settings import JwtIssuer, is_discovery, is_loopback
from crosstrail.tasks import SingleFlight
from crosstrail.text import clean

_log = logging.getLogger("crosstrail.identity")
_FRESH_SECONDS, _STALE_SECONDS = 150.0, 300.0
"""Older keys are read again, beside the request that finds them so; still older ones before it goes on."""
_GRACE_SECONDS = 3600.0
"""How old keys may grow while their provider does not answer."""
_AGAIN_SECONDS, _AWAY_SECONDS = 30.0, 10.0
"""A key that nobody knows asks for the keys again at most this often, as strangers choose key ids; the other pace holds
after an attempt that failed."""
_MAX_KEYS_BYTES = 512_000
_MAX_TRIES = 10
"""Keys that one token is tried with."""
_FETCH_SECONDS = 10.0
_CAP = 200
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})


class ProviderAway(Exception):
    """An identity provider does not say which keys it has, so nobody can tell whether a token is good."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("the identity provider does not answer")
        self.retry_after = retry_after


class _NoKeys(ValueError):
    """Why an address gives no keys; the message may be shown to an operator."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """`algorithm`: the one that its provider binds it to; empty where it says none."""

    key: AllowedPublicKeys
    kid: str = ""
    algorithm: str = ""

    def fits(self, algorithm: str) -> bool:
        """Whether a token may be signed so by this key: a key of one type never verifies another's algorithm."""
        return self.algorithm in ("", algorithm) and algorithm in _algorithms(self.key)


def _algorithms(key: AllowedPublicKeys) -> frozenset[str]:
    """RFC 7518, 3.1, and RFC 8037: an elliptic curve has one algorithm, an RSA key all of its kind."""
    if isinstance(key, RSAPublicKey):
        return _RSA
    if isinstance(key, EllipticCurvePublicKey):
        return frozenset({_CURVES.get(key.curve.name, "")})
    return frozenset({"EdDSA"})


class KeySource(Protocol):
    """Where the keys of one issuer come from."""

    async def keys(self, kid: str) -> Sequence[VerificationKey]:
        """The keys of this id, or all where none is named. Raises ProviderAway."""
        ...

    async def newer(self, kid: str) -> Sequence[VerificationKey]:
        """The same after they were read again; empty where that was done too shortly before, or cannot be."""
        ...

    async def reachable(self) -> bool:
        """Whether there is a key to verify with."""
        ...


def key_source(settings: JwtIssuer, *, clock: Callable[[], float] = time.monotonic) -> KeySource:
    """Raises ConfigError for a public key that is none."""
    if settings.public_key:
        return _OneKey(VerificationKey(_public_key(settings.public_key)))
    return Jwks(settings.keys_url, issuer=settings.issuer, clock=clock)


class _OneKey:
    """The key in the configuration, whatever a token calls it."""

    def __init__(self, key: VerificationKey) -> None:
        self._key = key

    async def keys(self, kid: str) -> Sequence[VerificationKey]:
        return (self._key,)

    async def newer(self, kid: str) -> Sequence[VerificationKey]:
        return ()

    async def reachable(self) -> bool:
        return True


class Jwks:
    """The keys at one address, read again every few minutes while they are used, and when a token fits none of them."""

    def __init__(
        self,
        url: str,
        *,
        issuer: str = "",
        seconds: float = _FETCH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url`: of a JWKS, or of the discovery document of `issuer`. `seconds`: that reading them may take."""
        self._url = url
        self._issuer = issuer
        self._seconds = seconds
        self._clock = clock
        self._asking: SingleFlight[str, None] = SingleFlight()
        self._known: tuple[VerificationKey, ...] = ()
        self._read_at = self._asked_at = float("-inf")
        self._failed = False

    async def keys(self, kid: str) -> Sequence[VerificationKey]:
        age = self._clock() - self._read_at
        if age >= _STALE_SECONDS and not (self._failed and age < _GRACE_SECONDS):
            await self._ask_if_due()
        elif age >= _FRESH_SECONDS and self._due():
            self._asking.start("", self._ask)
        found = self._named(kid)
        if not found:
            await self._ask_if_due()
            found = self._named(kid)
        if not found and self._failed:
            raise ProviderAway(max(1, ceil(self._asked_at + _AWAY_SECONDS - self._clock())))
        return found

    async def newer(self, kid: str) -> Sequence[VerificationKey]:
        before = self._read_at
        await self._ask_if_due()
        return self._named(kid) if self._read_at > before else ()

    async def reachable(self) -> bool:
        try:
            return bool(await self.keys(""))
        except ProviderAway:
            return False

    def _named(self, kid: str) -> Sequence[VerificationKey]:
        if self._clock() - self._read_at >= _GRACE_SECONDS:
            return ()
        return [key for key in self._known if kid in ("", key.kid)][:_MAX_TRIES]

    def _due(self) -> bool:
        return self._clock() - self._asked_at >= (_AWAY_SECONDS if self._failed else _AGAIN_SECONDS)

    async def _ask_if_due(self) -> None:
        if "" in self._asking or self._due():
            await self._asking.run("", self._ask)

    async def _ask(self) -> None:
        """What cannot be read leaves the known keys as they are, for as long as they may grow old."""
        self._asked_at = self._clock()
        try:
            with anyio.fail_after(self._seconds):
                url = await self._discovered() if is_discovery(self._url) else self._url
                self._known = _read(await self._object(url))
        except (_NoKeys, httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, RecursionError) as error:
            self._failed = True
            why = clean(str(error), _CAP) if isinstance(error, _NoKeys) else type(error).__name__
            _log.error("the keys at %s cannot be read: %s", self._url, why)
            return
        self._failed = False
        self._read_at = self._clock()

    async def _object(self, url: str) -> Json:
        """Raises what `_ask` takes for an address without keys."""
        status, _, body = await fetched(url, seconds=self._seconds, max_bytes=_MAX_KEYS_BYTES)
        if status != 200:
            raise _NoKeys(f"HTTP status {status}")
        return table(json.loads(body))

    async def _discovered(self) -> str:
        """The JWKS that the discovery document of the issuer names: at whatever host, as some providers have it at another,
        but by https, or on this machine where the document is. OpenID Connect Discovery 1.0, 4.3: issuers are equal."""
        said = await self._object(self._url)
        issuer, url = text(said.get("issuer")), text(said.get("jwks_uri"))
        if issuer != self._issuer:
            raise _NoKeys(f"its issuer is {issuer!r}, and {self._issuer!r} is configured")
        scheme = urlsplit(url).scheme
        if scheme != "https" and not (scheme == "http" and is_loopback(url) and is_loopback(self._url)):
            raise _NoKeys(f"its jwks_uri {url!r} is no https address")
        return url


def _read(said: Json) -> tuple[VerificationKey, ...]:
    """The keys of a JWKS that signatures are verified with (RFC 7517, 4). Raises _NoKeys when there is none."""
    usable = tuple(key for one in items(said.get("keys")) if (key := _usable(table(one))))
    if not usable:
        raise _NoKeys("no key there verifies signatures")
    return usable


def _usable(said: Json) -> VerificationKey | None:
    """None for a key of another use, a secret, or what is none."""
    operations = said.get("key_ops")
    if said.get("use") not in (None, "sig") or said.get("kty") == "oct":
        return None
    if operations is not None and "verify" not in items(operations):
        return None
    try:
        key = jwt.PyJWK(dict(said)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None  # what PyJWT raises for what is no key
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey):
        return None
    return VerificationKey(key, text(said.get("kid")), text(said.get("alg")))


def _public_key(pem: str) -> AllowedPublicKeys:
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        raise ConfigError(
            "jwt.public_key is no public key in PEM", hint="Begin with -----BEGIN PUBLIC KEY-----."
        ) from None
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey):
        raise ConfigError("jwt.public_key signs no tokens", hint="Give an RSA, EC or EdDSA key.")
    return key
