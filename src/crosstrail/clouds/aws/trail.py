"""AwsTrail: AWS CloudTrail as an AuditTrail, for whatever account and region a target names.

Decides which requests answer a question, and what of the answers belongs to it. It asks through CloudTrailCalls alone,
keeps nothing between two calls, and never passes on an event of another account, outside the span, or given before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import anyio

from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.aws.calls import CloudTrailCalls
from crosstrail.clouds.aws.events import events_of
from crosstrail.clouds.aws.values import as_logged
from crosstrail.clouds.paging import LOOKUP_HISTORY, page_size, span_of
from crosstrail.clouds.reading import Reading
from crosstrail.errors import CloudUnavailable, CrosstrailError, UnsupportedByCloud, with_hint
from crosstrail.filters import KEYS, FilterKey, accepted, session_name
from crosstrail.models import (
    AttributeKey,
    EventDataStore,
    EventPage,
    EventQuery,
    Filter,
    NewTrail,
    Target,
    Trail,
)
from crosstrail.timerange import TimeRange
from crosstrail.vocabulary import words

_MAX_SELECTIVE_FIRST = (
    AttributeKey.EVENT_ID,
    AttributeKey.ACCESS_KEY_ID,
    AttributeKey.RESOURCE_NAME,
    AttributeKey.USERNAME,
    AttributeKey.EVENT_NAME,
    AttributeKey.RESOURCE_TYPE,
    AttributeKey.EVENT_SOURCE,
    AttributeKey.READ_ONLY,
)
"""LookupEvents takes one attribute."""
_STORES_PAGE = 1000
_DETAILS_AT_ONCE = 10

T = TypeVar("T")
R = TypeVar("R")


def open_trail(broker: AwsBroker, *, deadline: float) -> AwsTrail:
    """The trail of all AWS accounts."""
    return AwsTrail(CloudTrailCalls(broker, deadline=deadline))


class AwsTrail:
    """An AuditTrail that also CreatesTrails and HasEventDataStores (see clouds/base.py)."""

    def __init__(
        self, calls: CloudTrailCalls, *, now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0)
    ) -> None:
        self._calls = calls
        self._now = now

    @property
    def attribute_keys(self) -> frozenset[str]:
        return frozenset(KEYS)

    async def lookup_events(self, target: Target, query: EventQuery) -> EventPage:
        """One request, unless its whole answer was given before or filters are left that LookupEvents cannot apply.

        Raises InvalidRequest, CredentialsError, CloudError.
        """
        region = await self._region(target)
        asked, sifted = _divided(accepted(query.filters, self.attribute_keys))
        held = self._held()
        span = span_of(query)
        if held.start and span.end and span.end < held.start:
            return EventPage((), held=held)
        params = {**asked, **_times(span), "MaxResults": page_size(query, sifts=bool(sifted))}
        reading = Reading(query, span, target, region, sifts=bool(sifted), deadline=self._calls.deadline)
        while True:
            answer = await self._calls.ask(target.account, region, "lookup_events", **params)
            items, token = answer.get("Events", ()), answer.get("NextToken")
            events = events_of(items, target.account, region, with_record=query.with_record, filters=sifted)
            if page := reading.take(events, more=bool(token)):
                return replace(page, held=held)
            params["NextToken"] = token

    async def describe_trails(self, target: Target, names: tuple[str, ...] = ()) -> tuple[Trail, ...]:
        """Trails of the region and those of elsewhere that log it; each with its status, or why that cannot be had."""
        region = await self._region(target)
        params = {"trailNameList": list(names)} if names else {}
        answer = await self._calls.ask(target.account, region, "describe_trails", **params)

        async def described(found: Mapping[str, Any]) -> Trail:
            try:
                status = await self._calls.ask(
                    target.account, region, "get_trail_status", Name=found.get("TrailARN") or found["Name"]
                )
            except CrosstrailError as error:
                return _trail(target, found, {}, error.text)
            return _trail(target, found, status)

        return await _each(answer.get("trailList", ()), described)

    async def create_trail(self, target: Target, trail: NewTrail) -> Trail:
        """Create it and, unless told otherwise, start logging. Raises CrosstrailError, which says how far it came."""
        region = await self._region(target)
        try:
            made = await self._calls.ask(
                target.account,
                region,
                "create_trail",
                Name=trail.name,
                S3BucketName=trail.bucket,
                **({"S3KeyPrefix": trail.prefix} if trail.prefix else {}),
                IncludeGlobalServiceEvents=True,
                IsMultiRegionTrail=trail.multi_region,
                IsOrganizationTrail=trail.organization,
                EnableLogFileValidation=trail.validates_files,
            )
        except CloudUnavailable as error:
            if error.nothing_sent:
                raise
            raise with_hint(error, f"Whether the trail was created is not known: see {words().trails} first.") from None
        made = {"HomeRegion": region, **made}
        if not trail.start_logging:
            return _trail(target, made, {"IsLogging": False})
        try:
            await self._calls.ask(target.account, region, "start_logging", Name=made["TrailARN"])
        except CrosstrailError as error:
            raise with_hint(error, f"The trail {trail.name} was created and does not log yet. {error.hint}") from None
        return _trail(target, made, {"IsLogging": True})

    async def list_event_data_stores(self, target: Target, *, details: bool = False) -> tuple[EventDataStore, ...]:
        """All pages. Raises CrosstrailError for the list itself; a store without its details says why."""
        region = await self._region(target)
        listed: list[Mapping[str, Any]] = []
        params: dict[str, Any] = {"MaxResults": _STORES_PAGE}
        while True:
            answer = await self._calls.ask(target.account, region, "list_event_data_stores", **params)
            listed += answer.get("EventDataStores", ())
            if not (token := answer.get("NextToken")):
                break
            params["NextToken"] = token

        async def detailed(found: Mapping[str, Any]) -> EventDataStore:
            try:
                whole = await self._calls.ask(
                    target.account, region, "get_event_data_store", EventDataStore=found["EventDataStoreArn"]
                )
            except CrosstrailError as error:
                return _store(target, region, found, error.text)
            return _store(target, region, whole)

        return await _each(listed, detailed) if details else tuple(_store(target, region, one) for one in listed)

    async def _region(self, target: Target) -> str:
        if target.account.cloud != "aws":
            raise UnsupportedByCloud(f"account {target.account.name} is not an AWS account")
        return target.region or await self._calls.home_region(target.account)

    def _held(self) -> TimeRange:
        now = self._now()
        return TimeRange(now - LOOKUP_HISTORY, now)


def _divided(filters: Sequence[Filter]) -> tuple[dict[str, Any], tuple[Filter, ...]]:
    """What the API is asked for, and the filters that are left to apply here."""
    left = {one.key: as_logged(one) for one in filters}
    category = left.pop(FilterKey.EVENT_CATEGORY, None)
    if category and category.value == "insight":
        return {"EventCategory": "insight"}, tuple(left.values())
    for key in _MAX_SELECTIVE_FIRST:
        if chosen := left.pop(key, None):
            return _attribute(chosen), tuple(left.values())
    principal = left.get(FilterKey.PRINCIPAL)
    name = session_name(principal.value) if principal else ""
    # The name is part of the ARN, whose whole is compared here all the same.
    asked = _attribute(Filter(AttributeKey.USERNAME, name)) if name else {}
    return asked, tuple(left.values())


def _attribute(chosen: Filter) -> dict[str, Any]:
    return {"LookupAttributes": [{"AttributeKey": str(chosen.key), "AttributeValue": chosen.value}]}


def _times(span: TimeRange) -> dict[str, datetime]:
    """Both ends belong to the answer; the API counts in whole seconds, as the events do."""
    ends = {"StartTime": span.start, "EndTime": span.end}
    return {name: moment for name, moment in ends.items() if moment}


async def _each(items: Sequence[T], ask: Callable[[T], Awaitable[R]]) -> tuple[R, ...]:
    """What `ask` gives for each item, in their order, several at a time."""
    answers: dict[int, R] = {}
    limiter = anyio.CapacityLimiter(_DETAILS_AT_ONCE)

    async def one(place: int, item: T) -> None:
        async with limiter:
            answers[place] = await ask(item)

    async with anyio.create_task_group() as group:
        for place, item in enumerate(items):
            group.start_soon(one, place, item)
    return tuple(answers[place] for place in range(len(items)))


def _trail(target: Target, found: Mapping[str, Any], status: Mapping[str, Any], error: str = "") -> Trail:
    bucket, prefix = found.get("S3BucketName") or "", found.get("S3KeyPrefix") or ""
    delivered: datetime | None = status.get("LatestDeliveryTime")
    return Trail(
        name=found.get("Name") or "",
        account=target.account.id,
        region=found.get("HomeRegion") or "",
        destination=f"s3://{bucket}/{prefix}".rstrip("/") if bucket else "",
        multi_region=found.get("IsMultiRegionTrail"),
        organization=found.get("IsOrganizationTrail"),
        validates_files=found.get("LogFileValidationEnabled"),
        logging=status.get("IsLogging"),
        latest_delivery=delivered.replace(microsecond=0) if delivered else None,
        latest_error=error or status.get("LatestDeliveryError") or "",
        kms_key=found.get("KmsKeyId") or "",
    )


def _store(target: Target, region: str, found: Mapping[str, Any], error: str = "") -> EventDataStore:
    selectors = found.get("AdvancedEventSelectors") or ()
    fields = [field for selector in selectors for field in selector.get("FieldSelectors") or ()]
    categories = [
        name for field in fields if field.get("Field") == "eventCategory" for name in field.get("Equals") or ()
    ]
    return EventDataStore(
        id=found["EventDataStoreArn"].rpartition("/")[2],
        name=found.get("Name") or "",
        account=target.account.id,
        region=region,
        status=found.get("Status") or "",
        categories=tuple(dict.fromkeys(categories)),
        multi_region=found.get("MultiRegionEnabled"),
        organization=found.get("OrganizationEnabled"),
        retention_days=found.get("RetentionPeriod"),
        created=found.get("CreatedTimestamp"),
        error=error,
    )
