"""The engine `lake`: Trino SQL over the embedded lake, run by DuckDB in worker threads.

Decides limits (time, memory, rows, how many at once) and what a query's end is called. A statement is compiled before
anything runs (sql.py), reads exactly the files of the accounts it names (lake/reader.py), and leaves its rows in the
lake's folder (results.py), so that any process sharing that folder may answer for it. It never chooses accounts.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import anyio.to_thread

from crosstrail.caller import caller
from crosstrail.engines.base import QueryScope
from crosstrail.engines.results import KEPT_SECONDS, Record, ResultStore
from crosstrail.errors import InvalidRequest, LakeError, StalePageToken
from crosstrail.lake.faults import data_fault, fault
from crosstrail.models import AccountKey, QueryRef, QueryState, QueryStatus, ResultPage
from crosstrail.timerange import TimeRange

if TYPE_CHECKING:
    import duckdb

    from crosstrail.engines.dialect.spans import Bound
    from crosstrail.engines.sql import Prepared

_T = TypeVar("_T")
_WATCH_SECONDS = 0.2
_BATCH_ROWS = 10_000
_PAGE_LIMIT = 1000
_OUR_WORDS = re.compile(r"crosstrail: ([^'\n]{1,200})'")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use. `memory` is DuckDB's text for a size."""

    seconds: float = 60.0
    memory: str = "1GB"
    threads: int = 2
    rows: int = 1_000_000
    bytes: int = 256 * 1024 * 1024
    at_once: int = 4


@dataclass(slots=True)
class _Job:
    """A query that this process runs or has queued."""

    native_id: str
    prepared: Prepared
    record: Record
    lock: IO[bytes]
    connection: duckdb.DuckDBPyConnection | None = None
    files: tuple[str, ...] = ()
    deadline: float = float("inf")
    stop: QueryState | None = None
    """Why it is being stopped: CANCELLED or TIMED_OUT."""


class TooLarge(Exception):
    """A result over the limits."""


