"""What Volcengine's errors mean, decided here alone.

Every documented code of the actions in use, and of the gateway before them, has a kind in errors.py; a code that is in no
table is treated by its HTTP status. Every error names account, region, code and request id, and says in the service's
own words, shortened, what is wrong. Pure: it needs no SDK.
"""

from __future__ import annotations

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
    kind = kind_of_code(code) or kind_of_status(status)
    ending = error_suffix(code or f"HTTP {status}", request_id)
    reason = shortened(str(error.get("Message") or ""))
    ending += f": {reason}" if reason else ""
    if issubclass(kind, CloudError):
        return cloud_error(kind, asked, ending, headers, code=code or f"HTTP {status}", request_id=request_id)
    if issubclass(kind, CredentialsError):
        words = "have expired or are not valid" if kind is CredentialsExpired else "are not accepted"
        return kind(f"the credentials of {asked.place} {words}{ending}", hint=_HINTS.get(code, asked.remediation))
    return kind(f"{asked.place} refused {asked.action}{ending}", hint=refusals.code_hint(code, _HINTS))


def unreachable(fault: str, asked: RequestInfo, hint: str = "") -> CloudUnavailable:
    """No answer came; `fault` is the kind of connection fault. `hint`: of a fault that has one of its own."""
    hint = hint or "Check the network, any proxy and VOLCENGINE_ENDPOINT, then try again."
    return refusals.unreachable(fault, asked, hint)


def garbled(status: int, asked: RequestInfo) -> CloudUnavailable:
    """Something answered, and not as Volcengine does."""
    return refusals.garbled(status, asked, "Volcengine", "Check any proxy and VOLCENGINE_ENDPOINT.")


def _metadata(body: str | bytes) -> dict[str, Any]:
    try:
        metadata = orjson.loads(body)["ResponseMetadata"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}
    return metadata if isinstance(metadata, dict) else {}
