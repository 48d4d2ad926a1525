"""Results on disk: one folder a query, with its status and its rows, shared by every process that sees the lake.

Decides what a query's folder holds, how long it lives, and who may read it. It never runs a query. A query whose process
died is told by its lock: the folder says RUNNING and nobody holds the lock.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, NotRequired, TypedDict

from crosstrail import private
from crosstrail.call_context import current_call
from crosstrail.coverage import Verified
from crosstrail.engines.messages import TypeParts, type_of
from crosstrail.engines.sql.types import Type
from crosstrail.errors import InvalidRequest, LakeError
from crosstrail.lake.locks import is_taken, take
from crosstrail.models import AccountKey, QueryRef, QueryState, QueryStatus
from crosstrail.vocabulary import words

RESULT_SECONDS = 3600
_LEAST_BYTES = 256 * 1024
"""What the smallest result counts, so that quotas bound how many there are."""
ROWS_FILE = "rows.parquet"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a query; `accounts` are those it may read, `who` is the key of whoever asked, times are unix seconds."""

    state: QueryState
    accounts: tuple[AccountKey, ...]
    columns: tuple[str, ...]
    types: tuple[Type, ...]
    submitted: float
    started: float = 0.0
    ended: float = 0.0
    rows: int | None = None
    error: str = ""
    who: str = ""
    verified: tuple[int, int, int] = (0, 0, 0)
    """Of the events in the data files that it reads: see coverage.Verified."""
    export: bool = False
    """Whether files of records were made of it, and not rows to page through."""
    percent: float | None = None
    scanned_rows: int | None = None
    scanned_bytes: int | None = None
    """What an external engine says of its work."""
    type_names: tuple[str, ...] = ()
    """Trino's names for the types of its columns, where its cells are kept as text; else `types` says them."""

    @property
    def shown_types(self) -> tuple[str, ...]:
        return self.type_names or tuple(map(str, self.types))

    def status(self, ref: QueryRef) -> QueryStatus:
        end = self.ended or time.time()
        seconds = max(0.0, end - self.started) if self.started else None
        verified = Verified(*self.verified)
        return QueryStatus(
            *(ref, self.state, self.rows, self.scanned_rows, seconds, self.error, verified),
            scanned_bytes=self.scanned_bytes,
            percent=None if self.state.ended else self.percent,
        )


@dataclass(frozen=True, slots=True)
class Quota:
    """Bytes that results may take on disk: one caller's, and all of them. A small result counts as _LEAST_BYTES."""

    caller: int = 10**9
    total: int = 4 * 10**9


DEFAULT_QUOTA = Quota()


@dataclass(frozen=True, slots=True)
class _Stored:
    path: Path
    who: str
    bytes: int
    ended: float
    """Unix seconds; 0 for one that runs."""


