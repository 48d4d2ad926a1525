"""An event of LookupEvents as an Event. Pure.

Decides which field of it an Event takes, whether the account asked is the one that answered, and what the filters mean that
only ActionTrail has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crosstrail.clouds.alibaba.record import resources_of, to_cloudtrail
from crosstrail.clouds.shaped_events import check_owner, event_of, unreadable
from crosstrail.filters import matches
from crosstrail.models import Account, Event, Filter

SERVICE_NAME = "ServiceName"
EVENT_TYPE = "EventType"
_FIELD_OF_KEY = {SERVICE_NAME: "serviceName", EVENT_TYPE: "eventType"}
"""Filters that only ActionTrail has -> the field of the event that they are compared with, letter by letter."""


def events_of(
    items: Any, account: Account, region: str, *, with_record: bool, filters: Sequence[Filter] = ()
) -> Iterator[tuple[Event, bool]]:
    """In the order of the items, each with whether it meets all filters. `region`: asked, for an event that names none.

    Raises WrongAccount when all belong to another account, CloudError for nonsense.
    """
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise unreadable(account)
    shapes = [to_cloudtrail(item) for item in items]
    check_owner(shapes, account)
    own = [one for one in filters if one.key in _FIELD_OF_KEY]
    general = [one for one in filters if one.key not in _FIELD_OF_KEY]
    for item, shape in zip(items, shapes, strict=True):
        event = event_of(shape, account, resources_of(item), region=region, record=item if with_record else None)
        meets = all(item.get(_FIELD_OF_KEY[one.key]) == one.value for one in own)
        yield event, meets and matches(event, shape, general)
