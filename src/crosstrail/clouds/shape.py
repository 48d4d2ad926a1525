"""What a record says of itself, in the shape that all clouds' records are brought into: that of an AWS CloudTrail record.

Decides the time, account, id, user name and principal of a record. Pure: no I/O, and it never changes the record, whose
every value is hostile.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

import orjson

from crosstrail.account_forms import AccountForm

FAILURE = "Failure"
"""The outcome of a sign-in that failed."""
_DIGITS = re.compile(r"[0-9]{9,19}(?:\.[0-9]{1,9})?", re.ASCII)
_UNITS: tuple[tuple[int, int], ...] = ((10**11, 1), (10**14, 10**3), (10**17, 10**6), (10**20, 10**9))
"""Below how much a time is in units of which there are so many in a second."""
_ARN_PARTS = {"arn": 5, "acs": 4, "trn": 4, "qcs": 5}
"""Colons before the part that names the caller; Alibaba's and Volcengine's names have no region."""
_WHO = re.compile(r":((?:user|role|assumed-role|federated-user)/.+|root)\Z", re.DOTALL)
"""That part in the names of other clouds."""


def time_of(value: object) -> datetime:
    """ISO 8601 text (UTC without an offset), or seconds, milli-, micro- or nanoseconds since 1970, as a number or as digits.

    Beyond microseconds digits are cut. Raises ValueError.
    """
    if isinstance(value, str):
        text = value.strip()
        if _DIGITS.fullmatch(text):
            return _since_1970(Decimal(text))
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
        try:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("a time out of range") from error
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _since_1970(value)
    raise ValueError("no time")


def _since_1970(number: float | Decimal) -> datetime:
    """The unit is told by the size: seconds reach the year 5138 before milliseconds reach 1973."""
    try:
        exact = Decimal(str(number))
        for limit, per_second in _UNITS:
            if abs(exact) < limit:
                seconds, rest = divmod(exact, per_second)
                return datetime.fromtimestamp(int(seconds), UTC) + timedelta(
                    microseconds=int(rest * 10**6 / per_second)
                )
    except (OverflowError, OSError, ArithmeticError, ValueError) as error:
        raise ValueError("a time out of range") from error
    raise ValueError("a time out of range")


class ShapedRecord(NamedTuple):
    """One event as the lake takes it: `shape` has AWS's field names, `text` is the record as its cloud wrote it."""

    shape: Mapping[str, object]
    text: bytes
    id: str
    resources: list[tuple[str, str]]
    username: str = ""


class RecordText(Protocol):
    """How a record's JSON is read and written, with every digit and escape as it was."""

    def parsed(self, raw: bytes) -> object:
        """Raises ValueError."""

    def part(self, raw: bytes, key: str) -> bytes:
        """The text of one value of an object, as it stands there."""

    def compact(self, value: object) -> bytes: ...


@dataclass(frozen=True, slots=True)
class OrdinaryForm:
    """Of a cloud whose records have AWS's field names: those without any other field need no shaping, and are decoded straight
    into the types of the lake's columns."""

    is_source: Callable[[str], bool]
    """Whether this `eventSource` is one that only this cloud writes: with it and an `eventTime` an object is its record."""
    resources: Callable[[object, str, list[object] | None], list[tuple[str, str]]]
    """(requestParameters, eventSource, resources) of a record -> as in ShapedRecord."""


@dataclass(frozen=True, slots=True)
class RecordForm:
    """How the events of one cloud are recognised and read where they lie in files, by what only that cloud writes."""

    is_record: Callable[[Mapping[str, object]], bool]
    shaped: Callable[[Mapping[str, object], bytes, RecordText], ShapedRecord]
    """(a JSON object that is a record, its text, ...). Raises ValueError, TypeError, RecursionError for one that is broken."""
    account_in: Callable[[str], str] = lambda name: ""
    """The account that the path or the name of a log file names, by the cloud's rule for them."""
    ordinary: OrdinaryForm | None = None


