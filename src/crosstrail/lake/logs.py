"""One file's bytes to rows: every event in it, and the reason for whatever else it holds.

Decides what makes a file a log, and when what is wrong in it is a problem of the user's: damage in a log is, a picture among
logs is not. It opens no file and writes nothing; all it is given is bytes from strangers. Nothing is held but one JSON value.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import MsgspecError

from crosstrail.lake.documents import documents
from crosstrail.lake.kinds import OTHER_JSON, kind_of_file
from crosstrail.lake.records import NotAnEvent, records
from crosstrail.lake.rows import Row
from crosstrail.models import AccountKey

MAX_PROBLEMS = 100
"""Of one file that are kept; all are counted."""
_CUT = "cut short"
_SHORTEST_EVENT = 48
"""Bytes of the shortest JSON value that is looked into: an id and a time are longer. Millions of shorter ones are passed fast."""
_JSON = re.compile(rb'[\[{]\s*["\[{]|[\[{]\s*[\]}]|"\s*(?:\\[nrt"\\])*[\[{]|^\s*[\[{"]')
_RECORD = re.compile(rb'"(?:Records|eventVersion|eventversion|CloudTrailEvent|EventDetail)"\s*:')
_EMPTY_LIST = re.compile(rb'"(?:[Rr]ecords|[Ee]vents|Trails)"\s*:\s*\[\s*\]')
"""A delivery or a page of an answer in which nothing happened: a log, and nothing is wrong with it."""
_EMPTY_WITHIN = 1_000
_LOG_NAME = re.compile(
    r"\.(?:json|jsonl|ndjson|cloudtrail)(?:\.\w{1,8})?$|\d{6,20}_CloudTrail[A-Za-z-]*_[a-z0-9-]+_\d{8}T\d{4}Z_"
    r"|(?:^|[/!])Actiontrail[A-Za-z-]*_[a-z0-9-]+_\d{14}_",
    re.IGNORECASE,
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_PADDING = b"\x00 \t\r\n\xef\xbb\xbf"
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read: `position` is a record index (from 0) or a byte offset of the uncompressed file."""

    path: str
    position: str
    reason: str


@dataclass(slots=True)
class LogContent:
    """What one file held beside its rows. `left_out` are the kinds of what is no audit event."""

    events: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    left_out: set[str] = field(default_factory=set)

    def problem(self, name: str, position: str, reason: str) -> None:
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(name, position, reason))

    def damaged(self, name: str, damages: list[tuple[int, str]]) -> None:
        """What was wrong with the packing: that the text in it ends early follows from it."""
        cut = [problem for problem in self.problems if problem.reason == _CUT]
        self.problems = [problem for problem in self.problems if problem.reason != _CUT]
        self.problem_count -= len(cut)
        for offset, reason in damages[:MAX_PROBLEMS]:
            self.problem(name, f"byte {offset}", reason)

    def drop_problems(self) -> None:
        self.problems.clear()
        self.problem_count = 0


def read_log(
    name: str,
    head: bytes,
    chunks: Iterable[bytes],
    account: str,
    content: LogContent,
    owner: AccountKey | None = None,
) -> Iterator[Row]:
    """The rows of a file, whose first bytes are `head`; the rest is told to `content`, complete when no row is left.

    `account` is for records that name none; of an `owner` all are, whatever they name. Never raises for what the file holds.
    """
    encoding = _encoding(head)
    start = head.decode(encoding, "replace").encode() if encoding else head
    if head and not _JSON.search(start) and start.strip(_PADDING):
        content.left_out.add(kind_of_file(name, head) or ("binary file" if _CONTROL.search(start) else "text"))
        return
    lacking = False
    number = 0
    text = _as_utf8(_counted(chunks, content), encoding)
    for document in documents(text, lambda offset, reason: content.problem(name, f"byte {offset}", reason)):
        empty = _EMPTY_LIST.search(document.raw, 0, _EMPTY_WITHIN)
        if len(document.raw) < _SHORTEST_EVENT:
            content.left_out |= set() if empty else {OTHER_JSON}
            number += 1
            continue
        try:
            for found in records(document, name, account, owner):
                if isinstance(found, Row):  # also one that has an empty list among its own values
                    content.events += 1
                    yield found
                elif not isinstance(found, NotAnEvent):
                    lacking = True
                    content.problem(name, f"record {number}", found.reason)
                elif not document.member and not (empty and found.kind == OTHER_JSON):
                    content.left_out.add(found.kind)
                number += 1
        except (MsgspecError, ValueError, RecursionError):
            content.problem(name, f"record {number}", "not a JSON record")
            number += 1
    if not content.events and not lacking:
        _judge(name, start, content)


def _judge(name: str, start: bytes, content: LogContent) -> None:
    """What a file without events is: a log that is damaged, or no log at all."""
    log = _LOG_NAME.search(name) or _RECORD.search(start)
    kinds = content.left_out - {OTHER_JSON}
    if not log and not kinds - {
        "text"
    }:  # brackets in a text or a picture; behind the damage of a service's log may be more
        content.drop_problems()
    if OTHER_JSON in content.left_out and (kind := kind_of_file(name)):
        content.left_out = kinds | {kind}
    if content.left_out or content.problems:
        return
    if not start.strip(_PADDING) and content.bytes == 0 and log:
        content.problem(name, "byte 0", "an empty file")
    elif not start.strip(_PADDING):
        content.left_out.add("empty file")
    elif not _JSON.match(start.lstrip(_PADDING)):
        content.left_out.add(kind_of_file(name, start) or "text")


def _encoding(head: bytes) -> str:
    """UTF-16 by its mark, or by the zero bytes beside a bracket; empty for UTF-8."""
    if encoding := _UTF_16.get(head[:2]):
        return encoding
    if head[2:4].count(0) != 1:
        return ""
    return {b"[\0": "utf-16-le", b"{\0": "utf-16-le", b"\0[": "utf-16-be", b"\0{": "utf-16-be"}.get(head[:2], "")


def _as_utf8(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    if not encoding:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _counted(chunks: Iterable[bytes], content: LogContent) -> Iterator[bytes]:
    for chunk in chunks:
        content.bytes += len(chunk)
        yield chunk
