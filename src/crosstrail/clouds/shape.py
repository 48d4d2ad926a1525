"""What a record says of itself, in the shape that all clouds' records are brought into: that of an AWS CloudTrail record.

Decides the time, account, id, user name and principal of a record. Pure: no I/O, and it never changes the record, whose
every value is hostile.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

_ACCOUNT = re.compile(r"[0-9]{6,20}", re.ASCII)


def time_of(value: Any) -> datetime:
    """ISO 8601 text (UTC without an offset) or unix seconds. Raises ValueError."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        try:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("a time out of range") from error
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError) as error:
            raise ValueError("a time out of range") from error
    raise ValueError("no time")


def account_of(record: Mapping[str, Any], fallback: str = "") -> str:
    """The account whose trail this is, else the caller's, else `fallback`; empty when none of them is an account id."""
    identity = record.get("userIdentity")
    callers = identity.get("accountId") if isinstance(identity, dict) else None
    for candidate in (record.get("recipientAccountId"), callers, fallback):
        text = f"{candidate:012d}" if type(candidate) is int and candidate > 0 else candidate
        if isinstance(text, str) and _is_account(text):
            return text
    return ""


@lru_cache(maxsize=10_000)
def _is_account(text: str) -> bool:
    return _ACCOUNT.fullmatch(text) is not None


def id_of(record: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    """The event's id; of a record without one, an id made from its content, the same for the same content."""
    for candidate in (record.get("eventID"), item.get("EventId")):
        if isinstance(candidate, str) and candidate:
            return candidate
    return content_id(record)


def content_id(record: Mapping[str, Any]) -> str:
    """An id for a record that has none."""
    return "content-" + hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]


def username_of(identity: Mapping[str, Any]) -> str:
    """What LookupEvents calls Username: the user's name, the session's name of an assumed role, or root."""
    if isinstance(name := identity.get("userName"), str) and name:
        return name
    kind, arn = identity.get("type"), identity.get("arn")
    if kind == "Root":
        return "root"
    if kind in ("AssumedRole", "FederatedUser") and isinstance(arn, str):
        return arn.rpartition("/")[2]
    principal = identity.get("principalId")
    if kind == "AssumedRole" and isinstance(principal, str):
        return principal.rpartition(":")[2]
    return ""


def principal_of(identity: Mapping[str, Any]) -> str:
    """The caller for a reader: user/alice, assumed-role/Audit/alice, root, or a service's host name."""
    arn = identity.get("arn")
    colons = 4 if isinstance(arn, str) and arn.startswith("trn:") else 5  # Volcengine's names have no region
    if isinstance(arn, str) and arn.count(":") >= colons:
        return arn.split(":", colons)[colons]
    if isinstance(name := identity.get("userName"), str) and name:
        return f"user/{name}"
    for key in ("invokedBy", "principalId", "type"):
        if isinstance(value := identity.get(key), str) and value:
            return value
    return ""
