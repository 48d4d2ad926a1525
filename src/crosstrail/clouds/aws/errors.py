"""What botocore's errors mean, decided here alone.

Every vendor code and fault that a call can meet has a kind in errors.py, and every error names account, region, code and
request id. A vendor's text is shown only where it tells the caller what is wrong with the caller's own request, and then
shortened and without control characters. Imported only once botocore is in use, and then keeps botocore from logging keys.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import ClientError as WireError
from botocore import exceptions as vendor
from botocore.parsers import ResponseParserError

from crosstrail.accounts.request_info import RequestInfo, error_suffix, shortened
from crosstrail.clouds.aws.denials import IDENTITY, Denial, denial_of, denied_action
from crosstrail.clouds.aws.error_kinds import kind_of_code, kind_of_fault, kind_of_status
from crosstrail.clouds.aws.regions import may_be_disabled
from crosstrail.clouds.refusals import retry_after
from crosstrail.errors import (
    AccessDenied,
    CloudError,
    ConfigError,
    CredentialsError,
    CredentialsExpired,
    CrosstrailError,
    InvalidRequest,
    SqlRejected,
    StalePageToken,
    Throttled,
    UnsupportedByCloud,
)
from crosstrail.trust import refusal_hint

logging.getLogger("botocore").setLevel(logging.WARNING)  # below that it logs headers and bodies: tokens and keys
logging.getLogger("botocore.credentials").setLevel(logging.CRITICAL)  # it logs the tracebacks of errors that we raise

VENDOR_ERRORS = (vendor.BotoCoreError, vendor.ClientError, ResponseParserError, WireError)
"""All that botocore raises, and all that the wire does. Never chain one: a ResponseParserError's text is the answer itself,
secret keys of STS included."""

UNKNOWN_KEY = frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "OptInRequired"})
_CLOCK = re.compile(r"Signature (expired|not yet current)", re.IGNORECASE)
_CLOCK_CODES = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
_SQL_PLACE = re.compile(r"line (\d+):(\d+):? *")
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_IDENTIFIER = re.compile(r"[\w.$-]{1,64}")


@contextmanager
def mapped(asked: RequestInfo) -> Iterator[None]:
    """Raise ours in place of botocore's; the vendor's own text, which may hold values, is not chained."""
    try:
        yield
    except VENDOR_ERRORS as error:
        raise translated(error, asked) from None


def translated(error: Exception, asked: RequestInfo) -> CrosstrailError:
    """The error of ours that says what one of botocore's means."""
    if isinstance(error, vendor.ClientError):
        return _from_answer(error.response, asked)
    return _from_fault(kind_of_fault(type(error)) or CloudError, error, asked)


def code_of(error: Exception) -> str:
    """The vendor's code; empty when the cloud did not answer."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, vendor.ClientError) else ""


def message_of(error: Exception) -> str:
    """The vendor's text: for looking into, never for showing whole."""
    return str(error.response.get("Error", {}).get("Message", "")) if isinstance(error, vendor.ClientError) else ""


def request_id_of(error: Exception) -> str:
    return _request_id(error.response) if isinstance(error, vendor.ClientError) else ""


