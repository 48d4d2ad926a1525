"""What clouds' answers that say no have in common: the kind that a status gives, and the words of each kind of error.

Decides words. What a cloud's own codes mean, and where its answers have them, is its package's. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypedDict

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


class Facts(TypedDict):
    """What an error of a cloud tells beside its words."""

    code: str
    request_id: str
    account: str
    region: str


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
    kind: type[CloudError], asked: RequestInfo, ending: str, facts: Facts, headers: Mapping[str, str]
) -> CloudError:
    """Of a cloud that was asked and did not do it. `ending`: code, request id and reason, for the end of the message."""
    if issubclass(kind, Throttled):
        throttled = kind(f"{asked.place} throttles {asked.action}{ending}", hint="Ask again later.", **facts)
        throttled.retry_after = retry_after(headers)
        return throttled
    if issubclass(kind, AccessDenied):
        hint = f"Allow {asked.action} to the identity that crosstrail uses for this account."
        return kind(f"{asked.place} denies {asked.action}{ending}", hint=hint, **facts)
    return kind(f"{asked.place} failed on {asked.action}{ending}", hint="Try again later.", **facts)


def unreachable(fault: str, asked: RequestInfo, hint: str) -> CloudUnavailable:
    """No answer came; `fault` is the kind of connection fault."""
    text = f"{asked.place} did not answer {asked.action} ({fault})"
    return CloudUnavailable(text, hint=hint, code=fault, account=asked.account, region=asked.region)


def garbled(status: int, asked: RequestInfo, title: str, hint: str) -> CloudUnavailable:
    """Something answered, and not as the cloud of this title does."""
    text = f"{asked.place} answered {asked.action} with something that is no answer of {title} (HTTP {status})"
    return CloudUnavailable(text, hint=hint, code=f"HTTP {status}", account=asked.account, region=asked.region)
