"""Any sequence of JSON values in a stream of bytes: each value as it was written, each damage named by its place.

Decides where a value begins and ends, in time linear in the bytes and in bounded memory. A value that is damaged, or too
big to be held whole, is entered: the elements of its lists come one by one, so that one damaged record costs itself only.
What the values mean is not known here, save how the records of audit trails begin: reading goes on there after a damage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from crosstrail.clouds.record_text import without_halves

Damage = Callable[[int, str], None]
"""Told the byte offset and the reason of each damage, in order."""

MAX_DOCUMENT = 8 * 1024 * 1024
"""Bytes of one value that is given whole. CloudTrail's records end at 256 KB; only lists of them are bigger."""
_MAX_DEPTH = 32
"""Lists and objects that are entered one inside another."""
_MAX_FIRST_KEYS = 32
_LOOK_AHEAD = 4096
"""Bytes that are there, unless the stream ends, before it is decided what comes next."""
_RETRIES_FREE, _RETRIES_PER_BYTE = 256 * 1024 * 1024, 4
"""Bytes that may be looked at again after damages: beyond, reading goes on behind the damage, not behind its start."""

# Possessive are repeats of one character only: of groups they match wrongly on Python 3.11.0 to 3.11.4 (CPython 106052).
_BETWEEN = re.compile(
    rb"(?:[\s,\x00\x1e\]}]++|\xef\xbb\xbf|\[\s*\]|\{\s*\}"
    rb'|"(?!\s*[\[{:,}\]])[^"\\\n]{0,512}+"(?=\s*[^\s:])){1,1024}'  # a text that holds no record, and is no key
)
_KEY = re.compile(rb'"(?:[^"\\\n]|\\.){0,512}"\s*:')
_COLON = re.compile(rb"\s*:")
_JSON_TEXT = re.compile(rb'"(?:\s|\\[nrt"\\])*[\[{]')
_SCALAR = re.compile(rb"(?:-?\d[-+.\deE]*+|true|false|null)\s*(?=[,\]}])|[-+.\w:]+\s*\Z")
_STRAY = re.compile(rb'[^\[{"\n\x00]++')
_BINARY = re.compile(rb"[\x01-\x08\x0b\x0e-\x1a\x1c\x1d\x1f]")
_LIST = re.compile(rb'\[\s*(?=[\[{"]|\Z)')
_OBJECT = re.compile(rb'\{\s*(?="|\Z)')
_FIRST_KEY = re.compile(
    rb'(?:[\[\s]++|\{\s*"[^"\\\s]{1,64}"\s*:\s*\[){0,128}\{\s*"([^"\\\s]{1,64})"\s*:\s*(?![\s\[{])'
)  # of the first record of a value, whatever lists it stands in
_FIRST_KEYS = (
    b"eventVersion", b"eventversion", b"EventVersion", b"EventId", b"EventID", b"CloudTrailEvent", b"EventDetail",
    b"eventTime", b"eventID", b"awsRegion", b"additionalEventData", b"@timestamp",
)  # fmt: skip

_end_of = Decoder(Raw).decode
_TRAILING = "JSON is malformed: trailing characters"
_TRUNCATED = "Input data was truncated"


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON value. `raw` is its text in UTF-8, with U+FFFD for halves of surrogate pairs; `written` the same as it was
    written, and as long. `member`: it stood under a key of an object that was entered."""

    offset: int
    raw: bytes
    member: bool
    written: bytes


@dataclass(slots=True)
class _Broken(Exception):
    """The value has no end: what is wrong at `at` of the window."""

    at: int
    reason: str


def documents(chunks: Iterable[bytes], damage: Damage) -> Iterator[Document]:
    """Every JSON list, object, and text that holds one. Never raises for what the chunks hold."""
    rest = iter(chunks)
    first, second = next(rest, b""), next(rest, None)
    if second is None and (document := _only(first)):
        return iter((document,))
    return _Reader(chain((first,) if second is None else (first, second), rest), damage).read()


def _only(text: bytes) -> Document | None:
    """The value that a text is, where it is one list or object and nothing needs mending: the reader gives the same, slowly."""
    if len(text) > MAX_DOCUMENT or not text.startswith((b'{"', b"[{")):
        return None
    try:
        _end_of(text)
        if not text.isascii():
            text.decode()
    except (DecodeError, RecursionError, UnicodeDecodeError):
        return None
    raw = text.rstrip()
    return Document(0, raw, False, raw)


class _Window:
    """The part of the stream that is looked at: `data` begins at byte `base` of it, and is read up to `at`."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.data = b""
        self.written: bytes | None = None
        """What stood in the place of `data`, where that is mended."""
        self.base = self.at = 0
        self.ended = False

    def more(self, line: bool) -> int:
        """Lets go what is read and at least doubles what is left. How many bytes came: 0 at the end of the stream.

        `line`: of a value without a line's end so much that it is there whole, or too big: it is then looked through once.
        """
        if self.ended:
            return 0
        left = len(self.data) - self.at
        parts = [self.data[self.at :]]
        before = (
            None if self.written is None or self.data[self.at :] == self.written[self.at :] else self.written[self.at :]
        )
        added = 0
        for chunk in self._chunks:
            parts.append(chunk)
            added += len(chunk)
            line = line and b"\n" not in chunk
            if added > left and not (line and left + added <= MAX_DOCUMENT):
                break
        else:
            self.ended = True
        self.base += self.at
        self.data, self.at = b"".join(parts), 0
        self.written = None if before is None else b"".join((before, *parts[1:]))
        return added

    def mend(self, last: int) -> bool:
        """Whether halves of surrogate pairs stood between here and `last`: U+FFFD stands for them now."""
        mended = without_halves(self.data[self.at : last])
        if mended == self.data[self.at : last]:
            return False
        self.written = self.data if self.written is None else self.written
        self.data = b"".join((self.data[: self.at], mended, self.data[last:]))
        return True


