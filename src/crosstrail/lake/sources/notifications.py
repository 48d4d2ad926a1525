"""What a message of a queue says of objects in a bucket: S3's own notifications, EventBridge's, CloudTrail's, each also inside SNS.

Decides what a message is, never what is done with it. Everything in it is hostile: a key is a name to ask the bucket for, and
nothing more. A message is a hint; whether an object is known, the ledger says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_plus

from crosstrail.json_values import table, text

_MAX_BYTES = 1024 * 1024
"""Of a message; SQS has no larger ones."""
_MAX_KEY = 1024


class NoticeKind(StrEnum):
    OBJECTS = "objects"
    """Objects were made."""
    NOTHING = "nothing"
    """A test, or a deletion: nothing to read, nothing to come back to."""
    FOREIGN = "foreign"
    """Nothing that is known here."""


@dataclass(frozen=True, slots=True)
class NoticedObject:
    """`etag` and `size` as the message has them; empty and 0 where it does not."""

    bucket: str
    key: str
    etag: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    kind: NoticeKind
    objects: tuple[NoticedObject, ...] = ()


def notice_of(body: str) -> Notice:
    """What a message's body says. Never raises."""
    said = _parsed(body)
    if said is not None and said.get("Type") == "Notification" and "TopicArn" in said:
        said = _parsed(text(said.get("Message")))
    if said is None:
        return Notice(NoticeKind.FOREIGN)
    if text(said.get("Event")) == "s3:TestEvent" or said.get("Message") == "CloudTrail validation message.":
        return Notice(NoticeKind.NOTHING)
    try:
        if said.get("source") == "aws.s3":
            found = list(_of_eventbridge(said))
        elif "s3ObjectKey" in said:
            found = [NoticedObject(text(said.get("s3Bucket")), text(key)) for key in _list(said["s3ObjectKey"])]
        else:
            records = [table(one) for one in _list(said.get("Records"))]
            if not records or any(text(one.get("eventSource")) != "aws:s3" for one in records):
                return Notice(NoticeKind.FOREIGN)
            found = [one for record in records for one in _of_s3(record)]
    except (TypeError, ValueError, KeyError):
        return Notice(NoticeKind.FOREIGN)
    good = tuple(one for one in found if one.bucket and 0 < len(one.key) <= _MAX_KEY)
    return Notice(NoticeKind.OBJECTS if good else NoticeKind.NOTHING, good)


def _of_s3(record: Mapping[str, object]) -> Iterator[NoticedObject]:
    """Keys are written as in a form: `+` for a blank (user guide, "Event message structure")."""
    if not text(record.get("eventName")).startswith("ObjectCreated:"):
        return
    inner = table(record.get("s3"))
    found = table(inner.get("object"))
    name = text(table(inner.get("bucket")).get("name"))
    yield NoticedObject(name, unquote_plus(text(found.get("key"))), text(found.get("eTag")), _size(found))


def _of_eventbridge(said: Mapping[str, object]) -> Iterator[NoticedObject]:
    """Keys as they are."""
    if said.get("detail-type") == "Object Created":
        detail = table(said.get("detail"))
        found = table(detail.get("object"))
        name = text(table(detail.get("bucket")).get("name"))
        yield NoticedObject(name, text(found.get("key")), text(found.get("etag")), _size(found))


def _size(found: Mapping[str, object]) -> int:
    size = found.get("size")
    return size if isinstance(size, int) and 0 <= size < 2**50 else 0


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _parsed(body: str) -> Mapping[str, object] | None:
    if len(body) > _MAX_BYTES:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
