"""An event of LookupEvents as an Event. Pure.

Decides which field of it an Event takes, whether the account asked is the one that answered, and what the filters mean that
only ActionTrail has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crosstrail.accounts.caller_identity import wrong_account
from crosstrail.clouds.alibaba.accounts import CLOUD
from crosstrail.clouds.alibaba.record import resources_of, to_cloudtrail
from crosstrail.clouds.shape import errors_of, id_of, principal_of, time_of, username_of
from crosstrail.errors import CloudError
from crosstrail.filters import matches
from crosstrail.models import Account, Event, Filter, Resource

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
        raise _unreadable(account)
    shapes = [to_cloudtrail(item) for item in items]
    _check_owner(shapes, account)
    own = [one for one in filters if one.key in _FIELD_OF_KEY]
    general = [one for one in filters if one.key not in _FIELD_OF_KEY]
    for item, shape in zip(items, shapes, strict=True):
        event = _event(item, shape, account, region, with_record)
        meets = all(item.get(_FIELD_OF_KEY[one.key]) == one.value for one in own)
        yield event, meets and matches(event, shape, general)


def _check_owner(shapes: Sequence[Mapping[str, Any]], account: Account) -> None:
    """An event may tell only whose identity called, and a role is called from other accounts too.

    So one event proves nothing; a page without a single event of the account asked is another account's.
    """
    owners = [owner for shape in shapes if isinstance(owner := shape.get("recipientAccountId"), str)]
    if owners and account.id not in owners:
        raise wrong_account(account, owners[0], "another account answered: nothing of it is shown")


def _event(
    item: Mapping[str, Any], shape: Mapping[str, Any], account: Account, region: str, with_record: bool
) -> Event:
    identity = shape.get("userIdentity") or {}
    try:
        time = time_of(shape.get("eventTime"))
    except ValueError:
        raise _unreadable(account) from None
    return Event(
        cloud=CLOUD,
        account=account.id,
        region=_text(shape.get("awsRegion")) or region,
        id=id_of(shape, {}),
        time=time,
        name=_text(shape.get("eventName")),
        source=_text(shape.get("eventSource")),
        username=username_of(identity),
        principal=principal_of(identity),
        access_key_id=_text(identity.get("accessKeyId")),
        source_ip=_text(shape.get("sourceIPAddress")),
        error_code=_text(shape.get("errorCode")),
        errors=errors_of(shape),
        read_only=shape.get("readOnly"),
        resources=tuple(Resource(kind, name) for kind, name in resources_of(item)),
        record=item if with_record else None,
    )


def _unreadable(account: Account) -> CloudError:
    return CloudError(
        f"account {account.name} was answered with an event that cannot be read",
        hint="Ask for a narrower time span to see the others.",
        account=account.name,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
