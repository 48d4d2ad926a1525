"""Who sent an HTTP request: the principal that a verified token, or the keys in a header, speak of.

Decides which claims become part of a principal. It never takes a name that the provider does not vouch for.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.requests import HTTPConnection

from crosstrail.accounts.policy import ANONYMOUS, Principal
from crosstrail.server.auth.header_credentials import HeaderUser
from crosstrail.text import is_visible

KEYS = "volcengine"
"""The issuer of principals who are known by the keys they send: no token's, which are addresses."""
_MAX_SUBJECT = 255
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


def subject_of(value: object) -> str:
    """The name that a provider gives somebody, as it stands; empty for what names nobody.

    Two spellings that read alike must not be two people, nor a missing name everybody without one: no white space around
    it, no character that prints nothing, at most 255 characters (OpenID Connect Core, 2).
    """
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_SUBJECT or value != value.strip():
        return ""
    return value if all(map(is_visible, value)) else ""


def _email(claims: Mapping[str, object]) -> str:
    """Only one that its provider has verified: whoever signs up may have typed any."""
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified") is True else ""


def texts(value: object) -> list[str]:
    """A claim that is one text or a list of them; whatever else it holds is no text."""
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
