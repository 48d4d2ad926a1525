"""What Alibaba Cloud's errors mean, decided here alone.

Codes are families: `InvalidSecurityToken.Expired` is looked up whole, then as `InvalidSecurityToken`; what is in no table is
known by how it begins (Missing..., Invalid...), else by its HTTP status. Every error names account, region, code and request
id, and says in the service's own words, shortened, what is wrong. Pure.
Codes of all products: https://api.alibabacloud.com/document/Common/errorCode
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from crosstrail.accounts.request_info import RequestInfo, error_suffix, shortened
from crosstrail.clouds import refusals
from crosstrail.clouds.refusals import cloud_error, kind_of_status
from crosstrail.errors import (
    AccessDenied,
    BadTimeRange,
    CloudError,
    CloudUnavailable,
    CredentialsError,
    CredentialsExpired,
    CrosstrailError,
    InvalidRequest,
    Throttled,
    UnsupportedByCloud,
)

_CODES: dict[type[CrosstrailError], str] = {
    AccessDenied: "AccessDenied AuthenticationFail.NoPermission Forbidden NoPermission NotAuthorized Unauthorized",
    Throttled: "RequestLimitExceeded Throttling TooManyRequests",
    CloudUnavailable: """InternalError InternalServerError ServiceUnavailable ServiceUnavailableTemporary
        SignatureNonceUsed UnknownError UnknownInternalError""",
    CredentialsExpired: "AuthenticationFail.OIDCToken.Expired InvalidSecurityToken.Expired SecurityTokenExpired",
    CredentialsError: """AuthenticationFail Forbidden.AccessKeyDisabled IncompleteSignature InvalidAccessKeyId
        InvalidSecurityToken InvalidSignature InvalidSignatureMethod InvalidTimeStamp MissingAccessKeyId
        MissingSecurityToken MissingSignature SignatureDoesNotMatch""",
    BadTimeRange: "InvalidTimeRange InvalidTimeRangeException",
    UnsupportedByCloud: """InvalidAction InvalidApi InvalidProduct InvalidProtocol InvalidRegion InvalidRegionId
        InvalidVersion UnsupportedHTTPMethod UnsupportedOperation""",
    InvalidRequest: """BucketDoesNotExist BucketDoesNotExistException ContentLengthDoesNotMatch ContentMD5NotMatched
        EntityAlreadyExists EntityNotExist InsufficientBucketPolicyException InvalidParameter InvalidQueryParameter
        InvalidTrailNameException MaximumNumberOfTrailsExceededException MissingParameter TrailAlreadyExists
        TrailAlreadyExistsException TrailNotFound TrailNotFoundException""",
}
_KIND_OF_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
_HINTS: dict[str, str] = {
    "InvalidTimeStamp": "Set this machine's clock right (NTP).",
}


def kind_of_code(code: str) -> type[CrosstrailError] | None:
    """None when the code says nothing: its status must."""
    family = code
    while family:
        if kind := _KIND_OF_CODE.get(family):
            return kind
        family = family.rpartition(".")[0]
    if code.startswith("Throttling"):
        return Throttled
    return InvalidRequest if code.startswith(("Missing", "Invalid")) else None


def refused(status: int, body: bytes, headers: Mapping[str, str], asked: RequestInfo) -> CrosstrailError:
    """What an answer that is an error means; one without Alibaba's members is known by its status alone."""
    said = _members(body)
    code, request_id = _text(said.get("Code")), _text(said.get("RequestId")) or headers.get("x-acs-request-id", "")
    kind = kind_of_code(code) or kind_of_status(status)
    ending = error_suffix(code or f"HTTP {status}", shortened(request_id))
    reason = shortened(_without_signed_text(_text(said.get("Message"))))
    ending += f": {reason}" if reason else ""
    if issubclass(kind, CloudError):
        return cloud_error(kind, asked, ending, headers, code=code or f"HTTP {status}", request_id=request_id)
    hint = refusals.code_hint(code.partition(".")[0], _HINTS)
    if issubclass(kind, CredentialsError):
        words = "have expired" if kind is CredentialsExpired else "are not accepted"
        return kind(f"the credentials of {asked.place} {words}{ending}", hint=hint or asked.remediation)
    return kind(f"{asked.place} refused {asked.action}{ending}", hint=hint)


def unreachable(fault: str, asked: RequestInfo, hint: str = "") -> CloudUnavailable:
    """No answer came; `fault` is the kind of connection fault. `hint`: of a fault that has one of its own."""
    hint = (
        hint or "Check the network, any proxy, the region's name and the endpoint that is configured, then try again."
    )
    return refusals.unreachable(fault, asked, hint)


def garbled(status: int, asked: RequestInfo) -> CloudUnavailable:
    """Something answered, and not as Alibaba Cloud does."""
    return refusals.garbled(status, asked, "Alibaba Cloud", "Check any proxy and the endpoint that is configured.")


def _members(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _without_signed_text(message: str) -> str:
    """SignatureDoesNotMatch repeats the whole request, its security token included: none of that is shown."""
    return re.split(r"server string to sign|StringToSign", message, maxsplit=1, flags=re.IGNORECASE)[0].rstrip(" :,")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
