"""One JSON value to rows: the audit events in it, in whatever envelopes they lie, and the kind of everything else.

Decides which list, envelope or record a JSON value is, and whose event a record is that does not say so. It opens no file
and writes nothing. Every value is hostile: depth, work and what is unpacked are bounded, and nothing of a value is part of
a reason.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from msgspec import Raw, ValidationError, defstruct, field
from msgspec.json import Decoder

from crosstrail.account_forms import AccountForm
from crosstrail.clouds.record_text import is_nested, is_shallow
from crosstrail.clouds.shape import RecordForm, ShapedRecord, account_of, kind_of
from crosstrail.lake import exports
from crosstrail.lake.documents import Document, documents
from crosstrail.lake.json_text import NotJson, compact, parsed
from crosstrail.lake.kinds import ENVELOPES, OTHER_JSON, kind_of_file, kind_of_object
from crosstrail.lake.ordinary import ordinary_rows
from crosstrail.lake.packed import GZIP, Stream, gunzipped
from crosstrail.lake.record_forms import is_account, micros_of, record_forms, unstated_owner
from crosstrail.lake.rows import Row
from crosstrail.lake.typed_records import caller_of, typed
from crosstrail.models import AccountKey

_NOT_JSON = "the record inside is not JSON"
_NO_ACCOUNT = "the record names no account; pass --account ID"
_MAX_DEPTH = 12
"""Lists and envelopes one inside another: the most that people have is SQS, SNS, EventBridge, a list and the record."""
_MAX_UNPACKED = 64 * 1024 * 1024
"""Bytes that come out of the base64 and gzip inside one value."""
_SURELY_ENVELOPE = 2 * 1024
_RUN = 256
"""Records of a file that are decoded one after another: of more, what follows finds them gone from the processor's cache."""
_MAX_LISTED = 500_000
"""Elements of a list that are held at once."""

_LISTS = (
    "Records",
    "records",
    "Events",
    "events",
    "Trails",
    "logEvents",
    "Messages",
    "QueryResultRows",
    "value",
    "traces",
)
_ENVELOPES = (
    *_LISTS,
    "eventjson",  # CloudTrail Lake's and crosstrail's own rows
    "detail",  # EventBridge
    "Message", "Body", "body", "Sns",  # SNS, SQS, and both as Lambda has them
    "awslogs", "kinesis", "data", "Data",  # CloudWatch Logs and Kinesis as Lambda has them, Firehose: base64, gzip
    "message", "@message",  # Logstash, Filebeat, Vector, CloudWatch Logs
    "log",  # Fluentd
    "_raw", "result",  # Splunk
    "_source", "hits",  # Elasticsearch, OpenSearch
    "Result", "Response",  # answers of Volcengine and Tencent Cloud
    "event", "original", "contents", "contents_event_s", "Item", "record", "raw",
)  # fmt: skip
_HINTS = ("owner", "account", "recipientaccountid", "recipientAccountId")
"""Keys of an envelope that say whose events it holds."""


_Part = Raw | list[Raw]


class _Envelope(Protocol):
    """A struct of msgspec: each of its fields is a _Part, or None."""

    @property
    def __struct_fields__(self) -> tuple[str, ...]: ...


def _decoder(lists: tuple[str, ...]) -> Callable[[bytes], _Envelope]:
    """Of an object's parts that may hold events, as written; of these lists, which must be lists, each element."""
    parts = [
        (f"part{number}", list[Raw] if key in lists else Raw, field(default=None, name=key))
        for number, key in enumerate(_ENVELOPES)
    ]
    return Decoder(defstruct("_Envelope", parts)).decode


_envelope, _delivery = _decoder(()), _decoder(("Records", "Events"))