class ResultStore:
    """The folder `results` of a lake."""

    def __init__(self, folder: Path, *, result_seconds: float = RESULT_SECONDS, quota: Quota = DEFAULT_QUOTA) -> None:
        self._folder = folder
        self._result_seconds = result_seconds
        self._quota = quota

    def create(self, record: Record) -> tuple[str, IO[bytes]]:
        """A new query's id, and its lock: hold it as long as this process works on the query, then close it."""
        native_id = str(uuid.uuid4())
        path = self._folder / native_id
        private.make_folder(path)
        private.create(path / "lock")
        lock = take(path / "lock")
        self.write(native_id, record)
        return native_id, lock

    @contextmanager
    def making(self, accounts: Iterable[AccountKey]) -> Iterator[tuple[str, Path]]:
        """A result that no query makes: its id and its folder. It is there when this ends well, and gone otherwise. Raises
        LakeError where there is no room, OSError."""
        self.sweep()
        if full := self.make_room(current_call().key):
            raise LakeError(full, hint="Wait until what was asked before has expired, or ask for less.")
        began = time.time()
        who = current_call().key
        record = Record(QueryState.RUNNING, tuple(accounts), (), (), began, started=began, who=who, export=True)
        native_id, lock = self.create(record)
        try:
            yield native_id, self._folder / native_id
            self.write(native_id, replace(record, state=QueryState.FINISHED, ended=time.time()))
        except BaseException:
            self.discard(native_id, lock)
            raise
        finally:
            lock.close()

    def discard(self, native_id: str, lock: IO[bytes]) -> None:
        """What `create` made, for a query that is not run after all."""
        with suppress(OSError):  # before the lock, without which it would read as abandoned
            (self._folder / native_id / "status.json").unlink()
        shutil.rmtree(self._folder / native_id, ignore_errors=True)
        lock.close()

    def write(self, native_id: str, record: Record) -> None:
        """Replaces the status in one step."""
        folder = self._folder / native_id
        handle, name = tempfile.mkstemp(dir=folder, prefix="status.")
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(record), file)
        os.replace(name, folder / "status.json")

    def read(self, native_id: str, readable: Iterable[AccountKey]) -> Record:
        """Raises InvalidRequest for a query that is unknown, expired, another caller's or reads more than `readable`: all
        alike."""
        unknown = InvalidRequest(
            "there is no such query", hint=f"Results are kept for one hour; run the query again with {words().sql}."
        )
        if not _ID.fullmatch(native_id):
            raise unknown

        def look() -> Record:
            try:
                return _decoded((self._folder / native_id / "status.json").read_bytes())
            except OSError:
                raise unknown from None
            except (ValueError, KeyError, TypeError, AttributeError):
                raise damaged(native_id, "status.json") from None

        record = look()
        if record.who != current_call().key or not set(record.accounts) <= set(readable):
            raise unknown
        if not record.state.ended and self._abandoned(native_id):
            record = look()  # it may have ended between the two, or been discarded
            if not record.state.ended:
                ended = time.time()
                record = replace(
                    record, state=QueryState.FAILED, ended=ended, error="the process that ran it has ended"
                )
                with suppress(OSError):
                    self.write(native_id, record)
        if record.state.ended and time.time() - record.ended > self._result_seconds:
            shutil.rmtree(self._folder / native_id, ignore_errors=True)
            raise unknown
        return record

    def has_ended(self, native_id: str) -> bool:
        """Also of what has expired, or whose process died."""
        if not _ID.fullmatch(native_id):
            return False
        try:
            record = _decoded((self._folder / native_id / "status.json").read_bytes())
        except (OSError, ValueError, KeyError, TypeError):
            return not (self._folder / native_id).exists()
        return record.state.ended or self._abandoned(native_id)

    def folder_of(self, native_id: str) -> Path:
        return self._folder / native_id

    def rows_path(self, native_id: str) -> Path:
        return self._folder / native_id / ROWS_FILE

    def drop_partial(self, native_id: str) -> None:
        """What a query that did not come to its end has written."""
        with suppress(OSError):
            for path in (self._folder / native_id).glob("*.partial"):
                path.unlink()

    def ask_to_cancel(self, native_id: str) -> None:
        """For the process that runs it, whichever that is."""
        with suppress(OSError):
            private.create(self._folder / native_id / "cancel")

    def cancel_asked(self, native_id: str) -> bool:
        return (self._folder / native_id / "cancel").exists()

    def make_room(self, who: str) -> str:
        """Deletes ended results until the quotas hold: first this caller's oldest, then the oldest of whoever has most.

        What running queries have written counts. Why the quotas cannot be kept, or '' where they hold.
        """
        stored = sorted(self._stored(), key=lambda one: one.ended)
        used: Counter[str] = Counter()
        for one in stored:
            used[one.who] += one.bytes
        if not self._freed(stored, used, who, lambda: used[who] - self._quota.caller):
            return "the results of one caller take more of the disk than query.results_per_caller allows"
        for each, _ in used.most_common():
            if self._freed(stored, used, each, lambda: used.total() - self._quota.total):
                return ""
        return (
            ""
            if used.total() <= self._quota.total
            else "all results take more of the disk than query.results_total allows"
        )

    def _freed(self, stored: list[_Stored], used: Counter[str], who: str, over: Callable[[], int]) -> bool:
        """Deletes ended results of one caller, the oldest first, as long as there is too much; whether that was enough."""
        for one in stored:
            if over() <= 0:
                break
            if one.who == who and one.ended:
                shutil.rmtree(one.path, ignore_errors=True)
                used[who] -= one.bytes
        return over() <= 0

    def _stored(self) -> Iterator[_Stored]:
        try:
            folders = [path for path in self._folder.iterdir() if _ID.fullmatch(path.name)]
        except OSError:
            return
        for path in folders:
            try:
                size = sum(one.stat().st_size for one in os.scandir(path))
                record = _decoded((path / "status.json").read_bytes())
            except (OSError, ValueError, KeyError, TypeError):
                continue  # it is just being made, or deleted
            ended = record.ended or (record.submitted if self._abandoned(path.name) else 0.0)
            yield _Stored(path, record.who, max(size, _LEAST_BYTES), ended)

    def written_bytes(self, native_id: str) -> int:
        """What a running query has written so far."""
        try:
            return sum(path.stat().st_size for path in (self._folder / native_id).glob("*.partial"))
        except OSError:
            return 0

    def sweep(self) -> None:
        """Deletes what has expired."""
        try:
            folders = list(self._folder.iterdir())
        except OSError:
            return
        for path in folders:
            with suppress(OSError):
                old = time.time() - (path / "status.json").stat().st_mtime > self._result_seconds
                if _ID.fullmatch(path.name) and old and self._abandoned(path.name):
                    shutil.rmtree(path, ignore_errors=True)

    def _abandoned(self, native_id: str) -> bool:
        try:
            return not is_taken(self._folder / native_id / "lock")
        except OSError:
            return True


