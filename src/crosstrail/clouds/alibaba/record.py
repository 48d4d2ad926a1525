"""One ActionTrail event, brought into the shape of an AWS CloudTrail record so that one set of columns fits.

Decides which of its fields is which column. Pure: no I/O. The same object stands in LookupEvents' answer, in the files of a
trail in OSS and, as text, in rows of Log Service: https://www.alibabacloud.com/help/en/actiontrail/latest/actiontrail-event-structure
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import orjson

from crosstrail.clouds.alibaba.accounts import ACCOUNTS
from crosstrail.clouds.shape import RecordForm, RecordText, ShapedRecord, id_of

_FIELDS = {
    "eventVersion": "eventVersion",
    "eventSource": "eventSource",
    "eventName": "eventName",
    "eventType": "eventType",
    "eventCategory": "eventCategory",
    "acsRegion": "awsRegion",
    "sourceIpAddress": "sourceIPAddress",
    "userAgent": "userAgent",
    "errorCode": "errorCode",
    "errorMessage": "errorMessage",
    "requestId": "requestID",
    "apiVersion": "apiVersion",
    "eventId": "eventID",
    "eventTime": "eventTime",
    "recipientAccountId": "recipientAccountId",
    "vpcId": "vpcEndpointId",
    "responseElements": "responseElements",
    "insightDetails": "insightDetails",
}
"""ActionTrail's field -> AWS's. Empty texts are absent values."""
_ADDITIONAL = ("serviceName", "isGlobal")
"""Fields without a column of their own: `additionalEventData` has them too."""
_READ_ONLY = {"Read": True, "Write": False}
_HOST = ".aliyuncs.com"
_PATH_ACCOUNT = re.compile(
    r"(?:^|/)AliyunLogs/Actiontrail(?:-Insight)?/[A-Za-z0-9-]{1,64}/(\d{6,20})/[a-z0-9-]{2,40}/\d{4}/", re.ASCII
)


def is_record(item: Mapping[str, object]) -> bool:
    """Whether this JSON object is an event. It asks for what only ActionTrail writes: its region, or read or write."""
    source = item.get("eventSource")
    return (
        (
            (isinstance(source, str) and source.endswith(_HOST))
            or isinstance(item.get("acsRegion"), str)
            or item.get("eventRW") in ("Read", "Write")
        )
        and isinstance(item.get("eventName") or item.get("eventId"), str)
        and "eventTime" in item
    )


def to_cloudtrail(record: Mapping[str, object], parse: Callable[[str], object] = orjson.loads) -> dict[str, object]:
    """The same event with AWS's field names; `requestParameterJson` stays out where it only repeats the parameters.

    `parse`: as the record itself was parsed, so that the same numbers are the same.
    """
    shaped: dict[str, object] = {new: record[old] for old, new in _FIELDS.items() if record.get(old) not in (None, "")}
    if identity := _identity(record.get("userIdentity")):
        shaped["userIdentity"] = identity
        if ACCOUNTS.is_id(str(owner := identity.get("accountId"))):
            shaped.setdefault("recipientAccountId", owner)
    if isinstance(owner := shaped.get("recipientAccountId"), int):
        shaped["recipientAccountId"] = str(owner)
    given, as_text = record.get("requestParameters"), _parsed(record.get("requestParameterJson"), parse)
    parameters = given if given not in (None, "") else as_text
    if parameters is not None:
        shaped["requestParameters"] = parameters
    additional = _additional(record)
    if as_text is not None and as_text != parameters:
        additional["requestParameterJson"] = record["requestParameterJson"]
    if additional:
        shaped["additionalEventData"] = additional
    if isinstance(kind := record.get("eventRW"), str) and kind in _READ_ONLY:
        shaped["readOnly"] = _READ_ONLY[kind]
    shaped["managementEvent"] = record.get("eventCategory") in (None, "", "Management")
    return shaped


def resources_of(record: Mapping[str, object]) -> list[tuple[str, str]]:
    """(type, id) of `referencedResources`, and of resourceType with resourceName: types apart by `;`, ids of one by `,`."""
    found: dict[tuple[str, str], None] = {}
    referenced = record.get("referencedResources")
    for kind, names in referenced.items() if isinstance(referenced, dict) else ():
        for name in names if isinstance(names, list) else (names,):
            if isinstance(name, str | int) and name != "":
                found[str(kind), str(name)] = None
    found |= dict.fromkeys(_named(record))
    return list(found)


def _named(record: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    kinds, names = record.get("resourceType"), record.get("resourceName")
    if not isinstance(names, str) or not names:
        return
    listed = kinds.split(";") if isinstance(kinds, str) else [""]
    for place, group in enumerate(names.split(";") if len(listed) > 1 else [names]):
        for name in group.split(","):
            if name.strip():
                yield listed[min(place, len(listed) - 1)].strip(), name.strip()


def _identity(value: object) -> dict[str, object]:
    """The caller, with the resource name that RAM gives it: `acs:ram::ACCOUNT:user/alice`, `...:assumed-role/ROLE/SESSION`."""
    if not isinstance(value, Mapping):
        return {}
    identity = {key: inner for key, inner in value.items() if inner not in (None, "")}
    if isinstance(account := identity.get("accountId"), int):
        identity["accountId"] = str(account)
    account, kind, name = (identity.get(key) for key in ("accountId", "type", "userName"))
    if "arn" not in identity and isinstance(account, str) and ACCOUNTS.is_id(account) and (who := _who(kind, name)):
        identity["arn"] = f"acs:ram::{account}:{who}"
    return identity


def _who(kind: object, name: object) -> str:
    if kind == "root-account":
        return "root"
    if not isinstance(name, str) or not name:
        return ""
    if kind == "ram-user":
        return f"user/{name}"
    role, colon, session = name.partition(":")
    return f"assumed-role/{role}/{session}" if kind == "assumed-role" and colon else ""


def _additional(record: Mapping[str, object]) -> dict[str, object]:
    given = record.get("additionalEventData")
    found = dict(given) if isinstance(given, Mapping) else {"value": given} if given not in (None, "") else {}
    for name in _ADDITIONAL:
        if record.get(name) not in (None, ""):
            found.setdefault(name, record[name])
    return found


def _parsed(value: object, parse: Callable[[str], object]) -> object:
    """JSON text as what it says; other text as it is."""
    if value in (None, ""):
        return None
    if isinstance(value, str):
        try:
            return parse(value)
        except ValueError:
            return value
    return value


def _shaped(item: Mapping[str, object], raw: bytes, text: RecordText) -> ShapedRecord:
    shape = to_cloudtrail(item, lambda inner: text.parsed(inner.encode()))
    return ShapedRecord(shape, raw, id_of(shape, {}), resources_of(item))


@lru_cache(maxsize=1_000)
def _account_in(name: str) -> str:
    """Of a multi-account trail's files alone; the others name no account."""
    found = _PATH_ACCOUNT.search(name)
    return found[1] if found else ""


RECORDS = RecordForm(is_record, _shaped, _account_in)