_elements = Decoder(list[Raw]).decode
_FILE = re.compile(rb'\s*\{\s*"(?:Records|Events)"\s*:\s*\[')
"""How CloudTrail's files and LookupEvents answers begin."""
_RECORD_KEYS = re.compile(rb'"(?:eventVersion|CloudTrailEvent|EventDetail|eventversion)"\s*:')
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{16,}={0,2}\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class NotAnEvent:
    """A JSON value that is no audit event. `kind` is its standard name: "S3 event notification", "AWS Config snapshot"."""

    kind: str
    reason: str = "not an audit event"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An audit event that cannot go in; `reason` holds no value of the record."""

    reason: str


Found = Row | NotAnEvent | Unreadable


def records(document: Document, name: str, account: str, owner: AccountKey | None = None) -> Iterable[Found]:
    """What one complete JSON value holds, in its order.

    `name` is the row's source_object; where a record names no account, its envelope does, else `name` by CloudTrail's rule
    for keys (FACTS: `AWSLogs/ACCOUNT/CloudTrail/...`, `ACCOUNT_CloudTrail_REGION_...`), else `account`. With an
    `owner`, whose own history gave them, all records are that account's and of its cloud.
    Raises ValueError when it is not JSON.
    """
    return _Reader(document, name, account, owner).value(document.raw, 0, "")


class _Reader:
    """One value's reading: what is the same at every depth, and what may still be unpacked."""

    def __init__(self, document: Document, name: str, account: str, owner: AccountKey | None = None) -> None:
        self._document = document
        self._found_at = 0
        self._name = name
        self._account = account
        self._owner = owner
        self._left = _MAX_UNPACKED

    def value(self, raw: bytes, depth: int, hint: str) -> Iterable[Found]:
        """Of a record, which most values are, a tuple: a generator of one costs as much as half its columns."""
        if depth > _MAX_DEPTH:
            return (NotAnEvent(OTHER_JSON, "nested too deeply"),)
        start = raw.lstrip()[:1]
        if start == b"{":
            return self._object(raw, depth, hint)
        if start == b"[":
            return self._list(raw, depth, hint)
        if start == b'"':
            return self._text(str(parsed(raw)), depth, hint)
        return (NotAnEvent(OTHER_JSON, "not a JSON object"),)

    def _list(self, raw: bytes, depth: int, hint: str) -> Iterator[Found]:
        if (row := exports.from_cells(raw)) is not None:
            yield from self.value(compact(row), depth + 1, hint)
            return
        parts: Iterable[bytes] = map(bytes, _elements(raw)) if raw.count(b",") <= _MAX_LISTED else _small(raw)
        for part in parts:
            yield from self.value(part, depth + 1, hint)

    def _object(self, raw: bytes, depth: int, hint: str) -> Iterable[Found]:
        if len(raw) > _SURELY_ENVELOPE and (file := _FILE.match(raw)):  # as delivered: parsed once, not twice
            return self._delivered(raw, file.end() - 1, depth, hint)
        if rows := self._ordinary([raw.strip()], hint):
            return rows
        try:
            item = parsed(raw)
        except (NotJson, RecursionError) as error:
            return (Unreadable(_reason(error)),)
        if not isinstance(item, dict):  # it begins like one
            return (NotAnEvent(OTHER_JSON, "not a JSON object"),)
        found = self._recognised(item, raw.strip(), hint)
        return self._wrapped(item, raw, depth, hint) if found is None else (found,)

    def _delivered(self, raw: bytes, place: int, depth: int, hint: str) -> Iterator[Found]:
        """The records of a file, whose list begins at `place`, and what else is in it: ends of values are looked for once."""
        parts: list[_Part] = []
        if raw.count(b",") <= _MAX_LISTED and not exports.are_cells(raw, place):
            with suppress(ValidationError):  # one of the lists comes again, and is no list
                parts = _present(_delivery(raw))
        for part in parts or _present(_envelope(raw)):
            if isinstance(part, Raw):
                yield from self.value(bytes(part), depth + 1, hint)
                continue
            for start in range(0, len(part), _RUN):
                run = part[start : start + _RUN]
                if rows := self._ordinary(run, hint):
                    yield from rows
                    continue
                for one in run:
                    yield from self.value(bytes(one), depth + 2, hint)

    def _ordinary(self, raws: Sequence[bytes], hint: str) -> Sequence[Row]:
        if self._owner is not None:  # of a live account's answer, whose items are none
            return ()
        return ordinary_rows(raws, self._name, hint, self._account, self._as_written)

    def _recognised(self, item: dict[str, object], raw: bytes, hint: str) -> Row | Unreadable | None:
        """The event that the object is, or what it lacks; None for an object that is no event."""
        try:
            for cloud, form, accounts in record_forms():
                if (self._owner is None or cloud == self._owner[0]) and form.is_record(item):
                    return self._row(cloud, form, accounts, form.shaped(item, raw, _TEXT), hint)
            if "eventjson" not in item and exports.is_row(item):
                cloud, form, accounts = next(one for one in record_forms() if one[0] == exports.CLOUD)
                return self._row(cloud, form, accounts, form.shaped(exports.to_record(item), raw, _TEXT), hint)
        except (ValueError, TypeError, RecursionError) as error:
            return Unreadable(_reason(error))
        return None

    def _row(self, cloud: str, form: RecordForm, accounts: AccountForm, shaped: ShapedRecord, hint: str) -> Row:
        """Raises ValueError naming what the record lacks."""
        shape, text = shaped.shape, shaped.text
        if is_nested(text) and not is_shallow(shape):
            raise RecursionError
        micros = micros_of(shape.get("eventTime"))
        owner = self._owner[1] if self._owner else account_of(shape, accounts)
        owner = owner or unstated_owner(form, accounts, hint, self._name, self._account)
        if not owner:
            raise ValueError(_NO_ACCOUNT)
        record = typed(shape)
        principal, username = caller_of(record.userIdentity)
        return Row(
            *(cloud, owner, micros, shaped.id, record, self._as_written(text), shaped.resources),
            *(shaped.username or username, principal or kind_of(shape), self._name),
        )

    def _as_written(self, text: bytes) -> bytes:
        """The record's text as it stood, halves of surrogate pairs included. Records come in their order."""
        document = self._document
        if document.raw is document.written:
            return text
        place = document.raw.find(text, self._found_at)
        if place < 0:  # it was text inside, or put together: no such search for every one of them
            self._found_at = len(document.raw)
            return text
        self._found_at = place + len(text)
        return document.written[place : self._found_at]

    def _wrapped(self, item: dict[str, object], raw: bytes, depth: int, hint: str) -> Iterator[Found]:
        """What is inside an envelope: all its lists, else the first of its parts that holds an event."""
        kind = kind_of_object(item)
        if kind not in ENVELOPES:  # what somebody wrote into a text of another service's event is no event
            yield NotAnEvent(kind)
            return
        hint = next((value for key in _HINTS if isinstance(value := item.get(key), str) and is_account(value)), hint)
        inside = kind
        if not item.keys().isdisjoint(_ENVELOPES):
            parts = [bytes(part) for part in _present(_envelope(raw)) if not isinstance(part, list)]
            if lists := [part for part in parts if part[:1] == b"["]:
                for part in lists:
                    yield from self.value(part, depth + 1, hint)
                return
            for part in parts:
                found = list(self.value(part, depth + 1, hint))
                if any(not isinstance(one, NotAnEvent) for one in found):
                    yield from found
                    return
                kinds = (one.kind for one in found if isinstance(one, NotAnEvent) and one.kind != OTHER_JSON)
                inside = next(kinds, inside) if inside == kind else inside
        yield NotAnEvent(inside)

    def _text(self, text: str, depth: int, hint: str) -> Iterator[Found]:
        """What a text holds: JSON, with or without a log line's head before it, or base64 of JSON or of gzip."""
        data = text.encode()
        if _BASE64.fullmatch(text):
            packing: list[str] = []
            try:
                data = self._unpacked(b64decode(text, validate=False), packing)
            except binascii.Error:
                data = b""
            for reason in packing:
                yield Unreadable(reason)
        damages: list[str] = []
        inner = 0
        for document in documents([data], lambda _, reason: damages.append(reason)):
            inner += 1
            outer = self._document, self._found_at
            self._document, self._found_at = document, 0
            yield from self.value(document.raw, depth + 1, hint)
            self._document, self._found_at = outer
        if damages and _RECORD_KEYS.search(data):
            yield Unreadable(_NOT_JSON)
        elif not inner:
            yield NotAnEvent(kind_of_file("", data[:512]) or "text", "not a JSON object")

    def _unpacked(self, data: bytes, damages: list[str]) -> bytes:
        """What is in gzip members, or the bytes themselves where there are none. What is wrong joins `damages`."""
        if not data.startswith(GZIP):
            return data
        parts: list[bytes] = []
        for piece in gunzipped(Stream([data]), lambda _, reason: damages.append(reason)):
            self._left -= len(piece)
            if self._left < 0:
                damages.append(f"more than {_MAX_UNPACKED >> 20} MB inside, refused")
                return b""
            parts.append(piece)
        return b"".join(parts)


