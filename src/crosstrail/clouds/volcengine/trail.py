"""VolcengineTrail: Volcengine CloudTrail (云审计) as an AuditTrail, for whatever account and region a target names.

Decides which requests answer a question, and what of the answers belongs to it. It asks through VolcengineCalls alone,
keeps nothing between two calls, and never passes on an event of another account, outside the span, or given before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from crosstrail.clouds.paging import LOOKUP_HISTORY, page_size, span_of
from crosstrail.clouds.reading import Reading
from crosstrail.clouds.shape import FAILURE, time_of
from crosstrail.clouds.volcengine.actions import Action
from crosstrail.clouds.volcengine.broker import VolcengineBroker
from crosstrail.clouds.volcengine.calls import (
    CREATE_TRAIL_OF_ALL_SOURCES,
    DESCRIBE_TRAILS,
    LOOKUP_EVENTS,
    VolcengineCalls,
)
from crosstrail.clouds.volcengine.events import events_of
from crosstrail.errors import CloudUnavailable, UnsupportedByCloud, own
from crosstrail.filters import KEYS, FilterKey, accepted
from crosstrail.models import AttributeKey, EventPage, EventQuery, Filter, NewTrail, Target, Trail
from crosstrail.timerange import TimeRange
from crosstrail.vocabulary import words

CLOUD = "volcengine"
_REGION = "Region"
_CONDITION_KEYS: dict[str, str] = {
    AttributeKey.EVENT_ID: "EventID",
    FilterKey.REQUEST_ID: "RequestID",
    AttributeKey.ACCESS_KEY_ID: "AccessKeyID",
    AttributeKey.RESOURCE_NAME: "ResourceID",
    AttributeKey.USERNAME: "IdentityName",
    FilterKey.ERROR_CODE: "ErrorCode",
    AttributeKey.EVENT_NAME: "EventName",
    FilterKey.IDENTITY_TYPE: "IdentityType",
    AttributeKey.RESOURCE_TYPE: "ResourceType",
    AttributeKey.EVENT_SOURCE: "EventSource",
    FilterKey.API_VERSION: "ApiVersion",
    _REGION: "Region",
    AttributeKey.READ_ONLY: "ReadOnly",
}
"""Our key -> the LookupCondition that applies it, the most selective first."""
_OTHER_SPELLINGS = {name: key for key, name in _CONDITION_KEYS.items() if name != key}
_KEYS = frozenset([*KEYS, _REGION, "IdentityName", "ResourceID"]) - {FilterKey.EVENT_CATEGORY}
_ERROR_CODE = re.compile(rf"(?!{FAILURE}$)[A-Z][A-Za-z0-9._-]*", re.ASCII)
"""What the API can be asked for; any failure, or a failure by its message, is looked for here."""
_LEAST_A_REQUEST = 10
"""Events asked for: of fewer, their order may not show."""


def open_trail(broker: VolcengineBroker, *, deadline: float) -> VolcengineTrail:
    """The trail of all Volcengine accounts."""
    return VolcengineTrail(VolcengineCalls(broker, deadline=deadline))


class VolcengineTrail:
    """An AuditTrail that also CreatesTrails (see clouds/base.py). A target without a region is all regions: the history
    of an account is one."""

    def __init__(self, calls: VolcengineCalls, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._calls = calls
        self._now = now

    @property
    def attribute_keys(self) -> frozenset[str]:
        """AWS's spelling of those that both clouds have; Volcengine's own spelling of them is understood too."""
        return _KEYS

    async def lookup_events(self, target: Target, query: EventQuery) -> EventPage:
        """One request, unless its whole answer was given before. Raises InvalidRequest, CredentialsError, CloudError."""
        region = await self._region(target)
        asked = [Filter(_OTHER_SPELLINGS.get(one.key, one.key), one.value) for one in query.filters]
        conditions, sifted = _divided(accepted(asked, self.attribute_keys), target)
        now = self._now()
        held, span = TimeRange(now - LOOKUP_HISTORY, now), span_of(query)
        if (span.end and span.end < now - LOOKUP_HISTORY) or (span.start and span.start > (span.end or now)):
            return EventPage((), held=held)
        size = max(page_size(query, sifts=bool(sifted)), _LEAST_A_REQUEST)
        params = {**conditions, **_times(span, now), "MaxResults": size}
        # The order is not documented. Should it not be newest first, only the whole span tells which are newest.
        reading = Reading(
            query, span, target, region, sifts=bool(sifted), deadline=self._calls.deadline, newest_first=False
        )
        while True:
            answer = await self._calls.ask(target.account, region, LOOKUP_EVENTS, params)
            items, token = answer.get("Trails") or (), answer.get("NextToken")
            events = events_of(items, target.account, with_record=query.with_record, filters=sifted)
            if page := reading.take(events, more=bool(token)):
                return replace(page, held=held)
            params["NextToken"] = token

    async def describe_trails(self, target: Target, names: tuple[str, ...] = ()) -> tuple[Trail, ...]:
        """The account's trails, and those of its organization that log it."""
        region = await self._region(target)
        params: dict[str, Any] = {"IncludeOrganizationTrail": 1}
        if names:
            params["TrailNames"] = list(names)
        answer = await self._calls.ask(target.account, region, DESCRIBE_TRAILS, params)
        return tuple(_trail(target, found) for found in answer.get("Trails") or () if isinstance(found, dict))

    async def create_trail(self, target: Target, trail: NewTrail) -> Trail:
        """A trail of all event sources into a TOS bucket of the region asked. Raises CrosstrailError."""
        if not trail.start_logging:
            raise UnsupportedByCloud(
                "a trail of Volcengine cannot be asked to start switched off",
                hint=f"Leave {words().start_logging} true.",
            )
        region = await self._region(target)
        params = {
            "TrailName": trail.name,
            "EventRW": "All",
            "IncludeAllEventSources": True,
            "TrailType": int(trail.organization),
            "TosBucketName": trail.bucket,
            "TosBucketRegion": region,
            **({"TosKeyPrefix": trail.prefix} if trail.prefix else {}),
        }
        try:
            made = await self._calls.ask(target.account, region, CREATE_TRAIL_OF_ALL_SOURCES, params)
        except CloudUnavailable as error:
            if error.nothing_sent:
                raise
            told = own(error)
            told.hint = f"Whether the trail was created is not known: see {words().trails} before trying again."
            raise told from None
        return _trail(target, {"TrailName": trail.name, "TrailRegion": region, **made})

    async def result(self, target: Target, action: Action, params: Mapping[str, Any]) -> dict[str, Any]:
        """The Result of one action as the API gives it, for who speaks its language. Raises CrosstrailError."""
        return await self._calls.ask(target.account, await self._region(target), action, params)

    async def _region(self, target: Target) -> str:
        if target.account.cloud != CLOUD:
            raise UnsupportedByCloud(f"account {target.account.name} is not a Volcengine account")
        return target.region or await self._calls.home_region(target.account)


