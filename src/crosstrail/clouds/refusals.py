"""What clouds' answers that say no have in common: the kind that a status gives, and the words of each kind of error.

Decides words. What a cloud's own codes mean, and where its answers have them, is its package's. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.errors import (
    AccessDenied,
    CloudError,
    CloudUnavailable,
    CredentialsError,
    CrosstrailError,
    InvalidRequest,
    Throttled,
)
from crosstrail.vocabulary import words


def kind_of_status(status: int) -> type[CrosstrailError]:
    """What is left to go by for a code that is not known."""
    if status == 429:
        return Throttled
    if status >= 500:
        return CloudUnavailable
    if status == 401:
        return CredentialsError
    if status == 403:
        return AccessDenied
    return InvalidRequest if status in (400, 404, 409) else CloudError


def code_hint(code: str, hints: Mapping[str, str]) -> str:
    """What to do about a code; `hints`: of the cloud's own. Empty where nobody knows."""
    if code in ("TrailAlreadyExists", "TrailAlreadyExistsException"):
        return f"See {words().trails}, or choose another name."
    return hints.get(code, "")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; None where the header is missing or something else, such as a date. `headers` are found in any case."""
    text = headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII) else None


def cloud_error(
    kind: type[CloudError], asked: RequestInfo, ending: str, headers: Mapping[str, str], *, code: str, request_id: str
) -> CloudError:
    """Of a cloud that was asked and did not do it. `ending`: code, request id and reason, for the end of the message."""
    verb, hint = "failed on", "Try again later."
    if issubclass(kind, Throttled):
        verb, hint = "throttles", "Ask again later."
    elif issubclass(kind, AccessDenied):
        verb, hint = "denies", f"Allow {asked.action} to the identity that crosstrail uses for this account."
    error = kind(
        f"{asked.place} {verb} {asked.action}{ending}",
        hint=hint,
        code=code,
        request_id=request_id,
        account=asked.account,
        region=asked.region,
    )
    if isinstance(error, Throttled):
        error.retry_after = retry_after(headers)
    return error


def unreachable(fault: str, asked: RequestInfo, hint: str) -> CloudUnavailable:
    """No answer came; `fault` is the kind of connection fault."""
    text = f"{asked.place} did not answer {asked.action} ({fault})"
    return CloudUnavailable(text, hint=hint, code=fault, account=asked.account, region=asked.region)


def garbled(status: int, asked: RequestInfo, title: str, hint: str) -> CloudUnavailable:
    """Something answered, and not as the cloud of this title does."""
    text = f"{asked.place} answered {asked.action} with something that is no answer of {title} (HTTP {status})"
    return CloudUnavailable(text, hint=hint, code=f"HTTP {status}", account=asked.account, region=asked.region)
