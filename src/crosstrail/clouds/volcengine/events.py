"""An item of Volcengine's LookupEvents as an Event. Pure.

Decides which field of the item or of its EventDetail an Event takes, and whether the account asked is the one that answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crosstrail.accounts.caller_identity import wrong_account
from crosstrail.clouds.shape import errors_of, id_of, principal_of, time_of, username_of
from crosstrail.clouds.volcengine.accounts import CLOUD
from crosstrail.clouds.volcengine.record import resources_of, to_cloudtrail, unwrap
from crosstrail.errors import CloudError
from crosstrail.filters import matches
from crosstrail.models import Account, Event, Filter, Resource


def events_of(
    items: Sequence[Any], account: Account, *, with_record: bool, filters: Sequence[Filter] = ()
) -> Iterator[tuple[Event, bool]]:
    """In the order of the items, each with whether it meets all filters.

    Raises WrongAccount when all belong to another account, CloudError for nonsense.
    """
    if not all(isinstance(item, dict) for item in items):
        raise _unreadable(account)
    records = [_record(item) for item in items]
    shapes = [to_cloudtrail(record) for record in records]
    _check_owner(shapes, account)
    for record, shape in zip(records, shapes, strict=True):
        event = _event(record, shape, account, with_record)
        yield event, matches(event, shape, filters)


def _record(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The item and its EventDetail as one; without the detail where it cannot be read: the rest is still true."""
    try:
        return unwrap(item)
    except ValueError:
        return {key: value for key, value in item.items() if key != "EventDetail"}


def _check_owner(shapes: Sequence[Mapping[str, Any]], account: Account) -> None:
    """An event tells only whose identity called, not whose trail holds it, and a role is called from other accounts too.

    So one event proves nothing; a page without a single event of the account asked is another account's.
    """
    owners = [owner for shape in shapes if isinstance(owner := shape.get("recipientAccountId"), str)]
    if owners and account.id not in owners:
        raise wrong_account(account, owners[0], "another account answered: nothing of it is shown")


def _event(record: Mapping[str, Any], shape: Mapping[str, Any], account: Account, with_record: bool) -> Event:
    identity = shape.get("userIdentity") or {}
    try:
        time = time_of(shape.get("eventTime"))
    except ValueError:
        raise _unreadable(account) from None
    return Event(
        cloud=CLOUD,
        account=account.id,
        region=_text(shape.get("awsRegion")),
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
        read_only=shape["readOnly"],
        resources=tuple(Resource(kind, name) for kind, name in resources_of(record)),
        record=record if with_record else None,
    )


def _unreadable(account: Account) -> CloudError:
    return CloudError(
        f"account {account.name} was answered with an event that cannot be read",
        hint="Ask for a narrower time span to see the others.",
        account=account.name,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
