"""One entry of Meridian's audit log: how it is recognised, its AWS-shaped form for the lake, and the Event it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from crosstrail.clouds.shape import (
    RecordForm,
    RecordText,
    ShapedRecord,
    errors_of,
    principal_of,
    time_of,
    username_of,
)
from crosstrail.models import Event, Resource
from crosstrail_meridian.accounts import CLOUD, ID

_FIELDS = {
    "entryId": "eventID",
    "action": "eventName",
    "service": "eventSource",
    "account": "recipientAccountId",
    "address": "sourceIPAddress",
    "agent": "userAgent",
    "request": "requestID",
    "input": "requestParameters",
}
_KINDS = {"user": "IAMUser", "session": "AssumedRole"}
_FILE = re.compile(rf"(?:^|/)meridian-audit/({ID})/[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\.jsonl", re.ASCII)


def is_record(item: Mapping[str, Any]) -> bool:
    """Whether this JSON object is an entry: nobody else writes these three."""
    return (
        isinstance(item.get("entryId"), str)
        and isinstance(item.get("actor"), Mapping)
        and item.get("effect") in ("read", "write")
    )


def to_cloudtrail(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The same entry with AWS's field names. Raises ValueError for one without a time."""
    shape: dict[str, Any] = {new: entry[old] for old, new in _FIELDS.items() if entry.get(old) not in (None, "")}
    moment = time_of(entry.get("at"))
    shape["eventTime"] = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    shape["readOnly"] = entry.get("effect") == "read"
    shape["managementEvent"] = True
    shape["userIdentity"] = _identity(entry.get("actor"), shape.get("recipientAccountId"))
    failure = entry.get("failure")
    if isinstance(failure, Mapping):
        shape |= {
            new: failure[old] for old, new in (("code", "errorCode"), ("message", "errorMessage")) if failure.get(old)
        }
        if not failure.get("code"):
            shape["responseElements"] = {str(shape.get("eventName")): "Failure"}
    return shape


def _identity(actor: Any, account: Any) -> dict[str, Any]:
    if not isinstance(actor, Mapping):
        return {}
    name, role = actor.get("name"), actor.get("role")
    who = f"assumed-role/{role}/{name}" if role else f"user/{name}"
    found = {"type": _KINDS.get(str(actor.get("kind")), str(actor.get("kind"))), "arn": f"mrn:{account}:{who}"}
    return found | ({"accountId": account} if account else {}) | ({} if role else {"userName": name})


def resources_of(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    objects = entry.get("objects")
    return (
        [(str(one.get("kind")), str(one.get("name"))) for one in objects if isinstance(one, Mapping)]
        if isinstance(objects, list)
        else []
    )


def shaped_event(entry: Mapping[str, Any], *, with_record: bool) -> tuple[Event, dict[str, Any]]:
    """The Event and the shape that filters are compared with. Raises KeyError, TypeError, ValueError for nonsense."""
    shape = to_cloudtrail(entry)
    identity = shape["userIdentity"]
    event = Event(
        cloud=CLOUD,
        account=shape["recipientAccountId"],
        region="",
        id=shape["eventID"],
        time=time_of(entry["at"]),
        name=shape["eventName"],
        source=shape["eventSource"],
        username=username_of(identity),
        principal=principal_of(identity),
        source_ip=str(shape.get("sourceIPAddress", "")),
        error_code=str(shape.get("errorCode", "")),
        errors=errors_of(shape),
        read_only=shape["readOnly"],
        resources=tuple(Resource(kind, name) for kind, name in resources_of(entry)),
        record=entry if with_record else None,
    )
    return event, shape


def _shaped(item: Mapping[str, Any], raw: bytes, text: RecordText) -> ShapedRecord:
    return ShapedRecord(to_cloudtrail(item), raw, item["entryId"], resources_of(item))


def _account_in(name: str) -> str:
    found = _FILE.search(name)
    return found[1] if found else ""


RECORDS = RecordForm(is_record, _shaped, _account_in)