class LakeEngine:
    """The QueryEngine over the lake in `folder`; with no lake there yet, its tables are empty.

    `close` stops what still runs and waits for the threads to end.
    """

    name = "lake"

    def __init__(
        self,
        folder: Path,
        *,
        catalog: str = "",
        limits: Limits = Limits(),
        kept_seconds: float = KEPT_SECONDS,
        results: Path | None = None,
    ) -> None:
        self._folder = folder
        self._catalog = catalog
        self._limits = limits
        self._store = ResultStore(results or folder / "results", kept_seconds=kept_seconds)
        self._jobs: dict[str, _Job] = {}
        self._changed = threading.Condition()
        self._pool: ThreadPoolExecutor | None = None
        self._watcher: threading.Thread | None = None
        self._closed = False

    async def start(self, sql: str, scope: QueryScope) -> QueryRef:
        """Raises SqlRejected before anything runs."""
        native_id = await _in_thread(lambda: self._submit(sql, scope))
        accounts = scope.accounts
        return QueryRef(self.name, accounts[0].id if len(accounts) == 1 else "*", scope.region, native_id)

    async def status(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        record = await _in_thread(lambda: self._store.read(ref.native_id, _keys(scope)))
        return _status(ref, record)

    async def results(self, ref: QueryRef, scope: QueryScope, *, page_token: str = "", limit: int = 100) -> ResultPage:
        return await _in_thread(lambda: self._page(ref, scope, page_token, limit))

    async def cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        return await _in_thread(lambda: self._cancel(ref, scope))

    def close(self) -> None:
        """Stops every query of this process and ends its threads. May be called twice."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                self._stop(job, QueryState.CANCELLED)
            self._changed.notify_all()
        if self._pool:
            self._pool.shutdown(wait=True)
        if self._watcher:
            self._watcher.join()

    async def aclose(self) -> None:
        await _in_thread(self.close)

    def _submit(self, sql: str, scope: QueryScope) -> str:
        from crosstrail.engines.sql import prepare

        prepared = prepare(sql, scope)
        self._store.sweep()
        accounts = tuple(sorted(prepared.accounts))
        record = Record(QueryState.QUEUED, accounts, prepared.columns, prepared.types, time.time(), who=caller().key)
        with self._changed:
            if self._closed:
                raise LakeError("the server is shutting down")
            native_id, lock = self._created(record)
            self._jobs[native_id] = _Job(native_id, prepared, record, lock)
            self._pool = self._pool or ThreadPoolExecutor(self._limits.at_once, thread_name_prefix="lake-query")
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="lake-query-watch", daemon=True)
                self._watcher.start()
            self._pool.submit(self._work, self._jobs[native_id])
            self._changed.notify_all()
        return native_id

    def _created(self, record: Record) -> tuple[str, IO[bytes]]:
        try:
            return self._store.create(record)
        except OSError as error:
            found = fault(error, "the folder of query results")
            raise LakeError(str(found), hint="Set query.results_folder to a folder on a local disk.") from error

    def _work(self, job: _Job) -> None:
        """One query from its beginning to its end; every way out leaves a status behind."""
        try:
            job.record = self._run(job)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the query has ended and says how
            job.record = replace(job.record, state=job.stop or QueryState.FAILED, error=self._explained(job, error))
        finally:
            with self._changed:
                job.connection = None
                del self._jobs[job.native_id]
            self._store.write(job.native_id, replace(job.record, ended=time.time()))
            job.lock.close()

    def _run(self, job: _Job) -> Record:
        from crosstrail.lake.reader import connect

        if job.stop:
            return replace(job.record, state=job.stop)
        job.record = replace(job.record, state=QueryState.RUNNING, started=time.time())
        self._store.write(job.native_id, job.record)
        job.deadline = time.monotonic() + self._limits.seconds
        job.files = files = self._files(job.prepared)
        connection = connect(files, memory_limit=self._limits.memory, threads=self._limits.threads)
        try:
            with self._changed:
                job.connection = connection
            rows = self._write_rows(job, connection)
        finally:
            with self._changed:
                job.connection = None
            connection.close()
        return replace(job.record, state=job.stop or QueryState.FINISHED, rows=None if job.stop else rows)

    def _files(self, prepared: Prepared) -> tuple[str, ...]:
        from crosstrail.lake.catalog import has_lake
        from crosstrail.lake.table import LakeTable

        if not prepared.accounts or (not self._catalog and not has_lake(self._folder)):
            return ()
        with closing(LakeTable.open(self._folder, catalog=self._catalog)) as table:
            span = span_of(prepared.scans) if len(table.plan(prepared.accounts)) > 1 else TimeRange()
            return table.plan(prepared.accounts, span)

    def _write_rows(self, job: _Job, connection: duckdb.DuckDBPyConnection) -> int:
        """Streams the result to its file, which appears when it is whole."""
        import pyarrow.parquet as pq

        path = self._store.rows_path(job.native_id)
        partial = path.with_suffix(".partial")
        reader = connection.sql(job.prepared.sql).to_arrow_reader(_BATCH_ROWS)
        rows = size = 0
        with pq.ParquetWriter(partial, reader.schema, compression="zstd") as writer:
            for batch in reader:
                rows += batch.num_rows
                size += batch.nbytes
                if rows > self._limits.rows or size > self._limits.bytes:
                    raise TooLarge
                if job.stop:
                    break
                writer.write_batch(batch)
        partial.replace(path)
        return rows

    def _watch(self) -> None:
        """Stops queries that are late or that another process asked to cancel; ends with the engine."""
        with self._changed:
            while not self._closed or self._jobs:
                for job in self._jobs.values():
                    if job.stop is None and self._store.cancel_asked(job.native_id):
                        self._stop(job, QueryState.CANCELLED)
                    elif job.stop is None and time.monotonic() > job.deadline:
                        self._stop(job, QueryState.TIMED_OUT)
                    elif job.stop:
                        self._stop(job, job.stop)
                self._changed.wait(_WATCH_SECONDS if self._jobs else None)

    def _stop(self, job: _Job, state: QueryState) -> None:
        """An interrupt reaches only a query that runs already, so `_watch` repeats it until the job has ended."""
        job.stop = job.stop or state
        if job.connection is not None:
            job.connection.interrupt()

    def _cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        record = self._store.read(ref.native_id, _keys(scope))
        if record.state.ended:
            return _status(ref, record)
        with self._changed:
            job = self._jobs.get(ref.native_id)
            if job is not None:
                self._stop(job, QueryState.CANCELLED)
        self._store.ask_to_cancel(ref.native_id)
        return _status(ref, self._store.read(ref.native_id, _keys(scope)))

    def _page(self, ref: QueryRef, scope: QueryScope, page_token: str, limit: int) -> ResultPage:
        record = self._store.read(ref.native_id, _keys(scope))
        status = _status(ref, record)
        if record.state is not QueryState.FINISHED:
            return ResultPage(status, record.columns, ())
        offset = _offset(page_token, ref.native_id) if page_token else 0
        limit = max(1, min(limit, _PAGE_LIMIT))
        try:
            rows = _read_rows(self._store.rows_path(ref.native_id), record, offset, limit)
        except OSError:
            raise InvalidRequest("the results have expired", hint="Run the query again with lake_query.") from None
        following = offset + len(rows)
        more = following < (record.rows or 0)
        return ResultPage(status, record.columns, rows, _token(ref.native_id, following) if more else "")

    def _explained(self, job: _Job, error: Exception) -> str:
        """Our words for what went wrong; DuckDB's own may hold values of events."""
        import duckdb

        if job.stop is QueryState.TIMED_OUT:
            return f"its limit of {self._limits.seconds:g} s was reached"
        if job.stop:
            return ""
        if isinstance(error, TooLarge):
            most = f"{self._limits.rows} rows or {self._limits.bytes // 2**20} MB"
            return f"its result has more than {most}; add LIMIT, fewer columns or an aggregate"
        if found := _OUR_WORDS.search(str(error)):
            return found[1]
        if isinstance(error, LakeError):
            return error.text
        if isinstance(error, duckdb.Error) and (damage := data_fault(str(error), job.files)):
            return damage.text
        for kind, words in (
            (
                duckdb.OutOfMemoryException,
                f"it needs more memory than {self._limits.memory}; narrow it by eventtime or group by fewer columns",
            ),
            (duckdb.ConversionException, "a value cannot be cast to the type asked for; TRY_CAST gives NULL instead"),
            (duckdb.OutOfRangeException, "a number is out of range"),
            (duckdb.IOException, "a file of the lake cannot be read"),
            (duckdb.InvalidInputException, "a function got a value it cannot take; TRY(...) gives NULL instead"),
        ):
            if isinstance(error, kind):
                return words
        return f"it could not be run ({type(error).__name__}); please report the statement as a defect"


def span_of(scans: Sequence[Sequence[Bound]]) -> TimeRange:
    """The event times that the scans together can need: an end stays open unless every scan limits it."""
    if not scans or not any(scans):
        return TimeRange()
    from crosstrail.lake.reader import connect

    with closing(connect(())) as connection:
        known = [[(bound.lower, _moment(connection, bound.sql)) for bound in bounds] for bounds in scans]
    starts = [max((at for lower, at in each if lower and at), default=None) for each in known]
    ends = [min((at for lower, at in each if not lower and at), default=None) for each in known]
    return TimeRange(
        None if None in starts else min(filter(None, starts)), None if None in ends else max(filter(None, ends))
    )


def _moment(connection: duckdb.DuckDBPyConnection, sql: str) -> datetime | None:
    """None for what is no moment, or not one that Python can hold."""
    import duckdb

    try:
        found = connection.execute(f"SELECT {sql}").fetchone()
    except (duckdb.Error, OverflowError, ValueError):
        return None
    return found[0].replace(tzinfo=UTC) if found and isinstance(found[0], datetime) else None


def _read_rows(path: Path, record: Record, offset: int, limit: int) -> tuple[tuple[str | None, ...], ...]:
    """Rows `offset` to `offset + limit`, reading only the row groups they lie in."""
    import pyarrow.parquet as pq

    from crosstrail.engines.rendering import renderer

    render = [renderer(kind) for kind in record.types]
    rows: list[tuple[str | None, ...]] = []
    with pq.ParquetFile(path) as file:
        first = 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if first + size > offset and len(rows) < limit:
                table = file.read_row_group(group).slice(max(0, offset - first), limit - len(rows))
                columns = [column.to_pylist() for column in table.columns]
                rows += [
                    tuple(show(value) for show, value in zip(render, cells, strict=True))
                    for cells in zip(*columns, strict=True)
                ]
            first += size
    return tuple(rows)


def _status(ref: QueryRef, record: Record) -> QueryStatus:
    end = record.ended or time.time()
    seconds = max(0.0, end - record.started) if record.started else None
    return QueryStatus(ref, record.state, rows=record.rows, seconds=seconds, error=record.error)


def _keys(scope: QueryScope) -> set[AccountKey]:
    return {account.key for account in scope.accounts}


def _token(native_id: str, offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([native_id, offset]).encode()).decode().rstrip("=")


def _offset(token: str, native_id: str) -> int:
    stale = StalePageToken(
        "this next_token belongs to another query or is not whole",
        hint="Ask for the first page again, without next_token.",
    )
    try:
        owner, offset = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error, TypeError):
        raise stale from None
    if owner != native_id or not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
        raise stale
    return offset


async def _in_thread(work: Callable[[], _T]) -> _T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