def account_of(record: Mapping[str, object], form: AccountForm, fallback: str = "") -> str:
    """The account whose trail this is, else the caller's, else `fallback`; empty when none of them is an account's id."""
    recipient = record.get("recipientAccountId")
    if isinstance(recipient, str) and form.is_id(recipient):
        return recipient
    identity = record.get("userIdentity")
    callers = identity.get("accountId") if isinstance(identity, dict) else None
    for candidate in (recipient, callers, fallback):
        text = form.stored_id(candidate) if type(candidate) is int and 0 < candidate < 10**20 else candidate
        if isinstance(text, str) and form.is_id(text):
            return text
    return ""


def id_of(record: Mapping[str, object], item: Mapping[str, object]) -> str:
    """The event's id; of a record without one, an id made from its content, the same for the same content."""
    own = record.get("eventID")
    if isinstance(own, str) and own:
        return own
    outer = item.get("EventId")
    return outer if isinstance(outer, str) and outer else content_id(record)


def content_id(record: Mapping[str, object]) -> str:
    """An id for a record that has none."""
    try:
        text = orjson.dumps(record, option=orjson.OPT_SORT_KEYS, default=float)
    except TypeError:  # orjson has no integers beyond 64 bits
        text = json.dumps(record, sort_keys=True, default=str).encode()
    return "content-" + hashlib.sha256(text).hexdigest()[:40]


def errors_of(record: Mapping[str, object]) -> tuple[str, ...]:
    """What names the failure: the error code, `Failure` where the answer gives that as the action's outcome, the message.

    A sign-in that failed has no error code:
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
    """
    code, message, name = record.get("errorCode"), record.get("errorMessage"), record.get("eventName")
    outcomes = [
        answer.get(name)
        for part in ("responseElements", "serviceEventDetails")
        if isinstance(answer := record.get(part), Mapping) and isinstance(name, str)
    ]
    found = (code, FAILURE if FAILURE in outcomes else "", message)
    return tuple(dict.fromkeys(text for text in found if isinstance(text, str) and text))


def username_of(identity: Mapping[str, object]) -> str:
    """What LookupEvents calls Username: the user's name, the session's name of an assumed role, or root."""
    get = identity.get
    return username_from(get("type"), get("arn"), get("userName"), get("principalId"))


def username_from(kind: object, arn: object, name: object, principal: object) -> str:
    """As `username_of`, of an identity's parts."""
    if isinstance(name, str) and name:
        return name
    if kind == "Root":
        return "root"
    if kind in ("AssumedRole", "FederatedUser") and isinstance(arn, str):
        return arn.rpartition("/")[2]
    if kind == "AssumedRole" and isinstance(principal, str):
        return principal.rpartition(":")[2]
    return ""


def principal_of(identity: Mapping[str, object]) -> str:
    """The caller for a reader: user/alice, assumed-role/Audit/alice, root, or a service's host name."""
    get = identity.get
    return principal_from(get("arn"), get("userName"), get("invokedBy"), get("principalId"), get("type"))


def principal_from(arn: object, name: object, *others: object) -> str:
    """As `principal_of`, of an identity's parts; `others` stand for a caller that has neither a name nor an ARN."""
    if isinstance(arn, str):
        if colons := _ARN_PARTS.get(arn.partition(":")[0]):
            if arn.count(":") >= colons:
                return arn.split(":", colons)[colons]
        elif found := _WHO.search(arn):
            return found[1]
    if isinstance(name, str) and name:
        return f"user/{name}"
    return next((value for value in others if isinstance(value, str) and value), "")


def kind_of(record: Mapping[str, object]) -> str:
    """insight/ApiErrorRateInsight/End, aggregated/PT5M: these have no caller, and a reader must tell an insight's start from
    its end, and many calls from one. Empty for other records."""
    for name, field, keys in (
        ("insight", "insightDetails", ("insightType", "state")),
        ("aggregated", "timeWindow", ("windowSize",)),
    ):
        if isinstance(details := record.get(field), dict):
            return "/".join([name, *(one for key in keys if isinstance(one := details.get(key), str))])
    return ""
