"""An item of LookupEvents as an Event. Pure.

Decides which field of the item or of the record inside it an Event takes, and whose event it is: one that says it was
delivered to another account than the one asked is never passed on as the asked one's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crosstrail.accounts.caller_identity import wrong_account
from crosstrail.clouds.aws.record import CLOUD, resources_of, unwrap
from crosstrail.clouds.shape import errors_of, principal_of
from crosstrail.filters import matches
from crosstrail.models import Account, Event, Filter, Resource


def events_of(
    items: Sequence[Mapping[str, Any]],
    account: Account,
    region: str,
    *,
    with_record: bool,
    filters: Sequence[Filter] = (),
) -> Iterator[tuple[Event, bool]]:
    """In the order of the items, each with whether it meets all filters. Raises WrongAccount when an item belongs to
    another account."""
    for item in items:
        record = _record(item)
        _check_owner(record, account, region)
        event = _event(item, record, account, region, with_record)
        yield event, matches(event, record, filters)


def _record(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record inside, or an empty one where it cannot be read: what the item itself says is still true."""
    try:
        return unwrap(item) if "CloudTrailEvent" in item else {}
    except ValueError:
        return {}


def _check_owner(record: Mapping[str, Any], account: Account, region: str) -> None:
    owner = record.get("recipientAccountId")
    if isinstance(owner, str) and owner and owner != account.id:
        raise wrong_account(account, owner, f"another account answered in {region}: nothing of it is shown")


def _event(
    item: Mapping[str, Any], record: Mapping[str, Any], account: Account, region: str, with_record: bool
) -> Event:
    identity = record.get("userIdentity")
    time: datetime = item["EventTime"]
    return Event(
        cloud=CLOUD,
        account=account.id,
        region=region,
        id=item.get("EventId") or "",
        time=time.astimezone(UTC),
        name=item.get("EventName") or "",
        source=item.get("EventSource") or "",
        username=item.get("Username") or "",
        principal=principal_of(identity) if isinstance(identity, dict) else "",
        access_key_id=item.get("AccessKeyId") or "",
        source_ip=_text(record.get("sourceIPAddress")),
        error_code=_text(record.get("errorCode")),
        errors=errors_of(record),
        read_only={"true": True, "false": False}.get(str(item.get("ReadOnly")).lower()),
        resources=tuple(Resource(kind, name) for kind, name in resources_of(record, item)),
        record=(record or dict(item)) if with_record else None,
        text=_text(item.get("CloudTrailEvent")) if with_record and record else "",
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
