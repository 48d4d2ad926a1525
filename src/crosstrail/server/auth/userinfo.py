"""Whose an OAuth provider's access token is, as its userinfo address says, in the shapes that providers give their answers.

Decides which name of an answer is the subject, and when an e-mail address counts as the person's own: it never takes one
that its provider does not vouch for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from crosstrail.bounded_http import fetched
from crosstrail.json_values import Json, items, table, text
from crosstrail.server.auth.claims import groups, subject_of

_log = logging.getLogger("crosstrail.identity")
_ASK_SECONDS = 10
_MAX_BYTES = 256_000
"""Of what a provider says of one user."""


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """`claims`: email, email_verified (a bool), login and groups, where the provider names them."""

    subject: str
    scopes: tuple[str, ...]
    claims: Json


async def token_owner(
    url: str, token: str, *, trust_email: bool, groups_claim: Sequence[str] = ("groups",)
) -> TokenOwner | None:
    """None when the provider does not know the token, names nobody, or does not answer.

    `trust_email`: an address counts, too, of which the provider does not say whether it is verified. `groups_claim`: where
    it lists groups, as claims.py reads them.
    """
    try:
        status, given, said = await _asked(url, token)
        answer = table(said) if status == 200 else {}
        subject = _subject(answer)
        if not subject:
            return None
        email, verified = await _email(url, token, answer)
    except (httpx2.HTTPError, TimeoutError, ValueError, RecursionError) as error:
        _log.error("%s does not say whose a token is: %s", url, type(error).__name__)
        return None
    claims = {"login": answer.get("login"), "groups": groups(answer, groups_claim)}
    counts = email_counts(verified, trusted=trust_email)
    if email and not counts:
        _log.info("%s does not say that an e-mail address is verified: no access rule by e-mail applies to it", url)
    scopes = given.get("x-oauth-scopes", "").replace(",", " ").split()
    return TokenOwner(subject, tuple(scopes), {**claims, "email": email, "email_verified": counts})


def email_counts(verified: object, *, trusted: bool) -> bool:
    """Whether an address is its user's own, by `email_verified` as it stands; None where the provider says nothing.

    A JSON true (OpenID Connect Core, 5.1), or the text `true`, which Amazon Cognito's userinfo has in its place. Whatever
    else was said is a no that `trusted` does not outweigh.
    """
    return trusted if verified is None else verified is True or verified == "true"


async def _asked(url: str, token: str) -> tuple[int, Mapping[str, str], object]:
    """Status, headers and JSON. Raises httpx2.HTTPError, TimeoutError, ValueError, RecursionError."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "crosstrail"}
    status, given, body = await fetched(url, seconds=_ASK_SECONDS, max_bytes=_MAX_BYTES, headers=headers)
    return status, given, json.loads(body) if status == 200 else None


def _subject(said: Json) -> str:
    """`sub` of OpenID Connect, or where there is none, the number that GitHub gives a user as `id`."""
    if "sub" in said:
        return subject_of(said["sub"])
    number = said.get("id")
    return str(number) if type(number) is int and number > 0 else subject_of(number)


async def _email(url: str, token: str, said: Json) -> tuple[str, object]:
    """An address, and what was said of its being verified.

    GitHub's user has no such claim: github.com lets people show verified addresses alone in their profile, a GitHub
    Enterprise Server any. `GET /user/emails` says of each whether it is verified, to tokens with the scope `user` or
    `user:email` (GitHub's REST API, "List email addresses for the authenticated user").
    """
    shown = text(said.get("email"))
    if not is_github(url):
        return shown, said.get("email_verified")
    if shown and urlsplit(url).hostname == "api.github.com":
        return shown, True
    status, _, listed = await _asked(f"{url.rstrip('/')}/emails", token)
    if status not in (200, 401, 403, 404):
        raise ValueError(status)
    for one in map(table, items(listed)):
        if one.get("primary") is True and one.get("verified") is True and text(one.get("email")):
            return text(one["email"]), True
    return shown, None


def is_github(url: str) -> bool:
    """Whether a userinfo address is that of GitHub's REST API: of github.com, of a subdomain of ghe.com, or of a GitHub
    Enterprise Server."""
    split = urlsplit(url)
    host, path = split.hostname or "", split.path.rstrip("/")
    in_cloud = host == "api.github.com" or (host.startswith("api.") and host.endswith(".ghe.com"))
    return path == "/user" if in_cloud else path == "/api/v3/user"
