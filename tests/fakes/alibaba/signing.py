"""Whose signature is on a request: ACS3-HMAC-SHA256, recomputed from the secret that belongs to the access key.

Written from the description of the scheme, not from any client, so that a client's mistake cannot cancel itself out.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from fakes.cloud import Refusal

from .faults import expired_token

if TYPE_CHECKING:
    from .world import Key, World

_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([^/, ]+),SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})"
)
_SKEW = timedelta(minutes=15)
_MUST_BE_THERE = frozenset(
    ("host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256")
)


def verify(world: World, method: str, path: str, headers: dict[str, str], body: bytes) -> Key:
    """The key that signed a request (header names in lower case). Raises Refusal as the gateway words it."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found:
        raise Refusal("MissingAccessKeyId", "AccessKeyId is mandatory for this action.")
    key_id, signed_names, claimed = found.groups()
    names = signed_names.split(";")
    must_be_signed = {name for name in headers if name == "host" or name == "content-type" or name.startswith("x-acs-")}
    if not (headers.keys() >= _MUST_BE_THERE and must_be_signed <= set(names) and names == sorted(set(names))):
        raise Refusal("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
    _check_time(headers["x-acs-date"])
    key = world.keys.get(key_id)
    if key is None:
        raise Refusal("InvalidAccessKeyId.NotFound", "Specified access key is not found.", 404)
    canonical = canonical_request(method, path, names, headers, body)
    if not hmac.compare_digest(signature(key.secret, canonical), claimed):
        raise Refusal(
            "SignatureDoesNotMatch",
            f"Specified signature is not matched with our calculation. server string to sign is:{canonical}",
        )
    _check_nonce(world, headers["x-acs-signature-nonce"])
    _check_token(key, headers)
    return key


def canonical_request(method: str, path: str, names: list[str], headers: dict[str, str], body: bytes) -> str:
    body_hash = hashlib.sha256(body).hexdigest()
    if body_hash != headers.get("x-acs-content-sha256"):
        raise Refusal("SignatureDoesNotMatch", "The hash of the body is not that in x-acs-content-sha256.")
    lines = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in names)
    return "\n".join([method, urlsplit(path).path or "/", _canonical_query(path), lines, ";".join(names), body_hash])


def signature(secret: str, canonical: str) -> str:
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def _canonical_query(path: str) -> str:
    """A plus is a plus: RFC 3986 knows no other spelling of a space than %20."""
    pairs = [part.partition("=") for part in urlsplit(path).query.split("&") if part]
    decoded = sorted((unquote(name), unquote(value)) for name, _, value in pairs)
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in decoded)


def _check_time(text: str) -> None:
    try:
        when = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.") from None
    if abs(datetime.now(UTC) - when) > _SKEW:
        raise Refusal("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")


def _check_nonce(world: World, nonce: str) -> None:
    if len(nonce) < 16 or nonce in world.nonces:
        raise Refusal("SignatureNonceUsed", "Specified signature nonce was used already.")
    world.nonces.add(nonce)


def _check_token(key: Key, headers: dict[str, str]) -> None:
    token = headers.get("x-acs-security-token", "")
    if key.token and not token:
        raise Refusal("MissingSecurityToken", "SecurityToken is mandatory for this action.")
    if token != key.token:
        raise Refusal(
            "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey."
        )
    if token and headers.get("x-acs-accesskey-id") != key.id:
        raise Refusal("InvalidAccessKeyId", "The key of the header is not the one that signed.")
    if key.expired:
        raise expired_token()
