"""What Volcengine's errors mean, decided here alone.

Every documented code of the actions in use, and of the gateway before them, has a kind in errors.py; a code that is in no
table is treated by its HTTP status. Every error names account, region, code and request id, and says in the service's
own words, shortened, what is wrong. Pure: it needs no SDK.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from crosstrail.accounts.request_info import RequestInfo, error_suffix, shortened
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
    AccessDenied: "AccessDenied AccessDeniedException Forbidden LackPolicy LackProjectPolicy ServiceShouldCallSelfApi",
    Throttled: "AccountFlowLimitExceeded FlowLimitExceeded RequestLimitExceeded Throttling TooManyRequests",
    CloudUnavailable: """InternalError InternalServiceError InternalServiceTimeout ServiceFailure ServiceUnavailable
        ServiceUnavailableTemp""",
    CredentialsExpired: "AccessKeyIsExpire ExpiredToken InvalidSecretToken SessionTokenInvalid",
    CredentialsError: """AccessKeyNotExist InvalidAccessKey InvalidAccessKeyId InvalidAccessKeyStatus InvalidAuthorization
        InvalidCredential InvalidTimestamp MissingAuthenticationToken MissingSignature SignatureDoesNotMatch""",
    BadTimeRange: "InvalidParameterEndTime InvalidParameterStartTime InvalidTimeRange",
    UnsupportedByCloud: """InvalidActionOrVersion ServiceNotFound SiteDoesNotMatch TlsServiceDisabled
        TosServiceDisabled""",
    InvalidRequest: """BadRequest InvalidEventSources InvalidParameter InvalidTlsProjectName InvalidTlsTopicName
        InvalidTosBucketName InvalidTosBucketPrefix InvalidTrailConfiguration InvalidTrailName InvalidTRN
        MissingParameter MissingRequestInfo ParameterMissing ParameterNotFound RoleNotExist TrailAlreadyExists
        TrailNotExist TrailQuotaExceeded""",
}
_KIND_OF_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
_HINTS: dict[str, str] = {
    "InvalidTimestamp": "Set this machine's clock right (NTP).",
    "SiteDoesNotMatch": "The account is of Volcengine's other site: set VOLCENGINE_ENDPOINT to that site's address.",
    "TosServiceDisabled": "Enable TOS for this account first.",
    "TlsServiceDisabled": "Enable TLS, the log service, for this account first.",
    "TrailAlreadyExists": "See describe_trails, or choose another name.",
}


def kind_of_code(code: str) -> type[CrosstrailError] | None:
    """None when this code is not known here; `InvalidParameter.X` counts as InvalidParameter."""
    return _KIND_OF_CODE.get(code.partition(".")[0])


def refused(status: int, body: str | bytes, headers: Mapping[str, str], asked: RequestInfo) -> CrosstrailError:
    """What an answer that is an error means; one without the usual envelope is known by its status alone."""
    metadata = _metadata(body)
    error = metadata.get("Error")
    error = error if isinstance(error, dict) else {}
    code, request_id = str(error.get("Code") or ""), str(metadata.get("RequestId") or "")
    kind = kind_of_code(code) or _kind_of_status(status)
    ending = error_suffix(code or f"HTTP {status}", request_id)
    reason = shortened(str(error.get("Message") or ""))
    ending += f": {reason}" if reason else ""
    facts = {
        "code": code or f"HTTP {status}",
        "request_id": request_id,
        "account": asked.account,
        "region": asked.region,
    }
    if issubclass(kind, Throttled):
        throttled = kind(f"{asked.place} throttles {asked.action}{ending}", hint="Ask again later.", **facts)
        throttled.retry_after = _retry_after(headers)
        return throttled
    if issubclass(kind, AccessDenied):
        hint = f"Allow {asked.action} to the identity that crosstrail uses for this account."
        return kind(f"{asked.place} denies {asked.action}{ending}", hint=hint, **facts)
    if issubclass(kind, CloudError):
        return kind(f"{asked.place} failed on {asked.action}{ending}", hint="Try again later.", **facts)
    if issubclass(kind, CredentialsError):
        words = "have expired or are not valid" if kind is CredentialsExpired else "are not accepted"
        return kind(f"the credentials of {asked.place} {words}{ending}", hint=_HINTS.get(code, asked.remediation))
    return kind(f"{asked.place} refused {asked.action}{ending}", hint=_HINTS.get(code, ""))


def unreachable(fault: str, asked: RequestInfo) -> CloudUnavailable:
    """No answer came; `fault` is the kind of connection fault."""
    return CloudUnavailable(
        f"{asked.place} did not answer {asked.action} ({fault})",
        hint="Check the network, any proxy and VOLCENGINE_ENDPOINT, then try again.",
        code=fault,
        account=asked.account,
        region=asked.region,
    )


def garbled(status: int, asked: RequestInfo) -> CloudUnavailable:
    """Something answered, and not as Volcengine does."""
    return CloudUnavailable(
        f"{asked.place} answered {asked.action} with something that is no answer of Volcengine (HTTP {status})",
        hint="Check any proxy and VOLCENGINE_ENDPOINT.",
        code=f"HTTP {status}",
        account=asked.account,
        region=asked.region,
    )


def _kind_of_status(status: int) -> type[CrosstrailError]:
    if status == 429:
        return Throttled
    if status >= 500:
        return CloudUnavailable
    if status == 401:
        return CredentialsError
    if status == 403:
        return AccessDenied
    return InvalidRequest if status in (400, 404, 409) else CloudError


def _metadata(body: str | bytes) -> dict[str, Any]:
    try:
        metadata = orjson.loads(body)["ResponseMetadata"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII) else None