def damaged(native_id: str, name: str) -> LakeError:
    """A query's file that cannot be read. The status says who may read it, so a damaged one is said of to anybody with the id."""
    return LakeError(
        f"a file of the query's results (results/{native_id}/{name}) is damaged",
        hint=f"Run the query again with {words().sql}; this result is deleted when its hour is over.",
    )


class _Status(TypedDict):
    """A Record as status.json has it."""

    state: str
    accounts: list[tuple[str, str]]
    columns: list[str]
    types: list[TypeParts]
    submitted: float
    started: float
    ended: float
    rows: int | None
    error: str
    who: str
    export: NotRequired[bool]
    verified: NotRequired[list[int]]
    percent: NotRequired[float | None]
    scanned_rows: NotRequired[int | None]
    scanned_bytes: NotRequired[int | None]
    type_names: NotRequired[list[str]]


def _decoded(text: bytes) -> Record:
    """Raises ValueError, KeyError, TypeError or AttributeError for a damaged one."""
    data: _Status = json.loads(text)
    return Record(
        QueryState(data["state"]),
        tuple((cloud, account) for cloud, account in data["accounts"]),
        tuple(data["columns"]),
        tuple(type_of(each) for each in data["types"]),
        float(data["submitted"]),
        float(data["started"]),
        float(data["ended"]),
        data["rows"],
        data["error"],
        data["who"],
        export=data.get("export", False),
        verified=_three(data.get("verified", ())),
        percent=data.get("percent"),
        scanned_rows=data.get("scanned_rows"),
        scanned_bytes=data.get("scanned_bytes"),
        type_names=tuple(data.get("type_names", ())),
    )


def _three(counts: Sequence[int]) -> tuple[int, int, int]:
    """A result of an older version says none."""
    valid, failed, untried = counts or (0, 0, 0)
    return int(valid), int(failed), int(untried)
