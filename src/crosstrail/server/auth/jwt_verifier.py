"""Tokens of identity providers, verified.

Decides what a token must be: signed by a key of the very issuer that it names, with a listed algorithm, for us, in time; and
whom it speaks of. It never takes a name that the provider does not vouch for, never follows an address that a token names,
and never says more to a caller about a refused token than that it is not valid.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import jwt
from mcp.server.auth.provider import AccessToken

from crosstrail.accounts.policy import Principal
from crosstrail.json_values import Json, table, text
from crosstrail.server.auth.claims import claim, client_of, groups, is_machine, scopes_of, subject_of, texts
from crosstrail.server.auth.jwks import ProviderAway, VerificationKey, key_source
from crosstrail.settings.jwt_settings import JwtIssuer, JwtSettings
from crosstrail.text import clean

_log = logging.getLogger("crosstrail.identity")
_LEEWAY_SECONDS = 30
_CAP, _MAX_LISTED = 100, 5
"""Of a name in a log, and how many of them."""
_BROKEN = (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError)
"""What PyJWT raises for a token that is none."""

Reason = Literal[
    "algorithm",
    "audience",
    "client",
    "expired",
    "issuer",
    "malformed",
    "missing_claim",
    "not_yet_valid",
    "signature",
    "subject",
    "unknown_key",
]
_REASONS: tuple[tuple[type[Exception], Reason, str], ...] = (
    (jwt.ExpiredSignatureError, "expired", "it has expired"),
    (jwt.ImmatureSignatureError, "not_yet_valid", "it is not valid yet; are the clocks right?"),
)


class Refused(Exception):
    """A token that is not believed: the class of the reason, and words for the operator that hold little of it."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


class VerifiedToken(AccessToken):
    """`scopes`: those that the SDK's middleware demands, where the token has the scopes that its issuer must give."""

    principal: Principal


