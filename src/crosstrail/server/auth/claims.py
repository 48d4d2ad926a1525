"""What an identity provider says of somebody, in a token or at its userinfo address, read by the names of claims.

Decides how a name finds a claim, and what a claim may hold. Values of another shape are absent; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable

from crosstrail.json_values import Json, table
from crosstrail.text import is_visible

_MAX_SUBJECT = 255
_MAX_GROUPS = 2_000
"""Of one caller; beyond that a provider's answer, which may have 256 KB, is somebody's mistake."""


def claim(claims: Json, name: str) -> object:
    """The claim of this name, or else at this dotted path, such as `realm_access.roles`; None where there is none.

    A name may have dots itself, as `https://example.com/groups` has, and so may each part of a path
    (`resource_access.my.app.roles`): the longest name that is there goes first. Only objects are stepped into.
    """
    if name in claims:
        return claims[name]
    for end in (place for place in range(len(name) - 1, 0, -1) if name[place] == "."):
        inner = table(claims.get(name[:end]))
        if inner and (found := claim(inner, name[end + 1 :])) is not None:
            return found
    return None


def groups(claims: Json, names: Iterable[str]) -> list[str]:
    """The groups that all these claims list, each once."""
    return list(dict.fromkeys(one for name in names for one in texts(claim(claims, name)) if one))[:_MAX_GROUPS]


def texts(value: object) -> list[str]:
    """A claim that is one text or a list of them; whatever else it holds is no text."""
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def subject_of(value: object) -> str:
    """The name that a provider gives somebody, as it stands; empty for what names nobody.

    Two spellings that read alike must not be two people, nor a missing name everybody without one: no white space around
    it, no character that prints nothing, at most 255 characters (OpenID Connect Core, 2).
    """
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_SUBJECT or value != value.strip():
        return ""
    return value if all(map(is_visible, value)) else ""


def client_of(claims: Json) -> str:
    """The client that a token was issued to, by the name that its provider has for it; empty where none is named.

    `client_id` is RFC 9068's and Amazon Cognito's, `azp` OpenID Connect's, `appid` that of Entra's version 1, `cid` Okta's.
    """
    return next((name for key in ("client_id", "azp", "appid", "cid") if (name := subject_of(claims.get(key)))), "")


def is_machine(claims: Json) -> bool:
    """Whether a client got a token for itself, and nobody signed in.

    Its subject is the client at Okta and Amazon Cognito (RFC 9068, 2.2), and the client with `@clients` at Auth0, which says
    its grant too. Entra says it by the optional claim `idtyp`; without it, by a subject that is the object's own id, which
    people's subjects never are, and by no delegated scope.
    """
    client, subject = client_of(claims), claims.get("sub")
    if client and subject in (client, f"{client}@clients"):
        return True
    if claims.get("gty") == "client-credentials" or claims.get("idtyp") == "app":
        return True
    delegated = claims.get("scp") or claims.get("idtyp")
    return bool(subject) and claims.get("oid") == subject and "tid" in claims and not delegated


def scopes_of(claims: Json) -> list[str]:
    """`scope` (RFC 8693, 4.2) or `scp`: words of one text, or a list."""
    said = claims.get("scope", claims.get("scp"))
    return said.split() if isinstance(said, str) else texts(said)