class _Reader:
    def __init__(self, chunks: Iterable[bytes], damage: Damage) -> None:
        self._window = _Window(chunks)
        self._damage = damage
        self._depth = 0
        self._member = False
        self._damaged = False
        self._owed = -1  # where something that was entered is damaged, as long as nothing in it told of that
        self._line_end = -1
        self._retries = _RETRIES_FREE
        self._first_keys: set[bytes] = set()
        self._starts, self._goes_on = _starts(())

    def read(self) -> Iterator[Document]:
        window = self._window
        while True:
            self._skip()
            if window.at >= len(window.data):
                break
            letter = window.data[window.at]
            if letter == 0x22:
                document = self._text()
            elif letter in b"[{":
                document = self._container()
            else:
                document = None
                self._stray()
            if 0 <= self._owed < window.base + window.at:
                self._tell(self._owed, "damaged JSON")
            if document:
                yield document
        if self._depth and not self._damaged:
            self._tell(window.base + window.at, "cut short")

    def _skip(self) -> None:
        """Over everything that may stand between values; the ends of what was entered are counted."""
        window = self._window
        while True:
            while found := _BETWEEN.match(window.data, window.at):
                passed = found[0]
                if self._depth:
                    ends = passed.count(b"]") + passed.count(b"}") - passed.count(b"[") - passed.count(b"{")
                    self._depth = max(self._depth - ends, 0)
                window.at = found.end()
            if len(window.data) - window.at > _LOOK_AHEAD or not self._more():
                return

    def _more(self, *, line: bool = False) -> bool:
        added = self._window.more(line)
        self._retries += _RETRIES_PER_BYTE * added
        self._line_end = -1
        return added > 0

    def _tell(self, offset: int, reason: str) -> None:
        self._damaged = True
        self._owed = -1
        self._damage(offset, reason)

    def _text(self) -> Document | None:
        """A JSON text. A key is passed over, and so is a text that can hold no record."""
        window = self._window
        data, at = window.data, window.at
        if self._depth and (key := _KEY.match(data, at)):
            window.at, self._member = key.end(), True
            return None
        holds_json = _JSON_TEXT.match(data, at)
        try:
            if not self._depth and _COLON.match(data, at + 1):
                raise _Broken(at, "damaged JSON")
            document = self._taken(self._end())
            if not self._depth and _COLON.match(window.data, window.at):
                raise _Broken(window.at, "damaged JSON")
            return document if holds_json else None
        except _Broken as broken:
            if holds_json or self._depth or broken.reason == "damaged JSON":
                self._recover(broken)
            else:
                window.at += 1
        return None

    def _container(self) -> Document | None:
        """A whole list or object; one that has no end, or none within what is held, is entered instead."""
        window = self._window
        try:
            return self._taken(self._end())
        except _Broken as broken:
            data, at = window.data, window.at
            record = self._starts.match(data, at)
            inside = None if record else (_LIST if data[at] == 0x5B else _OBJECT).match(data, at)
            if inside and self._depth < _MAX_DEPTH:
                self._depth += 1
                self._member = False
                if broken.reason == "damaged JSON" and data[broken.at : broken.at + 1] != b"]":
                    self._owed = window.base + broken.at
                window.at = inside.end()
            elif data[at] == 0x7B or inside or self._depth:
                self._recover(broken)
            else:
                window.at += 1
        return None

    def _stray(self) -> None:
        """What is no JSON: the time before a line's record, words of a table; inside of a list, or binary, a damage."""
        window = self._window
        data, at = window.data, window.at
        if self._depth and (scalar := _SCALAR.match(data, at)):
            window.at, self._member = scalar.end(), False
            return
        found = _STRAY.match(data, at)
        end = found.end() if found else at + 1
        if self._depth or _BINARY.search(data, at, end):
            self._recover(_Broken(at, "damaged JSON"))
        else:
            window.at = end

    def _end(self) -> int:
        """Where the value at the window's place ends. Raises _Broken. Most values end with their line, or with the file."""
        window = self._window
        while True:
            data, at = window.data, window.at
            if self._line_end < at:
                found = data.find(b"\n", at)
                self._line_end = len(data) if found < 0 else found
            view = memoryview(data)
            for stop in dict.fromkeys((self._line_end, len(data))):
                try:
                    _end_of(view[at:stop])
                    return stop
                except RecursionError:
                    raise _Broken(len(data), "nested too deeply") from None
                except DecodeError as error:
                    text = str(error)
                if text.startswith(_TRAILING):
                    return at + _byte(text) - 1
                if text != _TRUNCATED:
                    break
            if text == _TRUNCATED and len(data) - at > MAX_DOCUMENT:
                raise _Broken(len(data), f"a value of more than {MAX_DOCUMENT >> 20} MB")
            if text == _TRUNCATED and self._more(line=True):
                continue
            if not self._mended(text):
                reason = "cut short" if text == _TRUNCATED else "damaged JSON"
                raise _Broken(len(window.data) if text == _TRUNCATED else at + _byte(text), reason)

    def _taken(self, end: int) -> Document:
        window = self._window
        raw = window.data[window.at : end].rstrip()
        written = raw if window.written is None else window.written[window.at : window.at + len(raw)]
        offset = window.base + window.at
        if offset == self._owed:  # a comma was missing
            self._owed = -1
        if not raw.isascii():
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                self._tell(offset + error.start, "not UTF-8; U+FFFD stands for what could not be read")
                same = raw is written
                raw = raw.decode("utf-8", "replace").encode()
                written = raw if same else written.decode("utf-8", "replace").encode()
        if len(self._first_keys) < _MAX_FIRST_KEYS and not self._member and (found := _FIRST_KEY.match(raw)):
            self._learn(found[1])
        window.at = end
        member, self._member = self._member, False
        return Document(offset, raw, member, written)

    def _learn(self, key: bytes) -> None:
        """Records that begin like one that was whole are found again after a damage."""
        if key not in self._first_keys:
            self._first_keys.add(key)
            self._starts, self._goes_on = _starts(tuple(sorted(self._first_keys)))

    def _mended(self, text: str) -> bool:
        """Whether the value could not be read for halves of surrogate pairs, and can now."""
        window = self._window
        if "surrogate" not in text and "hex escape" not in text and text != _TRUNCATED:
            return False
        return window.mend(len(window.data) if window.ended else len(window.data) - 12)

    def _recover(self, broken: _Broken) -> None:
        """Names the damage and goes on where the next record begins, in the damaged value or behind it."""
        window = self._window
        begin = window.at + 1
        start, damage = window.base + window.at, window.base + broken.at
        self._retries -= broken.at - window.at
        if self._retries < 0:
            begin = max(begin, broken.at)
        self._member = False
        while not (found := self._goes_on.search(window.data, begin)):
            window.at = max(begin, len(window.data) - _LOOK_AHEAD)
            if not self._more():
                window.at = len(window.data)
                break
            begin = window.at
        if found:
            window.at = found.start()
        if broken.reason == "cut short":
            self._tell(*(start, "damaged JSON") if found else (damage, "cut short"))
        else:
            self._tell(damage if broken.reason == "damaged JSON" else start, broken.reason)


@lru_cache(1_000)
def _starts(learned: tuple[bytes, ...]) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """(Records that begin with one of the usual keys or of these, where reading may go on after a damage: at one of them, or with a
    line). Cached, since many small files begin alike."""
    record = rb'\{\s*"(?:' + b"|".join(map(re.escape, (*_FIRST_KEYS, *learned))) + rb')"\s*:'
    return re.compile(record), re.compile(record + rb'|(?<=\n)[\[{](?=[\[{"])')


def _byte(text: str) -> int:
    """The place that msgspec's errors end with: "... (byte 12)"."""
    return int(text[text.rindex(" ") + 1 : -1])
