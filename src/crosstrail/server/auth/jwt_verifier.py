"""Tokens of an identity provider, verified.

Decides what a token must be: signed by the provider's key with a listed algorithm, for us, from it, in time. It never
takes a name that the provider does not vouch for, never follows an address that a token names, and never says more about a
refused token than that it is not valid.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

import httpx2
import jwt
from jwt import PyJWK
from jwt.algorithms import AllowedPublicKeys
from mcp.server.auth.provider import AccessToken

from crosstrail.bounded_http import fetched
from crosstrail.errors import ConfigError
from crosstrail.json_values import Json
from crosstrail.server.auth.claims import groups, subject_of, texts
from crosstrail.settings.sign_in_settings import JwtSettings
from crosstrail.tasks import SingleFlight

_log = logging.getLogger("crosstrail.identity")
_LEEWAY_SECONDS = 30
_KEYS_SECONDS = 3600.0
_AGAIN_SECONDS = 30.0
"""A key id that nobody knows asks for the keys again at most this often: strangers choose key ids."""
_MAX_KEYS_BYTES = 512_000
_FETCH_SECONDS = 10.0
_NO_KEYS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What PyJWT raises where an address answers with JSON that is no set of keys."""


class JwtVerifier:
    """A TokenVerifier for the tokens of one issuer."""

    def __init__(self, settings: JwtSettings, audience: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises ConfigError for a public key that is none."""
        self._settings = settings
        self._audience = audience
        self._keys = Jwks(settings.jwks_url, clock=clock) if settings.jwks_url else None
        self._key = None if self._keys else _public_key(settings)

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token's claims, or None for any reason not to believe it. Scopes are the middleware's to demand."""
        settings = self._settings
        try:
            header = jwt.get_unverified_header(token)
            key = self._key or await self._keys_of(header)
            if key is None or header.get("crit"):
                return None
            claims: dict[str, object] = jwt.decode(
                token,
                key,
                algorithms=list(settings.algorithms),
                audience=self._audience,
                issuer=settings.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            _log.info("a token is refused: %s", type(error).__name__)
            return None
        scopes, expires = claims.get("scope", claims.get("scp")), claims["exp"]
        if not isinstance(expires, int | float | str):  # what PyJWT takes for a time
            return None
        subject = subject_of(claims["sub"])
        if not subject:
            _log.info("a token is refused: its sub names nobody")
            return None
        return AccessToken(
            token="",  # nobody needs it any more, and what is not held cannot leak
            client_id=subject_of(claims.get("client_id")) or subject_of(claims.get("azp")),
            scopes=scopes.split() if isinstance(scopes, str) else texts(scopes),
            expires_at=int(expires) + _LEEWAY_SECONDS,
            subject=subject,
            claims={
                **claims,
                "groups": groups(claims, settings.groups_claim),
                "login": None,  # a provider's user names may change hands
                "email_verified": claims.get("email_verified") is True or settings.trust_email,
            },
        )

    async def reachable(self) -> bool:
        """Whether there is a key to verify with."""
        return self._keys is None or await self._keys.reachable()

    async def _keys_of(self, header: Json) -> PyJWK | None:
        kid = header.get("kid")
        return await self._keys.key(kid if isinstance(kid, str) else "") if self._keys else None


class Jwks:
    """The keys at one address, kept for an hour, asked for again when a token names one that is not among them."""

    def __init__(
        self, url: str, *, seconds: float = _FETCH_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`seconds`: that reading the address may take."""
        self._url = url
        self._seconds = seconds
        self._clock = clock
        self._asking: SingleFlight[str, None] = SingleFlight()
        self._kept: Mapping[str, PyJWK] = {}
        self._read_at = self._asked_at = float("-inf")

    async def key(self, kid: str) -> PyJWK | None:
        """The key of this id, or the only key where none is named; None when there is no such key."""
        found = self._known(kid)
        if found is not None and self._fresh():
            return found
        if "" in self._asking or self._clock() - self._asked_at >= _AGAIN_SECONDS:
            await self._asking.run("", self._ask)
        return self._known(kid) if self._clock() - self._read_at < 2 * _KEYS_SECONDS else None

    async def reachable(self) -> bool:
        await self.key("")
        return bool(self._kept)

    def _fresh(self) -> bool:
        return self._clock() - self._read_at < _KEYS_SECONDS

    def _known(self, kid: str) -> PyJWK | None:
        if kid:
            return self._kept.get(kid)
        return next(iter(self._kept.values())) if len(self._kept) == 1 else None

    async def _ask(self) -> None:
        """What cannot be read leaves the kept keys as they are, for another hour at most."""
        self._asked_at = self._clock()
        try:
            status, _, body = await fetched(self._url, seconds=self._seconds, max_bytes=_MAX_KEYS_BYTES)
            if status != 200:
                raise ValueError(status)
            keys = jwt.PyJWKSet.from_json(body.decode()).keys
        except (httpx2.HTTPError, jwt.PyJWTError, TimeoutError, *_NO_KEYS) as error:
            _log.error("the keys at %s cannot be read: %s", self._url, type(error).__name__)
            return
        usable = (key for key in keys if key.public_key_use in (None, "sig") and key.key_type != "oct")
        self._kept = {key.key_id or "": key for key in usable}
        self._read_at = self._clock()


def _public_key(settings: JwtSettings) -> AllowedPublicKeys:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(settings.public_key.encode())
    except ValueError:
        raise ConfigError(
            "jwt.public_key is no public key in PEM", hint="Begin with -----BEGIN PUBLIC KEY-----."
        ) from None
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey):
        raise ConfigError("jwt.public_key signs no tokens", hint="Give an RSA, EC or EdDSA key.")
    return key