def _divided(filters: Sequence[Filter], target: Target) -> tuple[dict[str, Any], tuple[Filter, ...]]:
    """The condition as the API takes it, and the filters that are left to apply here.

    One condition at most: whether several must all hold is not documented.
    """
    left = {one.key: one for one in filters}
    if target.region:
        left.setdefault(_REGION, Filter(_REGION, target.region))
    for key, name in _CONDITION_KEYS.items():
        if key in left and (key != FilterKey.ERROR_CODE or _ERROR_CODE.fullmatch(left[key].value)):
            condition = {"LookupConditionKey": name, "LookupConditionValue": left.pop(key).value}
            return {"LookupConditions": [condition]}, tuple(left.values())
    return {}, tuple(left.values())


def _times(span: TimeRange, now: datetime) -> dict[str, int]:
    """A second more at the end: the API wants the start before the end, and may leave out the end's own second."""
    times: dict[str, int] = {}
    if span.start:
        times["StartTime"] = math.floor(max(span.start, now - LOOKUP_HISTORY).timestamp())
    if span.end:
        times["EndTime"] = math.floor(span.end.timestamp()) + 1
    elif span.start:
        times["EndTime"] = math.floor(now.timestamp()) + 1
    return times


def _trail(target: Target, found: Mapping[str, Any]) -> Trail:
    bucket, prefix = found.get("TosBucketName") or "", found.get("TosKeyPrefix") or ""
    project, topic = found.get("TlsProjectName") or "", found.get("TlsTopicName") or ""
    places = [f"tos://{bucket}/{prefix}".rstrip("/")] if bucket else []
    places += [f"tls://{project}/{topic}".rstrip("/")] if project else []
    status = found.get("LoggingStatus")
    return Trail(
        name=str(found.get("TrailName") or ""),
        account=target.account.id,
        region=str(found.get("TrailRegion") or found.get("TosBucketRegion") or found.get("TlsProjectRegion") or ""),
        destination=" ".join(places),
        organization=bool(found["TrailType"]) if found.get("TrailType") in (0, 1) else None,
        logging=(str(status).lower() in ("enable", "enabled")) if status else None,
        latest_delivery=_moment(found.get("LatestDeliveryTime")),
        latest_error=str(found.get("LatestDeliveryError") or ""),
    )


def _moment(value: Any) -> datetime | None:
    """Trails write times as `20241217T1100Z`; None for what is no time."""
    try:
        return time_of(value) if value else None
    except ValueError:
        return None
