"""The content of one log file to rows: every form in which audit events are kept, broken ones included.

Decides what in a file is an event and names what is not, so that one bad record never costs a good one. It opens no file
and writes nothing; all it is given is bytes from strangers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from msgspec import MsgspecError, Raw
from msgspec.json import Decoder

from crosstrail.lake.records import NotAnEvent, records
from crosstrail.lake.rows import Row

_LIST_START = re.compile(r'\s*(?:\{\s*"(?:Records|Events|Trails)"\s*:\s*)?\[')
_RECORD_START = re.compile(r'\{\s*"(?:eventVersion|EventId|EventID|CloudTrailEvent|EventDetail)"')
_decode = Decoder(Raw).decode
_BETWEEN = re.compile(r"[\s,]*")


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


def read_log(data: bytes, path: str, account: str) -> LogContent:
    """The rows of a whole file. `account` is for records that name none. Never raises for what `data` holds."""
    content = LogContent()
    recognised = unrecognised = 0
    try:
        for position, raw in _documents(data, path, content.problems):
            try:
                for number, found in enumerate(records(raw, path, account)):
                    if isinstance(found, Row):
                        content.rows.append(found)
                    else:
                        content.problems.append(Problem(path, position or f"record {number}", found.reason))
                    unrecognised += isinstance(found, NotAnEvent)
                    recognised += not isinstance(found, NotAnEvent)
            except (MsgspecError, ValueError, RecursionError):
                recognised += 1
                content.problems.append(Problem(path, position or "byte 0", "not a JSON record"))
    except NotALog:
        return LogContent(is_log=False)
    if unrecognised and not recognised:
        return LogContent(is_log=False)
    return content


class NotALog(Exception):
    """The file holds no JSON and is none of those that ought to."""


def _documents(data: bytes, path: str, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
    """Each JSON value with its position, empty when it is the whole file. What is no JSON is added to `problems`."""
    data = _as_utf8(data)
    try:
        data.decode()
        _decode(data)
    except (MsgspecError, ValueError, RecursionError):
        yield from _broken(data, path, problems)
        return
    yield "", data


def _as_utf8(data: bytes) -> bytes:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _broken(data: bytes, path: str, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
    """A file that is not one JSON value: newline-delimited, or cut short, or damaged somewhere."""
    if any(_is_object(line) for line in data.lstrip().split(b"\n", 5)[:5]):
        yield from _lines(data, path, problems)
    elif data.lstrip()[:1] in (b"{", b"["):
        yield from _salvaged(data.decode("utf-8", "replace"), path, problems)
    elif path.lower().endswith(".log"):
        raise NotALog
    else:
        problems.append(Problem(path, "byte 0", "not JSON" if data.strip() else "an empty file"))


def _is_object(line: bytes) -> bool:
    try:
        _decode(line)
    except (MsgspecError, RecursionError):
        return False
    return line.strip()[:1] == b"{"


def _lines(data: bytes, path: str, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
    offset = 0
    for number, line in enumerate(data.split(b"\n")):
        if line.strip():
            position = f"record {number} (byte {offset})"
            try:
                yield position, _strict(line)
            except (ValueError, RecursionError):
                problems.append(Problem(path, position, "not a JSON record"))
        offset += len(line) + 1


def _salvaged(text: str, path: str, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
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


def _strict(line: bytes) -> bytes:
    try:
        line.decode()
        _decode(line)
    except (MsgspecError, ValueError, RecursionError):
        return _clean(json.loads(line.decode("utf-8", "replace")))
    return line


def _clean(item: Any) -> bytes:
    """What Python's lenient parser let through, made strict: lone surrogates become question marks; NaN is refused."""
    return json.dumps(item, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