class JwtVerifier:
    """A TokenVerifier for the tokens of all issuers that are accepted, each by its own settings alone."""

    def __init__(self, settings: JwtSettings, audience: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`audience`: where an issuer has none of its own. Raises ConfigError for a public key that is none."""
        self.advertised = settings.advertised
        several = len(settings.accepted) > 1
        self._issuers = {
            each.issuer: _Issuer(each, audience, self.advertised, several=several, clock=clock)
            for each in settings.accepted
        }

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token's principal, or None for any reason not to believe it. Scopes are the middleware's to demand."""
        try:
            return await self.verified(token)
        except (Refused, ProviderAway):
            return None

    async def verified(self, token: str) -> VerifiedToken:
        """Raises Refused, ProviderAway."""
        try:
            header = jwt.get_unverified_header(token)
            named = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except _BROKEN as error:
            raise Refused("malformed", f"it is no token ({type(error).__name__})") from None
        if header.get("crit"):
            raise Refused("malformed", "it has a critical header that nobody here knows")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            what = f"issuer {_shown([named])}" if isinstance(named, str) else "its issuer"
            raise Refused("issuer", f"{what} is not among {_shown(self._issuers)}")
        return await issuer.verified(token, header)

    async def reachable(self) -> bool:
        """Whether there are keys of every issuer to verify with."""
        return all([await issuer.keys.reachable() for issuer in self._issuers.values()])


class _Issuer:
    """What is accepted of one issuer."""

    def __init__(
        self,
        settings: JwtIssuer,
        audience: str,
        advertised: Sequence[str],
        *,
        several: bool,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._audiences = settings.audience or ((audience,) if audience else ())
        self._advertised = advertised
        self._several = several
        self._warned = False
        self.keys = key_source(settings, clock=clock)

    async def verified(self, token: str, header: Json) -> VerifiedToken:
        """Raises Refused, ProviderAway."""
        claims = await self._claims(token, text(header.get("alg")), text(header.get("kid")))
        self._check_audience(claims)
        principal = self._principal(claims)
        enough = principal.scopes >= set(self._settings.required_scopes)
        return VerifiedToken(
            token="",  # nobody needs it any more, and what is not held cannot leak
            client_id=principal.client,
            scopes=list(self._advertised) if enough else [],
            expires_at=_seconds(claims["exp"]) + _LEEWAY_SECONDS,
            subject=principal.subject or None,
            claims={"iss": principal.issuer},
            principal=principal,
        )

    async def _claims(self, token: str, algorithm: str, kid: str) -> Json:
        """What a key of this issuer has signed. A key may have been replaced under its id: then the new one counts."""
        if algorithm not in self._settings.algorithms:
            listed = _shown(self._settings.algorithms)
            raise Refused("algorithm", f"algorithm {_shown([algorithm])} is not among {listed}")
        keys = await self.keys.keys(kid)
        if not keys:
            raise Refused("unknown_key", f"its key is none of {_shown([self._settings.issuer])}")
        claims = self._signed(token, algorithm, keys)
        if claims is None:
            claims = self._signed(token, algorithm, await self.keys.newer(kid))
        if claims is None:
            if not any(key.fits(algorithm) for key in keys):
                raise Refused("algorithm", f"its key is not for algorithm {algorithm}")
            raise Refused("signature", "its signature is not that of its key")
        return claims

    def _signed(self, token: str, algorithm: str, keys: Sequence[VerificationKey]) -> Json | None:
        """The claims; None when none of the keys has signed them. Raises Refused for what was signed and does not hold."""
        for key in keys:
            if not key.fits(algorithm):
                continue
            try:
                return jwt.decode(
                    token,
                    key.key,
                    algorithms=[algorithm],
                    issuer=self._settings.issuer,
                    leeway=_LEEWAY_SECONDS,
                    options={"require": ["exp", "iss"], "verify_aud": False, "verify_sub": False},
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.MissingRequiredClaimError as error:
                raise Refused("missing_claim", f"it has no {error.claim}") from None
            except _BROKEN as error:
                found = next((one for one in _REASONS if isinstance(error, one[0])), None)
                reason, why = found[1:] if found else ("malformed", f"a claim is malformed ({type(error).__name__})")
                raise Refused(reason, why) from None
        return None

    def _check_audience(self, claims: Json) -> None:
        """A token is for us by its `aud`, or, where it has none at all, by the client it was issued to. Raises Refused."""
        client, allowed = client_of(claims), self._settings.allowed_clients
        if "aud" in claims:
            named = texts(claims["aud"])
            if not set(named) & set(self._audiences):
                raise Refused("audience", f"audience {_shown(named)} is not among {_shown(self._audiences)}")
        elif not allowed:
            raise Refused("audience", f"it has no aud, client {_shown([client])}, and jwt.allowed_clients is empty")
        elif claims.get("token_use", "access") != "access":  # Amazon Cognito's name for what a token is for
            raise Refused("audience", "it has no aud and is no access token")
        if allowed and client not in allowed:
            raise Refused("client", f"client {_shown([client])} is not among {_shown(allowed)}")

    def _principal(self, claims: Json) -> Principal:
        """Raises Refused where nobody is named."""
        settings, client, machine = self._settings, client_of(claims), is_machine(claims)
        said = claim(claims, settings.subject_claim)
        subject = subject_of(said)
        if not subject and (said is not None or not (machine and client)):
            missing = said is None
            raise Refused(
                "missing_claim" if missing else "subject",
                f"it has no {settings.subject_claim}" if missing else f"its {settings.subject_claim} names nobody",
            )
        scopes = scopes_of(claims)
        if machine and settings.machine_scopes_claim:
            scopes += texts(claim(claims, settings.machine_scopes_claim))
        self._warn_of_overage(claims)
        verified = claims.get("email_verified")
        vouched = verified is True or (verified is None and settings.trust_email)
        return Principal(
            subject=subject,
            email=text(claims.get("email")) if vouched else "",
            groups=frozenset(groups(claims, settings.groups_claim)),
            scopes=frozenset(scopes),
            client=client,
            issuer=settings.issuer,
            needs_issuer=self._several,
        )

    def _warn_of_overage(self, claims: Json) -> None:
        """Entra leaves out the groups of somebody who is in more than 200, and says where to ask for them instead."""
        left_out = set(table(claims.get("_claim_names"))) & set(self._settings.groups_claim)
        if self._warned or not (left_out or claims.get("hasgroups")):
            return
        self._warned = True
        _log.warning(
            "%s leaves groups out of tokens of people who are in too many: no access rule by group applies to them. "
            "Let it put only groups assigned to the application into tokens, or use app roles (jwt.groups_claim: roles).",
            self._settings.issuer,
        )


def _seconds(value: object) -> int:
    """A time that PyJWT has read: it takes texts too."""
    return int(value) if isinstance(value, int | float | str) else 0


def _shown(names: Iterable[object]) -> str:
    """Names for the operator's log, of which a stranger may have chosen some: cleaned, short and few."""
    listed = [repr(clean(str(name), _CAP)) for name in names]
    more = f" and {len(listed) - _MAX_LISTED} more" * (len(listed) > _MAX_LISTED)
    return (", ".join(listed[:_MAX_LISTED]) or "none") + more