def _small(raw: bytes) -> Iterator[bytes]:
    """The lists and objects of a list of very many things: held together they would take twenty times their bytes."""
    return (document.raw for document in documents([raw.strip()[1:-1]], _ignored))


def _ignored(offset: int, reason: str) -> None:
    """There are no damages in a value that is JSON."""


def _present(envelope: _Envelope) -> list[_Part]:
    """The parts of an envelope that may hold events, in the order in which they are looked at."""
    parts = (getattr(envelope, name) for name in envelope.__struct_fields__)
    return [one for one in parts if isinstance(one, list) or (one is not None and bytes(one)[:1] in (b"{", b"[", b'"'))]


class _Text:
    """RecordText (clouds/shape.py) by this lake's readers and writer."""

    @staticmethod
    def parsed(raw: bytes) -> object:
        return parsed(raw)

    @staticmethod
    def part(raw: bytes, key: str) -> bytes:
        return bytes(_parts(raw)[key])

    @staticmethod
    def compact(value: object) -> bytes:
        return compact(value)


_TEXT = _Text()
_parts = Decoder(dict[str, Raw]).decode


def _reason(error: Exception) -> str:
    """A reason that holds no value of the record: those are hostile text."""
    if str(error) == _NO_ACCOUNT:
        return _NO_ACCOUNT
    if isinstance(error, NotJson):
        return _NOT_JSON
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "no readable event time"
