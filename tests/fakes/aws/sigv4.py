"""Whose signature is on a request: Signature Version 4, recomputed from the secret that belongs to the access key."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote

from fakes.cloud import Refusal, signed_at, signing_key

from .faults import expired, mismatch, unknown_key

if TYPE_CHECKING:
    from .world import Key, World

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, *"
    r"SignedHeaders=([^, ]+), *Signature=([0-9a-f]{64})"
)
_SKEW = timedelta(minutes=5)
_MUST_SIGN = {"host", "x-amz-date"}


class Signed(NamedTuple):
    key: Key
    region: str


def claimed_service(headers: dict[str, str]) -> str:
    """The one that a request is signed for, as it says; empty where it is not signed."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    return found.group(4) if found else ""


def verify(world: World, service: str, method: str, path: str, headers: dict[str, str], body: bytes) -> Signed:
    """The key and region of a request (header names in lower case). Raises Refusal as the service would word it."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found:
        code = "MissingAuthenticationToken" if service == "sts" else "MissingAuthenticationTokenException"
        raise Refusal(code, "Request is missing Authentication Token", 403)
    key_id, date, region, scope_service, signed_names, signature = found.groups()
    names = signed_names.split(";")
    _check_time(world, service, headers.get("x-amz-date", ""), date)
    if scope_service != service:
        raise mismatch(service, f"Credential should be scoped to correct service: '{service}'.")
    required = _MUST_SIGN | ({"x-amz-security-token"} & headers.keys())
    if not required <= set(names) or names != sorted(names):
        raise mismatch(service, "Not all headers that must be signed are.")
    key = world.keys.get(key_id)
    account = world.accounts[key.account] if key else None
    if key is None or account is None or region in account.disabled_regions or account.partition != _partition(region):
        raise unknown_key(service)
    lines = "".join([f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names])
    place, _, query = path.partition("?")
    sent = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(query, True))
    payload = hashlib.sha256(body).hexdigest() if service != "s3" else headers.get("x-amz-content-sha256", "")
    canonical = (
        f"{method}\n{place}\n{'&'.join(f'{name}={value}' for name, value in sent)}\n{lines}\n{signed_names}\n{payload}"
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{date}/{region}/{service}/aws4_request\n{digest}"
    expected = signing_key(f"AWS4{key.secret}", date, region, service, "aws4_request")
    if not hmac.compare_digest(hmac.digest(expected, text.encode(), "sha256").hex(), signature):
        raise mismatch(service, "The request signature we calculated does not match the signature you provided.")
    if headers.get("x-amz-security-token", "") != key.token:
        raise unknown_key(service)
    if key.expired:
        raise expired(service)
    return Signed(key, region)


_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


def _partition(region: str) -> str:
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")


def _check_time(world: World, service: str, text: str, date: str) -> None:
    when = signed_at(text)
    if when is None:
        raise Refusal("IncompleteSignature", "Date must be in ISO-8601 'basic format'.")
    now = datetime.now(UTC) + world.clock_offset
    if abs(now - when) > _SKEW:
        word = "expired" if when < now else "not yet current"
        raise mismatch(service, f"Signature {word}: {text} against {now:%Y%m%dT%H%M%SZ}")
    if not text.startswith(date):
        raise mismatch(service, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.")
