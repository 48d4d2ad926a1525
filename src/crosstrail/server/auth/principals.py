"""Who sent an HTTP request: the principal that a verified token, or the keys in a header, speak of.

Decides which claims become part of a principal. It never takes a name that the provider does not vouch for.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.requests import HTTPConnection

from crosstrail.accounts.policy import ANONYMOUS, Principal
from crosstrail.server.auth.claims import texts
from crosstrail.server.auth.header_credentials import HeaderUser
from crosstrail.server.auth.jwt_verifier import VerifiedToken

KEYS = "volcengine"
"""The issuer of principals who are known by the keys they send: no token's, which are addresses."""
_KNOWN = "crosstrail.principal"


@dataclass(frozen=True, slots=True)
class _Known:
    """What stands in the scope under that key."""

    user: AuthenticatedUser
    principal: Principal


def principal_of(request: object) -> Principal:
    """The principal of a request that the bearer middleware let through; ANONYMOUS for any other."""
    return principal_in(request.scope) if isinstance(request, HTTPConnection) else ANONYMOUS


def principal_in(scope: MutableMapping[str, object]) -> Principal:
    """The same of the request's ASGI scope. Worked out once a request: it is kept beside the user whose it is."""
    user = scope.get("user")
    if not isinstance(user, AuthenticatedUser):
        return ANONYMOUS
    known = scope.get(_KNOWN)
    if not isinstance(known, _Known) or known.user is not user:
        known = scope[_KNOWN] = _Known(user, _principal(user))
    return known.principal


def _principal(user: AuthenticatedUser) -> Principal:
    token = user.access_token
    if isinstance(token, VerifiedToken):
        return token.principal
    if isinstance(user, HeaderUser):
        return Principal(subject=token.client_id, login=user.label, issuer=KEYS)
    claims = token.claims or {}
    return Principal(
        subject=str(token.subject or claims.get("sub") or ""),
        email=_email(claims),
        login=str(claims.get("login") or ""),
        groups=frozenset(texts(claims.get("groups"))),
        scopes=frozenset(token.scopes),
        client=token.client_id,
        issuer=str(claims.get("iss") or ""),
    )


def _email(claims: Mapping[str, object]) -> str:
    """Only one that its provider has verified: whoever signs up may have typed any."""
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified") is True else ""
