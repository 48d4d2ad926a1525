"""One Volcengine CloudTrail event, brought into the shape of an AWS CloudTrail record so that one set of columns fits.

Decides which Volcengine field is which column. Pure: no I/O. It never guesses the files a trail delivers to TOS, whose
format is not published: it reads what LookupEvents answers (`Trails` items, their EventDetail, or EventDetail alone).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crosstrail.clouds.record_text import parsed_record
from crosstrail.clouds.shape import RecordForm, RecordText, ShapedRecord, id_of

# Volcengine's field -> AWS's, at the top of the record and inside UserIdentity.
_FIELDS = {
    "EventVersion": "eventVersion",
    "EventSource": "eventSource",
    "EventName": "eventName",
    "EventType": "eventType",
    "Region": "awsRegion",
    "SourceIPAddress": "sourceIPAddress",
    "UserAgent": "userAgent",
    "ErrorCode": "errorCode",
    "ErrorMessage": "errorMessage",
    "RequestID": "requestID",
    "ApiVersion": "apiVersion",
    "EventID": "eventID",
    "EventTime": "eventTime",
}
_IDENTITY_FIELDS = {
    "Type": "type",
    "PrincipalID": "principalId",
    "TRN": "arn",
    "AccountID": "accountId",
    "AccessKeyID": "accessKeyId",
    "UserName": "userName",
    "InvokedBy": "invokedBy",
}
_JSON_FIELDS = {
    "RequestParameters": "requestParameters",
    "ResponseElements": "responseElements",
    "AdditionalEventData": "additionalEventData",
}
_READING_VERBS = ("Get", "List", "Describe", "Lookup", "Query", "Check", "Head")


def is_record(item: Mapping[str, object]) -> bool:
    """Whether this JSON object looks like a `Trails` item or an EventDetail."""
    if "EventDetail" in item:
        return isinstance(item.get("EventID") or item.get("EventName"), str)
    return (
        isinstance(item.get("EventID"), str) and "EventName" in item and ("UserIdentity" in item or "EventTime" in item)
    )


def unwrap(item: Mapping[str, object], parse: Callable[[str], object] = parsed_record) -> Mapping[str, object]:
    """EventDetail of a `Trails` item, with the item's fields where the detail lacks them. Raises ValueError."""
    if "EventDetail" not in item:
        return item
    text = item["EventDetail"]
    detail = parse(text) if isinstance(text, str) else text
    if not isinstance(detail, dict):
        raise ValueError("EventDetail is not a JSON object")
    outer = {key: value for key, value in item.items() if key != "EventDetail" and not key.endswith("Display")}
    return {**outer, **detail}


def to_cloudtrail(record: Mapping[str, object]) -> dict[str, object]:
    """The same event with AWS's field names. Empty texts are absent values, as Volcengine writes them."""
    shaped: dict[str, object] = {new: record[old] for old, new in _FIELDS.items() if record.get(old) not in (None, "")}
    identity = record.get("UserIdentity")
    identity = identity if isinstance(identity, dict) else {}
    caller = {new: identity[old] for old, new in _IDENTITY_FIELDS.items() if identity.get(old) not in (None, "")}
    for old in ("UserName", "AccessKeyID"):
        if record.get(old):
            caller.setdefault(_IDENTITY_FIELDS[old], record[old])
    if "accountId" in caller:
        caller["accountId"] = shaped["recipientAccountId"] = str(caller["accountId"])
    if caller:
        shaped["userIdentity"] = caller
    for old, new in _JSON_FIELDS.items():
        if (value := _object(record.get(old))) is not None:
            shaped[new] = value
    shaped["readOnly"] = _read_only(record)
    shaped["managementEvent"] = True
    return shaped


def resources_of(record: Mapping[str, object]) -> list[tuple[str, str]]:
    """(type, id) and (type, TRN) of RelatedResources."""
    found: dict[tuple[str, str], None] = {}
    listed = record.get("RelatedResources")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict):
            for key in ("ResourceID", "IntegratedTrn"):
                if name := one.get(key):
                    found[str(one.get("ResourceType") or ""), str(name)] = None
    return list(found)


def _object(value: object) -> object:
    """Parameters may be an object or JSON text of one; other text is kept as it is."""
    if value in (None, ""):
        return None
    if isinstance(value, str):
        try:
            return parsed_record(value)
        except ValueError:
            return value
    return value


def _read_only(record: Mapping[str, object]) -> bool:
    """As the event says, else by the verb its name starts with: Volcengine's ReadOnly attribute is not in the event."""
    stated = record.get("ReadOnly")
    if isinstance(stated, bool):
        return stated
    if isinstance(stated, str) and stated.lower() in ("true", "false"):
        return stated.lower() == "true"
    return str(record.get("EventName") or "").startswith(_READING_VERBS)


def _shaped(item: Mapping[str, object], raw: bytes, text: RecordText) -> ShapedRecord:
    record = unwrap(item, lambda inner: text.parsed(inner.encode()))
    shape = to_cloudtrail(record)
    written = raw if record is item else text.compact(record)
    return ShapedRecord(shape, written, id_of(shape, item), resources_of(record))


RECORDS = RecordForm(is_record, _shaped)
