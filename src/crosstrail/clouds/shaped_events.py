"""Events of a live lookup whose records are brought into the shape of an AWS CloudTrail record: what such clouds share.

Decides which field of the shape an Event takes, and when a page is another account's. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crosstrail.accounts.caller_identity import wrong_account
from crosstrail.clouds.shape import errors_of, id_of, principal_of, time_of, username_of
from crosstrail.errors import CloudError
from crosstrail.models import Account, Event, Resource


def check_owner(shapes: Sequence[Mapping[str, object]], account: Account) -> None:
    """Raises WrongAccount for a page without a single event of the account that was asked: it is another account's.

    One event proves nothing: it may tell only whose identity called, and a role is called from other accounts too.
    """
    owners = [owner for shape in shapes if isinstance(owner := shape.get("recipientAccountId"), str)]
    if owners and account.id not in owners:
        raise wrong_account(account, owners[0], "another account answered: nothing of it is shown")


def event_of(
    shape: Mapping[str, object],
    account: Account,
    resources: Iterable[tuple[str, str]],
    *,
    region: str = "",
    record: Mapping[str, object] | None,
) -> Event:
    """`region`: of an event that names none. `resources`: (type, name) of each. Raises CloudError for one without a time."""
    identity = caller if isinstance(caller := shape.get("userIdentity"), Mapping) else {}
    read_only = shape.get("readOnly")
    try:
        time = time_of(shape.get("eventTime"))
    except ValueError:
        raise unreadable(account) from None
    return Event(
        cloud=account.cloud,
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
        read_only=read_only if isinstance(read_only, bool) else None,
        resources=tuple(Resource(kind, name) for kind, name in resources),
        record=record,
    )


def unreadable(account: Account) -> CloudError:
    return CloudError(
        f"account {account.name} was answered with an event that cannot be read",
        hint="Ask for a narrower time span to see the others.",
        account=account.name,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
