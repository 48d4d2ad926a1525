"""Meridian's audit log as an AuditTrail: which requests answer a question, and what of the answers belongs to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from crosstrail.accounts.caller_identity import wrong_account
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.paced_retry import paced_retry
from crosstrail.clouds.paging import span_of
from crosstrail.clouds.ratelimit import RateLimiter
from crosstrail.clouds.reading import Reading
from crosstrail.errors import CloudError, UnsupportedByCloud
from crosstrail.filters import KEYS, FilterKey, accepted, matches
from crosstrail.models import AttributeKey, Event, EventPage, EventQuery, Filter, Target, Trail
from crosstrail.timerange import TimeRange
from crosstrail_meridian.accounts import CLOUD
from crosstrail_meridian.broker import MeridianBroker
from crosstrail_meridian.record import shaped_event

HISTORY = timedelta(days=45)
_PAGE = 25
_LOOKUPS_PER_SECOND = 20.0
_ACTION, _PATH = "audit:ListEntries", "/v1/audit"
_KEYS = frozenset(KEYS) - {AttributeKey.ACCESS_KEY_ID, FilterKey.EVENT_CATEGORY, FilterKey.API_VERSION}


class MeridianTrail:
    """An account's audit log is one, newest first. It is asked by the actor's name; every other filter is applied here."""

    attribute_keys = _KEYS

    def __init__(self, broker: MeridianBroker, deadline: float) -> None:
        self._broker = broker
        self._deadline = deadline
        self._pace = RateLimiter(_LOOKUPS_PER_SECOND, burst=10)

    async def lookup_events(self, target: Target, query: EventQuery) -> EventPage:
        account = target.account
        if account.cloud != CLOUD:
            raise UnsupportedByCloud(f"account {account.name} is not a Meridian account")
        filters = accepted(query.filters, _KEYS)
        now = datetime.now(UTC)
        held, span = TimeRange(now - HISTORY, now), span_of(query)
        start = max(span.start, now - HISTORY) if span.start else now - HISTORY
        if target.region or start > (span.end or now):
            return EventPage((), held=held)
        params = {"from": str(_milliseconds(start)), "size": str(_PAGE)}
        if span.end:
            params["to"] = str(_milliseconds(span.end))
        actor = next((one for one in filters if one.key == AttributeKey.USERNAME), None)
        if actor:
            params["actor"] = actor.value
        sifted = [one for one in filters if one is not actor]
        reading = Reading(query, span, target, "", sifts=bool(sifted), deadline=self._deadline)
        while True:
            answer = await paced_retry(
                lambda: self._broker.call(account, _ACTION, _PATH, params),
                RequestInfo(account.name, "", _ACTION),
                pace=self._pace,
                key=account.key,
                deadline=self._deadline,
            )
            events = _events(answer.get("entries"), target, sifted, with_record=query.with_record)
            following = answer.get("next")
            if page := reading.take(events, more=bool(following)):
                return replace(page, held=held)
            params["after"] = str(following)

    async def describe_trails(self, target: Target, names: tuple[str, ...] = ()) -> tuple[Trail, ...]:
        raise UnsupportedByCloud(
            "Meridian has no trails to describe", hint="Its audit log is always on: use lookup_events."
        )


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def _events(
    entries: Any, target: Target, filters: Sequence[Filter], *, with_record: bool
) -> Iterator[tuple[Event, bool]]:
    """In their order, each with whether it meets the filters. Raises WrongAccount, CloudError."""
    if not isinstance(entries, list):
        raise _unreadable(target)
    for entry in entries:
        try:
            event, shape = shaped_event(entry, with_record=with_record)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _unreadable(target) from None
        if event.account != target.account.id:
            raise wrong_account(target.account, event.account, "another account answered: nothing of it is shown")
        yield event, matches(event, shape, filters)


def _unreadable(target: Target) -> CloudError:
    name = target.account.name
    return CloudError(f"account {name} was answered with an entry that cannot be read", account=name)
