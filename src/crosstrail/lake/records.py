"""One JSON value to rows: what in it is an audit event, whose, and what it is where it is none.

Decides which list, wrapper or record a JSON value is. It opens no file and writes nothing; every value is hostile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from crosstrail.clouds import aws_record, volcengine_record
from crosstrail.clouds.shape import account_of, id_of, time_of
from crosstrail.lake.rows import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LISTS = ("Records", "Events", "Trails")
_NO_ACCOUNT = "the record names no account; pass --account ID"
_MOST_NESTED = 3


@dataclass(frozen=True, slots=True)
class NotAnEvent:
    """A JSON value that is no audit event. `kind` is its standard name: "S3 event notification", "AWS Config snapshot"."""

    kind: str
    reason: str = "not an audit event"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An audit event that cannot go in; `reason` holds no value of the record."""

    reason: str


class NotALog(Exception):
    """The JSON value holds no list of records and is none itself."""


class Unrecognised(ValueError):
    """A member of a list is no audit event."""


def records(raw: bytes, name: str, account: str) -> Iterator[Row | NotAnEvent | Unreadable]:
    """What one complete JSON value holds, in its order. `name` is the row's source_object, `account` for records that
    name none. Raises ValueError when `raw` is not JSON."""
    try:
        items = listed(orjson.loads(raw))
    except NotALog:
        yield NotAnEvent("JSON")
        return
    for item in items:
        try:
            yield row_of(item, name, account)
        except Unrecognised as error:
            yield NotAnEvent("JSON", str(error))
        except (ValueError, TypeError, RecursionError) as error:
            yield Unreadable(reason_of(error))


def listed(whole: Any) -> list[Any]:
    """The records of a parsed file: a list, or an object that holds one, or one record alone. Raises NotALog."""
    if isinstance(whole, list):
        return whole
    if not isinstance(whole, dict):
        raise NotALog
    if isinstance(result := whole.get("Result"), dict):
        whole = result
    for name in _LISTS:
        if isinstance(whole.get(name), list):
            found: list[Any] = whole[name]
            return found
    if aws_record.is_record(whole) or volcengine_record.is_record(whole):
        return [whole]
    raise NotALog


def row_of(item: Any, path: str, account: str) -> Row:
    """Raises ValueError naming what the record lacks."""
    for _ in range(_MOST_NESTED):
        if not isinstance(item, str):
            break
        item = orjson.loads(item)
    if not isinstance(item, dict):
        raise Unrecognised("not a JSON object")
    if aws_record.is_record(item):
        record = aws_record.unwrap(item)
        micros = _micros(record.get("eventTime") or record.get("@timestamp") or item.get("EventTime"))
        owner = account_of(record, account)
        username = str(item.get("Username") or "") if item is not record else ""
        resources = aws_record.resources_of(record, item)
        cloud, shape, identity = aws_record.CLOUD, record, id_of(record, item)
    elif volcengine_record.is_record(item):
        record = volcengine_record.unwrap(item)
        shape = volcengine_record.to_cloudtrail(record)
        micros = _micros(shape.get("eventTime"))
        owner = account_of(shape, account)
        username, resources = "", volcengine_record.resources_of(record)
        cloud, identity = volcengine_record.CLOUD, id_of(shape, item)
    else:
        raise Unrecognised("not an audit event")
    if not owner:
        raise ValueError(_NO_ACCOUNT)
    return Row(cloud, owner, micros, identity, shape, orjson.dumps(record), resources, username, path)


@lru_cache(maxsize=100_000)
def _micros(value: Any) -> int:
    return (time_of(value) - _EPOCH) // timedelta(microseconds=1)


def reason_of(error: Exception) -> str:
    """A reason that holds no value of the record: those are hostile text."""
    if isinstance(error, Unrecognised) or str(error) == _NO_ACCOUNT:
        return str(error)
    if isinstance(error, orjson.JSONDecodeError):
        return "the record inside is not JSON"
    if isinstance(error, RecursionError | orjson.JSONEncodeError):
        return "nested too deeply"
    return "no readable event time"
