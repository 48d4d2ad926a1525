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
