"""AlibabaTrail: Alibaba Cloud's ActionTrail as an AuditTrail, for whatever account and region a target names.

Decides which requests answer a question, and what of the answers belongs to it. It asks through AlibabaCalls alone, keeps
nothing between two calls, and never passes on an event of another account, outside the span, or given before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from crosstrail.clouds.alibaba.accounts import CLOUD
from crosstrail.clouds.alibaba.calls import (
    CREATE_TRAIL,
    DESCRIBE_TRAILS,
    GET_TRAIL_STATUS,
    LOOKUP_EVENTS,
    START_LOGGING,
    AlibabaCalls,
)
from crosstrail.clouds.alibaba.events import events_of
from crosstrail.clouds.alibaba.lookups import HISTORY, LOOKUP_KEYS, divided, readable, times_of, windows
from crosstrail.clouds.paging import page_size, span_of
from crosstrail.clouds.reading import Reading
from crosstrail.clouds.shape import time_of
from crosstrail.errors import CloudUnavailable, CrosstrailError, UnsupportedByCloud, with_hint
from crosstrail.models import Event, EventPage, EventQuery, NewTrail, Target, Trail, is_region
from crosstrail.timerange import TimeRange
from crosstrail.vocabulary import words

_ALL_REGIONS = "All"


class AlibabaTrail:
    """An AuditTrail that also CreatesTrails (see clouds/base.py).

    A region's API answers with events of global services too, such as RAM and sign-in. They name one region, and are given
    where that is asked for, so that each comes once; a target without a region is given all that the account's own has.
    """

    def __init__(self, calls: AlibabaCalls, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._calls = calls
        self._now = now

    @property
    def attribute_keys(self) -> frozenset[str]:
        """AWS's spelling of those that both clouds have, and what only ActionTrail knows."""
        return LOOKUP_KEYS

    async def lookup_events(self, target: Target, query: EventQuery) -> EventPage:
        """One request, unless its whole answer was given before, the account has no such event in 30 days, or filters are
        left that ActionTrail cannot apply. Raises InvalidRequest, CredentialsError, CloudError."""
        region = await self._region(target)
        attributes, sifted = divided(readable(query.filters))
        now, span = self._now(), span_of(query)
        held, pending = TimeRange(now - HISTORY, now), list(windows(span, now))
        reading = Reading(query, span, target, region, sifts=bool(sifted), deadline=self._calls.deadline)
        base = {
            "Direction": "BACKWARD",
            "MaxResults": str(page_size(query, sifts=bool(sifted or target.region))),
            **({"LookupAttribute": attributes} if attributes else {}),
        }
        given: set[str] = set()
        while pending:
            window, token = pending.pop(0), ""
            while True:
                params = {**base, **times_of(window), **({"NextToken": token} if token else {})}
                answer = await self._calls.ask(target.account, region, LOOKUP_EVENTS, params)
                token = str(answer.get("NextToken") or "")
                events = events_of(
                    answer.get("Events") or [], target.account, region, with_record=query.with_record, filters=sifted
                )
                found = reading.take(
                    _once(events, given, target.region),
                    more=bool(token or pending),
                    reached=None if token else window.start,
                )
                if found:
                    return replace(found, held=held)
                if not token:
                    break
        return EventPage((), held=held)

    async def describe_trails(self, target: Target, names: tuple[str, ...] = ()) -> tuple[Trail, ...]:
        """Trails of the region, those of elsewhere that log it, and those of the organization; each with its status, or why
        that cannot be had."""
        region = await self._region(target)
        params = {
            "IncludeOrganizationTrail": True,
            "IncludeShadowTrails": True,
            **({"NameList": ",".join(names)} if names else {}),
        }
        answer = await self._calls.ask(target.account, region, DESCRIBE_TRAILS, params)
        listed = [one for one in answer.get("TrailList") or () if isinstance(one, dict)]
        return tuple(
            [await self._described(target, region, one) for one in listed if not names or one.get("Name") in names]
        )

    async def create_trail(self, target: Target, trail: NewTrail) -> Trail:
        """Create it and, unless told otherwise, start logging. Raises CrosstrailError, which says how far it came."""
        region = await self._region(target)
        params = {
            "Name": trail.name,
            "EventRW": "All",
            "OssBucketName": trail.bucket,
            "TrailRegion": _ALL_REGIONS if trail.multi_region else region,
            "IsOrganizationTrail": trail.organization,
            **({"OssKeyPrefix": trail.prefix} if trail.prefix else {}),
        }
        try:
            made = await self._calls.ask(target.account, region, CREATE_TRAIL, params)
        except CloudUnavailable as error:
            raise with_hint(error, f"Whether the trail was created is not known: see {words().trails} first.") from None
        made = {"HomeRegion": region, **params, **made}
        if not trail.start_logging:
            return _trail(target, made, {"IsLogging": False})
        try:
            await self._calls.ask(target.account, region, START_LOGGING, {"Name": trail.name})
        except CrosstrailError as error:
            hint = f"The trail {trail.name} was created and does not log yet. {error.hint}"
            raise with_hint(error, hint) from None
        return _trail(target, made, {"IsLogging": True})

    async def _described(self, target: Target, region: str, found: Mapping[str, Any]) -> Trail:
        home = str(found.get("HomeRegion") or "")
        params = {
            "Name": str(found.get("Name") or ""),
            "IsOrganizationTrail": found.get("IsOrganizationTrail") is True,
        }
        try:
            status = await self._calls.ask(
                target.account, home if is_region(home) else region, GET_TRAIL_STATUS, params
            )
        except CrosstrailError as error:
            return _trail(target, found, {}, error.text)
        return _trail(target, found, status)

    async def _region(self, target: Target) -> str:
        if target.account.cloud != CLOUD:
            raise UnsupportedByCloud(f"account {target.account.name} is not an Alibaba Cloud account")
        return target.region or await self._calls.home_region(target.account)


def _once(events: Iterator[tuple[Event, bool]], given: set[str], region: str) -> Iterator[tuple[Event, bool]]:
    """Each event the first time that it comes: spans overlap. With a region, events of others meet nothing."""
    for event, meets in events:
        if event.id not in given:
            given.add(event.id)
            yield event, meets and region in ("", event.region)


def _trail(target: Target, found: Mapping[str, Any], status: Mapping[str, Any], error: str = "") -> Trail:
    bucket, prefix = found.get("OssBucketName") or "", found.get("OssKeyPrefix") or ""
    places = [f"oss://{bucket}/{prefix}".rstrip("/")] if bucket else []
    places += [str(found[name]) for name in ("SlsProjectArn", "MaxComputeProjectArn") if found.get(name)]
    logging, covered, organization = status.get("IsLogging"), found.get("TrailRegion"), found.get("IsOrganizationTrail")
    failure = status.get("LatestDeliveryError") or status.get("LatestDeliveryLogServiceError")
    return Trail(
        name=str(found.get("Name") or ""),
        account=target.account.id,
        region=str(found.get("HomeRegion") or ""),
        destination=" ".join(places),
        multi_region=covered == _ALL_REGIONS if covered else None,
        organization=organization if isinstance(organization, bool) else None,
        validates_files=False,  # ActionTrail writes no digest files
        logging=logging if isinstance(logging, bool) else None,
        latest_delivery=_moment(status.get("LatestDeliveryTime") or status.get("LatestDeliveryLogServiceTime")),
        latest_error=str(failure or error),
    )


def _moment(value: Any) -> datetime | None:
    """None for what is no time."""
    try:
        return time_of(value) if value else None
    except ValueError:
        return None
