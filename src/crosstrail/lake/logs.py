"""The content of one log file to rows: every form in which audit events are kept, broken ones included.

Decides what in a file is an event and names what is not, so that one bad record never costs a good one. It opens no file
and writes nothing; all it is given is bytes from strangers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from crosstrail.clouds import aws_record, volcengine_record
from crosstrail.clouds.shape import account_of, id_of, time_of
from crosstrail.lake.rows import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LISTS = ("Records", "Events", "Trails")
_LIST_START = re.compile(r'\s*(?:\{\s*"(?:Records|Events|Trails)"\s*:\s*)?\[')
_RECORD_START = re.compile(r'\{\s*"(?:eventVersion|EventId|EventID|CloudTrailEvent|EventDetail)"')
_BETWEEN = re.compile(r"[\s,]*")
_NO_ACCOUNT = "the record names no account; pass --account ID"
_MOST_NESTED = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read: `position` is a record index (from 0) or a byte offset of the uncompressed file."""

    path: str
    position: str
    reason: str


@dataclass(slots=True)
class LogContent:
    """What one file held. `is_log` is False for a file that holds no events and never did: digests, other JSON."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    is_log: bool = True


class _NotALog(Exception):
    pass


def read_log(data: bytes, path: str, account: str) -> LogContent:
    """The rows of a whole file. `account` is for records that name none. Never raises for what `data` holds."""
    content = LogContent()
    recognised = unrecognised = 0
    try:
        for position, item in _items(data, path, content.problems):
            try:
                content.rows.append(_row(item, path, account))
                recognised += 1
            except _Unrecognised as error:
                unrecognised += 1
                content.problems.append(Problem(path, position, str(error)))
            except (ValueError, TypeError, RecursionError) as error:
                recognised += 1
                content.problems.append(Problem(path, position, _reason(error)))
    except _NotALog:
        return LogContent(is_log=False)
    if unrecognised and not recognised:
        return LogContent(is_log=False)
    return content


class _Unrecognised(ValueError):
    pass


def _items(data: bytes, path: str, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """Each record with its position. What is no JSON is added to `problems`."""
    data = _as_utf8(data)
    try:
        whole = orjson.loads(data)
    except orjson.JSONDecodeError:
        yield from _broken(data, path, problems)
        return
    for number, item in enumerate(_listed(whole)):
        yield f"record {number}", item


def _as_utf8(data: bytes) -> bytes:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _listed(whole: Any) -> list[Any]:
    """The records of a parsed file: a list, or an object that holds one, or one record alone."""
    if isinstance(whole, list):
        return whole
    if not isinstance(whole, dict):
        raise _NotALog
    if isinstance(result := whole.get("Result"), dict):
        whole = result
    for name in _LISTS:
        if isinstance(whole.get(name), list):
            listed: list[Any] = whole[name]
            return listed
    if aws_record.is_record(whole) or volcengine_record.is_record(whole):
        return [whole]
    raise _NotALog


def _broken(data: bytes, path: str, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """A file that is not one JSON value: newline-delimited, or cut short, or damaged somewhere."""
    if any(_is_object(line) for line in data.lstrip().split(b"\n", 5)[:5]):
        yield from _lines(data, path, problems)
    elif data.lstrip()[:1] in (b"{", b"["):
        yield from _salvaged(data.decode("utf-8", "replace"), path, problems)
    elif path.lower().endswith(".log"):
        raise _NotALog
    else:
        problems.append(Problem(path, "byte 0", "not JSON" if data.strip() else "an empty file"))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _lines(data: bytes, path: str, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    offset = 0
    for number, line in enumerate(data.split(b"\n")):
        if line.strip():
            position = f"record {number} (byte {offset})"
            try:
                items = _listed(_loads(line))
            except (ValueError, RecursionError, _NotALog):
                problems.append(Problem(path, position, "not a JSON record"))
            else:
                for item in items:
                    yield position, item
        offset += len(line) + 1


def _salvaged(text: str, path: str, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """The whole records of a damaged list. Each damage is a problem, named by its byte offset; reading goes on where the
    next record starts. Records read twice this way would do no harm: their ids are the same."""
    start = _LIST_START.match(text)
    place = start.end() if start else 0
    decoder = json.JSONDecoder()
    counted = offset = number = 0
    while place < len(text):
        place = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        if text[place : place + 1] == "]":
            return
        try:
            item, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            damage = min(getattr(error, "pos", place), len(text))
            following = _RECORD_START.search(text, max(damage, place + 1))
            offset += len(text[counted:damage].encode("utf-8", "replace"))
            counted = damage
            problems.append(Problem(path, f"byte {offset}", "damaged JSON" if following else "cut short"))
            if not following:
                return
            place = following.start()
            continue
        try:
            strict = _clean(item)
        except (ValueError, RecursionError):
            problems.append(Problem(path, f"record {number}", "not a JSON record"))
        else:
            yield f"record {number}", strict
        number += 1
        place = end
    problems.append(Problem(path, f"byte {len(text.encode('utf-8', 'replace'))}", "cut short"))


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return _clean(json.loads(line.decode("utf-8", "replace")))


def _clean(item: Any) -> Any:
    """What Python's lenient parser let through, made strict: lone surrogates become question marks; NaN is refused."""
    return orjson.loads(json.dumps(item, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace"))


def _row(item: Any, path: str, account: str) -> Row:
    """Raises ValueError naming what the record lacks."""
    for _ in range(_MOST_NESTED):
        if not isinstance(item, str):
            break
        item = orjson.loads(item)
    if not isinstance(item, dict):
        raise _Unrecognised("not a JSON object")
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
        raise _Unrecognised("not an audit event")
    if not owner:
        raise ValueError(_NO_ACCOUNT)
    return Row(cloud, owner, micros, identity, shape, orjson.dumps(record), resources, username, path)


@lru_cache(maxsize=100_000)
def _micros(value: Any) -> int:
    return (time_of(value) - _EPOCH) // timedelta(microseconds=1)


def _reason(error: Exception) -> str:
    """A reason that holds no value of the record: those are hostile text."""
    if isinstance(error, _Unrecognised) or str(error) == _NO_ACCOUNT:
        return str(error)
    if isinstance(error, orjson.JSONDecodeError):
        return "the record inside is not JSON"
    if isinstance(error, RecursionError | orjson.JSONEncodeError):
        return "nested too deeply"
    return "no readable event time"
