"""Bearer tokens of HTTP requests: what is answered to a bad one, and what the operator learns of it.

Decides that a caller hears only that a token is not valid, or that nobody can tell at the moment, while the record and the
log have the reason: the log within bounds, as strangers choose how many bad tokens they send.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, MutableMapping

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from crosstrail.server.auth.jwks import ProviderAway
from crosstrail.server.auth.jwt_verifier import JwtVerifier, Refused

_log = logging.getLogger("crosstrail.identity")
_REASON = "crosstrail.refusal"
_MAX_LINES = 20
"""Of refused tokens in the log, in a minute; of more than these a number."""
_MINUTE = 60.0


def refusal_reason(scope: MutableMapping[str, object]) -> str:
    """Why the request that this ASGI scope is of was not let in; empty where nobody says so."""
    reason = scope.get(_REASON)
    return reason if isinstance(reason, str) else ""


class _Away(AuthenticationError):
    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class TokenBackend(AuthenticationBackend):
    """`Authorization: Bearer TOKEN`, verified; of who is not let in, the reason stands in the scope."""

    def __init__(
        self, verifier: JwtVerifier, *, open_paths: Collection[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`open_paths` need no token, and no token is looked at there."""
        self._verifier = verifier
        self._open = frozenset(open_paths)
        self._refusals = _RefusalLog(clock)

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Raises AuthenticationError where the provider is away: whether the token is good, nobody can tell."""
        if conn.scope["path"] in self._open:
            return None
        scheme, _, token = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            conn.scope[_REASON] = "no_token"
            return None
        try:
            verified = await self._verifier.verified(token.strip())
        except Refused as refused:
            conn.scope[_REASON] = refused.reason
            self._refusals.warn(refused)
            return None
        except ProviderAway as away:
            conn.scope[_REASON] = "provider_unavailable"
            raise _Away(away.retry_after) from None
        if len(verified.scopes) < len(self._verifier.advertised):
            conn.scope[_REASON] = "scope"
        return AuthCredentials(verified.scopes), AuthenticatedUser(verified)


def unavailable(_: HTTPConnection, error: Exception) -> Response:
    """503: the token may be good, so its owner must not throw it away."""
    wait = error.retry_after if isinstance(error, _Away) else 1
    return JSONResponse(
        {
            "error": "temporarily_unavailable",
            "error_description": "the identity provider does not answer; try again soon",
        },
        status_code=503,
        headers={"Retry-After": str(wait)},
    )


class _RefusalLog:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._minute = float("-inf")
        self._count = 0

    def warn(self, refused: Refused) -> None:
        now = self._clock()
        if now - self._minute >= _MINUTE:
            if self._count > _MAX_LINES:
                _log.warning("%d more tokens were refused", self._count - _MAX_LINES)
            self._minute, self._count = now, 0
        self._count += 1
        if self._count <= _MAX_LINES:
            _log.warning("a token is refused (%s): %s", refused.reason, refused)
