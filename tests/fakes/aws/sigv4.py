"""Whose signature is on a request: Signature Version 4, recomputed from the secret that belongs to the access key."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from .refusal import Refusal

if TYPE_CHECKING:
    from .world import Key, World

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, *"
    r"SignedHeaders=([^, ]+), *Signature=([0-9a-f]{64})"
)
_SKEW = timedelta(minutes=5)
_MUST_SIGN = {"host", "x-amz-date"}


@dataclass(frozen=True)
class Signed:
    key: Key
    region: str


def verify(world: World, service: str, method: str, path: str, headers: dict[str, str], body: bytes) -> Signed:
    """The key and region of a request (header names in lower case). Raises Refusal as the service would word it."""
    query = service == "sts"
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found:
        code = "MissingAuthenticationToken" if query else "MissingAuthenticationTokenException"
        raise Refusal(code, "Request is missing Authentication Token", 403)
    key_id, date, region, scope_service, signed_names, signature = found.groups()
    names = signed_names.split(";")
    mismatch = "SignatureDoesNotMatch" if query else "InvalidSignatureException"
    _check_time(world, headers.get("x-amz-date", ""), date, mismatch)
    if scope_service != service:
        raise Refusal(mismatch, f"Credential should be scoped to correct service: '{service}'.", 403)
    required = _MUST_SIGN | ({"x-amz-security-token"} & headers.keys())
    if not required <= set(names) or names != sorted(names):
        raise Refusal(mismatch, "Not all headers that must be signed are.", 403)
    key = world.keys.get(key_id)
    if key is None or region in world.accounts[key.account].disabled_regions:
        raise _unknown(query)
    expected = _signature(key.secret, date, region, service, method, path, names, headers, body)
    if not hmac.compare_digest(expected, signature):
        raise Refusal(mismatch, "The request signature we calculated does not match the signature you provided.", 403)
    if headers.get("x-amz-security-token", "") != key.token:
        raise _unknown(query)
    if key.expires and key.expires <= datetime.now(UTC):
        code = "ExpiredToken" if query else "ExpiredTokenException"
        raise Refusal(code, "The security token included in the request is expired", 403 if query else 400)
    return Signed(key, region)


def _check_time(world: World, text: str, date: str, mismatch: str) -> None:
    try:
        when = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal("IncompleteSignature", "Date must be in ISO-8601 'basic format'.") from None
    now = datetime.now(UTC) + world.clock_offset
    if abs(now - when) > _SKEW:
        word = "expired" if when < now else "not yet current"
        raise Refusal(mismatch, f"Signature {word}: {text} against {now:%Y%m%dT%H%M%SZ}", 403)
    if not text.startswith(date):
        raise Refusal(mismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.", 403)


def _signature(
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
    """Of a request without a query string, as all services here are asked."""
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    canonical = "\n".join((method, path, "", lines, ";".join(names), hashlib.sha256(body).hexdigest()))
    scope = f"{date}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    return hmac.digest(_signing_key(secret, date, region, service), text.encode(), "sha256").hex()


@lru_cache(4096)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _unknown(query: bool) -> Refusal:
    code = "InvalidClientTokenId" if query else "UnrecognizedClientException"
    return Refusal(code, "The security token included in the request is invalid.", 403 if query else 400)
