"""Whose signature is on a request: HMAC-SHA256, recomputed from the secret that belongs to the access key.

Written from the description of the scheme, not from any client, so that a client's mistake cannot cancel itself out.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

from .world import Refusal

if TYPE_CHECKING:
    from .world import Key, World

_AUTHORIZATION = re.compile(
    r"HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/request, *"
    r"SignedHeaders=([^, ]+), *Signature=([0-9a-f]{64})"
)
_SKEW = timedelta(minutes=15)
_MUST_SIGN = {"host", "x-date", "x-content-sha256"}


@dataclass(frozen=True)
class Signed:
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
        raise Refusal("InvalidSecretToken", "Invalid secret token, msg: not the token of this key.", 401)
    if key.expires and key.expires <= datetime.now(UTC):
        raise Refusal("InvalidSecretToken", "Invalid secret token, msg: token is expired.", 401)
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
    split = urlsplit(path)
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(split.query, keep_blank_values=True)
    )
    canonical = "\n".join(
        [
            method,
            split.path or "/",
            "&".join(f"{name}={value}" for name, value in query),
            "".join(f"{name}:{_signed_value(name, headers.get(name, ''))}\n" for name in names),
            ";".join(names),
            body_hash,
        ]
    )
    scope = f"{date}/{region}/{service}/request"
    to_sign = "\n".join(["HMAC-SHA256", headers["x-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = secret.encode()
    for part in (date, region, service, "request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def _signed_value(name: str, value: str) -> str:
    """A default port is not signed."""
    host, _, port = value.rpartition(":")
    return host if name == "host" and port in ("80", "443") else value.strip()


def _check_time(text: str, date: str) -> None:
    try:
        when = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal("InvalidTimestamp", "The X-Date header is no date.", 403) from None
    if abs(datetime.now(UTC) - when) > _SKEW or not text.startswith(date):
        raise Refusal("InvalidTimestamp", "The Signature of the request is expired", 403)
