"""An item of Volcengine's LookupEvents as an Event. Pure.

Decides which field of the item or of its EventDetail an Event takes, and whether the account asked is the one that answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crosstrail.clouds.shaped_events import check_owner, event_of, unreadable
from crosstrail.clouds.volcengine.record import resources_of, to_cloudtrail, unwrap
from crosstrail.filters import matches
from crosstrail.models import Account, Event, Filter


def events_of(
    items: Sequence[Any], account: Account, *, with_record: bool, filters: Sequence[Filter] = ()
) -> Iterator[tuple[Event, bool]]:
    """In the order of the items, each with whether it meets all filters.

    Raises WrongAccount when all belong to another account, CloudError for nonsense.
    """
    if not all(isinstance(item, dict) for item in items):
        raise unreadable(account)
    records = [_record(item) for item in items]
    shapes = [to_cloudtrail(record) for record in records]
    check_owner(shapes, account)
    for record, shape in zip(records, shapes, strict=True):
        event = event_of(shape, account, resources_of(record), record=record if with_record else None)
        yield event, matches(event, shape, filters)


def _record(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The item and its EventDetail as one; without the detail where it cannot be read: the rest is still true."""
    try:
        return unwrap(item)
    except ValueError:
        return {key: value for key, value in item.items() if key != "EventDetail"}
