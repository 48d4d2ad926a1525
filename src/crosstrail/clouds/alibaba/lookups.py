"""What LookupEvents is asked: which filters it applies itself, and the time spans that together are the span asked for.

Decides so that no event is missed: ActionTrail compares letter by letter, takes one attribute or one of the documented pairs,
ignores what is beyond that, and answers for 30 days at a time. What it cannot be trusted with is left to be applied here. Pure.
https://www.alibabacloud.com/help/en/actiontrail/support/how-to-set-the-lookupattribute-parameter
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

from crosstrail.clouds.alibaba.events import EVENT_TYPE, SERVICE_NAME
from crosstrail.clouds.paging import LOOKUP_HISTORY
from crosstrail.errors import InvalidRequest
from crosstrail.filters import KEYS, FilterKey, accepted, session_name
from crosstrail.models import AttributeKey, Filter
from crosstrail.timerange import TimeRange

SENSITIVE_ACTION = "SensitiveAction"
_OTHER_SPELLINGS = {"EventAccessKeyId": AttributeKey.ACCESS_KEY_ID}
LOOKUP_KEYS = frozenset([*KEYS, *_OTHER_SPELLINGS, SERVICE_NAME, EVENT_TYPE, SENSITIVE_ACTION]) - {
    FilterKey.EVENT_CATEGORY
}
_ATTRIBUTES: dict[str, str] = {
    SENSITIVE_ACTION: "SensitiveAction",
    AttributeKey.EVENT_ID: "EventId",
    AttributeKey.ACCESS_KEY_ID: "EventAccessKeyId",
    AttributeKey.RESOURCE_NAME: "ResourceName",
    AttributeKey.USERNAME: "User",
    FilterKey.SOURCE_IP: "SourceIpAddress",
    AttributeKey.EVENT_NAME: "EventName",
    AttributeKey.RESOURCE_TYPE: "ResourceType",
    SERVICE_NAME: "ServiceName",
    EVENT_TYPE: "EventType",
    AttributeKey.READ_ONLY: "EventRW",
}
"""Our key -> the LookupAttribute that applies it: first the one that nothing but ActionTrail knows, then the most selective."""
_IDENTITY_TYPES = {
    "IAMUser": "ram-user",
    "AssumedRole": "assumed-role",
    "Root": "root-account",
    "SAMLUser": "saml-user",
}
_PAIRS = frozenset(
    (
        *(frozenset(("ServiceName", other)) for other in ("EventName", "User", "ResourceName", "EventRW", "SensitiveAction", "EventType")),
        *(frozenset(("ResourceName", other)) for other in ("ResourceType", "EventName", "User")),
        frozenset(("EventType", "EventName")),
    )
)  # fmt: skip
"""Which two attributes are documented to be applied together."""
HISTORY = LOOKUP_HISTORY - timedelta(seconds=5)
"""What is looked through: three spans that overlap, without the seconds that are about to be forgotten."""
_MAX_SPAN = timedelta(days=30)
"""Of one request."""
_SECOND = timedelta(seconds=1)


def readable(filters: Sequence[Filter]) -> tuple[Filter, ...]:
    """The filters as they are compared; types of identities in AWS's words too. Raises InvalidRequest."""
    found = accepted([Filter(_OTHER_SPELLINGS.get(one.key, one.key), one.value) for one in filters], LOOKUP_KEYS)
    if any(one.key == SENSITIVE_ACTION and one.value not in ("true", "false") for one in found):
        raise InvalidRequest(f"{SENSITIVE_ACTION} is either true or false", hint="Send true or false as its value.")
    return tuple(
        Filter(one.key, _IDENTITY_TYPES.get(one.value, one.value)) if one.key == FilterKey.IDENTITY_TYPE else one
        for one in found
    )


def divided(filters: Sequence[Filter]) -> tuple[list[dict[str, str]], tuple[Filter, ...]]:
    """`LookupAttribute` as the API takes it, and the filters that are left to apply here."""
    left = {one.key: one for one in filters}
    chosen: list[dict[str, str]] = []
    for key, name in _ATTRIBUTES.items():
        if key not in left or not _is_compared_alike(left[key]):
            continue
        if not chosen or frozenset((chosen[0]["Key"], name)) in _PAIRS:
            chosen.append({"Key": name, "Value": _written(left.pop(key))})
        if len(chosen) == 2:
            break
    principal = left.get(FilterKey.PRINCIPAL)
    user = session_name(principal.value) if principal and "user/" in principal.value else ""
    if not chosen and user:  # the name is part of the principal, whose whole is compared here all the same
        chosen.append({"Key": "User", "Value": user})
    return chosen, tuple(left.values())


def _is_compared_alike(one: Filter) -> bool:
    """Whether ActionTrail finds by this value all that it means here.

    Addresses of version 6 have several forms and host names may have capitals; how the user of a role's session is compared,
    `role:session`, is not documented.
    """
    if one.key == FilterKey.SOURCE_IP:
        try:
            IPv4Address(one.value)
        except ValueError:
            return False
    return one.key != AttributeKey.USERNAME or ":" not in one.value


def _written(one: Filter) -> str:
    if one.key == AttributeKey.READ_ONLY:
        return "Read" if one.value == "true" else "Write"
    return one.value


def windows(span: TimeRange, now: datetime) -> Iterator[TimeRange]:
    """Spans of 30 days at most, newest first, that cover what ActionTrail keeps of the span; none for what is older.

    They end a second late and so overlap by one: whether the end's own second belongs to an answer is not documented.
    """
    oldest = max(span.start or now - HISTORY, now - HISTORY).replace(microsecond=0)
    end = _second_after(min(span.end or now, now))
    while end > oldest:
        start = max(oldest, end - _MAX_SPAN)
        yield TimeRange(start, end)
        if start == oldest:
            return
        end = start + _SECOND


def times_of(window: TimeRange) -> dict[str, Any]:
    """Both ends, in whole seconds of UTC: the API wants both or neither."""
    ends = {"StartTime": window.start, "EndTime": window.end}
    return {name: f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for name, moment in ends.items() if moment}


def _second_after(moment: datetime) -> datetime:
    return datetime.fromtimestamp(math.floor(moment.timestamp()) + 1, UTC)
