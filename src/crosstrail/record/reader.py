"""Reading a record back: the lines that meet a question, in the order of their times, and what of it could not be read.

Decides what counts as damaged and in which order files are read. Files may be larger than memory: it holds a line of each file
that is open, and those that may still be overtaken; ids of account sets are in a temporary file. Nothing of a line is believed but its
form: whoever shows it must clean it.
"""

from __future__ import annotations

import heapq
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

import orjson

from crosstrail.json_values import Json, items, text
from crosstrail.record.account_sets import DEFINITION, set_name
from crosstrail.record.files import time_put_away
from crosstrail.record.lines import BROKEN, is_log_entry, lines, opened, record_of
from crosstrail.record.question import Question

_MAX_LATE = 1_000
"""Lines that wait for older ones: processes that wait for each other write theirs late."""
_MAX_PLACES = 3
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line that meets the question. `matched`: the accounts of the question that it asked, where that names any."""

    time: datetime
    record: Json
    matched: tuple[str, ...]


class RecordReader:
    """Reads files, and perhaps a stream beside them, for one question, once. Its fields are complete when all is read.

    `first`, `last`: times of the oldest and the youngest line, None where there is none. `goes_on`: whether there are younger
    files, beyond the span, which were not read. `damaged`: file -> lines that are no records, `places` of the first of them.
    `unreadable`: file -> reason. `unknown_sets`: calls that may have asked an account of the question: what set they name,
    nothing says.
    """

    def __init__(self, question: Question, files: Sequence[Path], stream: BufferedReader | None = None) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.goes_on = False
        self.damaged: Counter[str] = Counter()
        self.places: list[str] = []
        self.unreadable: dict[str, str] = {}
        self.unknown_sets = 0
        self._question = question
        self._files = files
        self._stream = stream
        self._sets = _AccountSets(question)

    def found(self) -> Iterator[FoundLine]:
        """The oldest first, unless a line was written later than 1,000 younger ones that are found."""
        late: list[tuple[datetime, int, FoundLine]] = []
        for number, one in enumerate(self._merged()):
            heapq.heappush(late, (one.time, number, one))
            if len(late) > _MAX_LATE:
                yield heapq.heappop(late)[2]
        while late:
            yield heapq.heappop(late)[2]

    def accounts_of(self, record: Json) -> tuple[str, ...]:
        """All ids that a line names, itself or by a set; none where nothing says what the set is."""
        return self._sets.ids(text(record.get("account_set"))) or inline_accounts(record)

    def _merged(self) -> Iterator[FoundLine]:
        """A file is opened when the turn of its first line has come, and closed at its end."""
        numbers = itertools.count()
        waiting: list[tuple[datetime, Path | None]] = []
        waiting += sorted(self._starts(), key=lambda one: one[0], reverse=True)
        heads: list[tuple[datetime, int, FoundLine, Iterator[FoundLine]]] = []
        if self._stream:
            waiting.append((_BEGINNING, None))
        while waiting or heads:
            source: Iterator[FoundLine] = iter(())
            if waiting and (not heads or waiting[-1][0] <= heads[0][0]):
                source = self._of(waiting.pop()[1])
            else:
                _, _, one, source = heapq.heappop(heads)
                yield one
            if head := next(source, None):
                heapq.heappush(heads, (head.time, next(numbers), head, source))

    def _starts(self) -> Iterator[tuple[datetime, Path]]:
        """(time of its first line, file) of those that may have lines of the span."""
        span = self._question.span
        for path in self._files:
            try:
                with opened(path) as file:
                    first = itertools.islice(lines(file), _MAX_LATE)
                    start = next((one[0] for one in map(record_of, first) if one), None)
            except BROKEN as error:
                self._cannot_read(path, error)
                continue
            if start:
                self.first = min(self.first or start, start)
            put_away = time_put_away(path)
            if span.end and start and start > span.end:
                self.goes_on = True
            elif put_away and span.start and put_away < span.start:
                self.last = max(self.last or put_away, put_away)
            else:
                yield start or _BEGINNING, path

    def _of(self, path: Path | None) -> Iterator[FoundLine]:
        """What is found in one file; in the stream without one."""
        name = path.name if path else "-"
        try:
            if path is None and self._stream:
                yield from self._found_in(name, lines(self._stream))
            elif path:
                with opened(path) as file:
                    yield from self._found_in(name, lines(file))
        except BROKEN as error:
            self._cannot_read(path or Path(name), error)

    def _found_in(self, name: str, found: Iterator[bytes]) -> Iterator[FoundLine]:
        for number, line in enumerate(found, 1):
            read = record_of(line)
            if read is None:
                if line.strip() and not is_log_entry(line):
                    self._damaged(name, number)
                continue
            time, record = read
            self.first, self.last = min(self.first or time, time), max(self.last or time, time)
            if record["kind"] == DEFINITION:
                if not self._sets.define(record):
                    self._damaged(name, number)
            elif self._question.is_within(time) and self._question.is_met(record):
                matched = self._matched(record)
                if matched or self._question.accounts is None:
                    yield FoundLine(time, record, matched)

    def _matched(self, record: Json) -> tuple[str, ...]:
        if self._question.accounts is None:
            return ()
        if name := text(record.get("account_set")):
            matched = self._sets.matched(name)
            if matched is not None:
                return matched
            self.unknown_sets += not self._question.asked(record)
        return self._question.asked(record)

    def _damaged(self, name: str, number: int) -> None:
        self.damaged[name] += 1
        if len(self.places) < _MAX_PLACES:
            self.places.append(f"{name} line {number}")

    def _cannot_read(self, path: Path, error: BaseException) -> None:
        reason = getattr(error, "strerror", None) or "its compressed form is damaged or has no end"
        self.unreadable.setdefault(path.name, reason)


def inline_accounts(record: Json) -> tuple[str, ...]:
    """The ids that stand in the line itself."""
    return tuple(one for one in items(record.get("accounts")) if isinstance(one, str))


class _AccountSets:
    """Those that were defined so far. A name is a digest of the ids: whichever file defines it, it is the same set."""

    def __init__(self, question: Question) -> None:
        self._accounts = question.accounts
        self._matched: dict[str, tuple[str, ...]] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the reader

    def define(self, record: Json) -> bool:
        """Whether the name is that of these ids."""
        name, ids = text(record.get("account_set")), inline_accounts(record)
        if name in self._places:
            return True
        if name != set_name(ids):
            return False
        if self._accounts:
            self._matched[name] = self._accounts.of(ids)
        self._places[name] = self._file.seek(0, 2), self._file.write(orjson.dumps(ids))
        return True

    def matched(self, name: str) -> tuple[str, ...] | None:
        """None where nothing defines the set."""
        return self._matched.get(name)

    def ids(self, name: str) -> tuple[str, ...]:
        if name not in self._places:
            return ()
        start, size = self._places[name]
        self._file.seek(start)
        return tuple(orjson.loads(self._file.read(size)))
