"""Whose signature is on a request: HMAC-SHA256, recomputed from the secret that belongs to the access key.

Written from the description of the scheme, not from any client, so that a client's mistake cannot cancel itself out.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

from fakes.cloud import Refusal, signed_at, signing_key

from .faults import invalid_token

if TYPE_CHECKING:
    from .world import Key, World

_AUTHORIZATION = re.compile(
    r"HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/request, *"
    r"SignedHeaders=([^, ]+), *Signature=([0-9a-f]{64})"
)
_SKEW = timedelta(minutes=15)
_MUST_SIGN = {"host", "x-date", "x-content-sha256"}


class Signed(NamedTuple):
    key: Key
    region: str
    service: str


def verify(world: World, method: str, path: str, headers: dict[str, str], body: bytes) -> Signed:
    """The key, region and service of a request (header names in lower case). Raises Refusal as the gateway words it."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found:
        raise Refusal("MissingAuthenticationToken", "Request is missing Authentication Token", 401)
    key_id, date, region, service, signed_names, claimed = found.groups()
    names = signed_names.split(";")
    _check_time(headers.get("x-date", ""), date)
    required = _MUST_SIGN | ({"x-security-token"} & headers.keys())
    if not required <= set(names) or names != sorted(names):
        raise Refusal("InvalidAuthorization", "Not all headers that must be signed are.", 400)
    key = world.keys.get(key_id)
    if key is None:
        raise Refusal("InvalidAccessKey", f"The accesskey [{key_id}] included in the request is invalid.", 401)
    expected = signature(key.secret, date, region, service, method, path, names, headers, body)
    if not hmac.compare_digest(expected, claimed):
        raise Refusal(
            "SignatureDoesNotMatch", "The request signature we calculated does not match the one you provided.", 401
        )
    if headers.get("x-security-token", "") != key.token:
        raise invalid_token("not the token of this key")
    if key.expired:
        raise invalid_token("token is expired")
    return Signed(key, region, service)


def signature(
    secret: str,
    date: str,
    region: str,
    service: str,
    method: str,
    path: str,
    names: list[str],
    headers: dict[str, str],
    body: bytes,
) -> str:
    """What the signature must be; `date` is the day of the credential scope, `path` comes with its query."""
    body_hash = hashlib.sha256(body).hexdigest()
    if not hmac.compare_digest(body_hash, headers.get("x-content-sha256", "")):
        return ""
    lines = "".join([f"{name}:{_signed_value(name, headers.get(name, ''))}\n" for name in names])
    canonical = "\n".join([method, _canonical(path), lines, ";".join(names), body_hash])
    scope = f"{date}/{region}/{service}/request"
    to_sign = "\n".join(["HMAC-SHA256", headers["x-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = signing_key(secret, date, region, service, "request")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


@lru_cache(256)
def _canonical(path: str) -> str:
    """The path, without the host that a proxy is told, and the query in order: two lines."""
    split = urlsplit(path)
    pairs = parse_qsl(split.query, keep_blank_values=True)
    quoted = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return f"{split.path or '/'}\n" + "&".join(f"{name}={value}" for name, value in quoted)


def _signed_value(name: str, value: str) -> str:
    """A default port is not signed."""
    host, _, port = value.rpartition(":")
    return host if name == "host" and port in ("80", "443") else value.strip()


def _check_time(text: str, date: str) -> None:
    when = signed_at(text)
    if when is None:
        raise Refusal("InvalidTimestamp", "The X-Date header is no date.", 403)
    if abs(datetime.now(UTC) - when) > _SKEW or not text.startswith(date):
        raise Refusal("InvalidTimestamp", "The Signature of the request is expired", 403)