def _from_answer(response: dict[str, Any], asked: RequestInfo) -> CrosstrailError:
    error = response.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    kind = kind_of_code(code) or kind_of_status(status)
    if kind is InvalidRequest and code == "ValidationException" and "token" in message.lower():
        kind = StalePageToken
    if code in UNKNOWN_KEY and may_be_disabled(asked.region):
        return UnsupportedByCloud(
            f"{asked.place} does not know the access key: the region may not be enabled{error_suffix(code, _request_id(response))}",
            hint="Enable the region in the account's settings, or leave it out.",
        )
    request_id = _request_id(response)
    ending = error_suffix(code or f"HTTP {status}", request_id)
    if issubclass(kind, CloudError):
        return _cloud_error(kind, response, asked, ending)
    if issubclass(kind, CredentialsExpired):
        return kind(f"the credentials of {asked.place} have expired{ending}", hint=asked.remediation)
    if issubclass(kind, CredentialsError):
        if _CLOCK.search(message) or code in _CLOCK_CODES:
            return kind(
                f"{asked.place} refused the request's time{ending}", hint="Set this machine's clock right (NTP)."
            )
        return kind(f"{asked.place} does not accept the credentials{ending}", hint=asked.remediation)
    if issubclass(kind, SqlRejected):
        return _sql_rejected(message, asked, ending)
    reason = f": {shortened(message)}" if message else ""
    hints: dict[type[CrosstrailError], str] = {
        StalePageToken: "Start again without the token.",
        UnsupportedByCloud: "Leave this account or region out.",
    }
    return kind(f"{asked.place} refused {asked.action}{ending}{reason}", hint=hints.get(kind, ""))


def _cloud_error(kind: type[CloudError], response: dict[str, Any], asked: RequestInfo, ending: str) -> CloudError:
    error = response.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    facts = {"code": code, "request_id": _request_id(response), "account": asked.account, "region": asked.region}
    if kind is Throttled:
        throttled = Throttled(f"{asked.place} throttles {asked.action}{ending}", hint="Ask again later.", **facts)
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        throttled.retry_after = retry_after({"Retry-After": headers.get("retry-after", "")})
        return throttled
    if kind is AccessDenied:
        action = denied_action(message) or asked.action
        denial = denial_of(message)
        if denial is None or denial == Denial(IDENTITY, explicit=False):
            hint = f"Allow {action} to the identity that crosstrail uses for this account."
        else:
            hint = denial.hint(action, "the identity that crosstrail uses for this account")
        because = f": {denial.reason}" if denial else ""
        return AccessDenied(f"{asked.place} denies {action}{because}{ending}", hint=hint, **facts)
    return kind(f"{asked.place} failed on {asked.action}{ending}", hint="Try again later.", **facts)


def _from_fault(kind: type[CrosstrailError], error: Exception, asked: RequestInfo) -> CrosstrailError:
    name = type(error).__name__
    if issubclass(kind, CloudError):
        return kind(
            f"{asked.place} did not answer {asked.action} ({name})",
            hint=refusal_hint(error, "AWS_CA_BUNDLE (or ca_bundle of the AWS profile)")
            or "Check the network and any proxy, then try again.",
            code=name,
            account=asked.account,
            region=asked.region,
        )
    if issubclass(kind, ConfigError):
        hint = "Check AWS_PROFILE, the other AWS_ variables and the AWS config file."
        path = str(getattr(error, "kwargs", {}).get("path", ""))
        return kind(f"the AWS configuration of this machine cannot be used ({name})", hint=hint).about(path)
    if issubclass(kind, CredentialsExpired):
        return kind(f"the credentials of {asked.place} have expired ({name})", hint=asked.remediation)
    if issubclass(kind, CredentialsError):
        return kind(f"no credentials for {asked.place} ({name})", hint=asked.remediation)
    return kind(f"{asked.action} cannot be asked of {asked.place} ({name})", hint="Check the arguments and the region.")


def _sql_rejected(message: str, asked: RequestInfo, ending: str) -> SqlRejected:
    place = _SQL_PLACE.search(message)
    line, column = (int(place.group(1)), int(place.group(2))) if place else (0, 0)
    # The reason may quote the statement: names stay, anything longer goes.
    reason = _QUOTED.sub(
        lambda m: m.group(0) if _IDENTIFIER.fullmatch(m.group(1)) else "'…'", _SQL_PLACE.sub("", message)
    )
    return SqlRejected(f"{asked.place} refused the statement{ending}: {shortened(reason)}", line=line, column=column)


def _request_id(response: dict[str, Any]) -> str:
    return str(response.get("ResponseMetadata", {}).get("RequestId", ""))
