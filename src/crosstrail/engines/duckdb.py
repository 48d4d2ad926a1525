"""The engine `lake`: Trino SQL over the embedded lake, compiled and run by DuckDB in worker processes.

Decides limits (time, memory, rows, how many at once) and what a query's end is called. A statement is compiled before
anything runs, reads exactly the files of the accounts it names (lake/table.py), and leaves its rows in the lake's folder
(results.py), so that any process sharing that folder may answer for it. Nothing of a statement is worked on in this
process (worker.py does), so that whatever it takes ends when it is stopped. It never chooses accounts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from crosstrail.call_context import current_call
from crosstrail.engines.base import QueryScope
from crosstrail.engines.exporting import Export, limits_of, parts_of_export
from crosstrail.engines.jobs import DEFAULT_LIMITS, CompiledQuery, QueryJob, QueryLimits, reach, times_of
from crosstrail.engines.lake_files import files_of
from crosstrail.engines.messages import CompileRequest, Reply, RunRequest, type_of
from crosstrail.engines.pages import read_page
from crosstrail.engines.results import DEFAULT_QUOTA, RESULT_SECONDS, Quota, Record, ResultStore
from crosstrail.engines.statement import check_length
from crosstrail.engines.workers import (
    COMPILES_AT_ONCE,
    IDLE_SECONDS,
    QueryWorkers,
    Ticket,
    WorkerDied,
    WorkerLate,
    WorkerStopped,
    shared,
)
from crosstrail.errors import InvalidRequest, LakeError, SqlRejected
from crosstrail.lake.faults import fault
from crosstrail.lake.snapshot import counts
from crosstrail.lake.verified_share import verified_share
from crosstrail.measures import measures
from crosstrail.models import AccountKey, QueryRef, QueryState, QueryStatus, ResultPage
from crosstrail.timerange import TimeRange
from crosstrail.vocabulary import words

if TYPE_CHECKING:
    from crosstrail.lake.warehouse import LakeCatalog

_T = TypeVar("_T")
_WATCH_SECONDS = 0.2
_COMPILE_SECONDS = 10.0
_STARTS_AT_ONCE = 8
_MEASURED_BYTES = 4 * 2**20

__all__ = ["LakeEngine", "QueryLimits", "bytes_of"]


class LakeEngine:
    """The QueryEngine over the lake in `folder`; with no lake there yet, its tables are empty.

    `close` stops what still runs and waits for the threads to end.
    """

    name = "lake"

    def __init__(
        self,
        folder: Path,
        *,
        catalog: str | Callable[[], LakeCatalog] = "",
        as_of: datetime | None = None,
        limits: QueryLimits = DEFAULT_LIMITS,
        result_seconds: float = RESULT_SECONDS,
        results: Path | None = None,
        quota: Quota = DEFAULT_QUOTA,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`catalog`: its URI, or what opens it when a query runs. `as_of`: when the lake was as statements read it. `idle_seconds`: after which a worker process that nobody needs ends."""
        self._folder = folder
        self._catalog = catalog
        self._as_of = as_of
        self._limits = limits
        self._store = ResultStore(results or folder / "results", result_seconds=result_seconds, quota=quota)
        self._jobs: dict[str, QueryJob] = {}
        self._changed = threading.Condition()
        max_workers = limits.at_once + COMPILES_AT_ONCE
        self._own = None if idle_seconds == IDLE_SECONDS else QueryWorkers(max_workers, idle_seconds=idle_seconds)
        self._workers = self._own or shared(max_workers)
        self._compiling: set[Ticket] = set()
        self._starts: anyio.CapacityLimiter | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._watcher: threading.Thread | None = None
        self._closed = False

    async def start(self, sql: str, scope: QueryScope, export: Export | None = None) -> QueryRef:
        """`export`: make files of it, in place of rows to page through."""
        self._starts = self._starts or anyio.CapacityLimiter(_STARTS_AT_ONCE)
        self._compiling.add(ticket := Ticket())
        try:
            native_id = await anyio.to_thread.run_sync(
                lambda: self._submit(sql, scope, ticket, export), abandon_on_cancel=True, limiter=self._starts
            )
        except anyio.get_cancelled_exc_class():
            ticket.stop()
            raise
        finally:
            self._compiling.discard(ticket)
        only = scope.accounts[0].id if len(scope.accounts) == 1 else "*"
        return QueryRef(self.name, only, scope.region, native_id)

    async def status(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        record = await _in_thread(lambda: self._store.read(ref.native_id, _keys(scope)))
        return record.status(ref)

    async def results(self, ref: QueryRef, scope: QueryScope, *, page_token: str = "", limit: int = 100) -> ResultPage:
        return await _in_thread(lambda: self._page(ref, scope, page_token, limit))

    async def cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        return await _in_thread(lambda: self._cancel(ref, scope))

    def making_export(self, accounts: Iterable[AccountKey]) -> AbstractContextManager[tuple[str, Path]]:
        """The id and the folder of an export that no statement makes, under the rules of results. Raises LakeError, OSError."""
        return self._store.making(accounts)

    def export_folder(self, native_id: str, scope: QueryScope) -> Path:
        """Where the files of an export come, whether it has ended or not. Raises InvalidRequest as `status` does."""
        self._store.read(native_id, _keys(scope))
        return self._store.folder_of(native_id)

    def exported(self, native_id: str, scope: QueryScope) -> Path:
        """The folder with the files of a finished export. Raises InvalidRequest as `status` does, and for what is no export."""
        record = self._store.read(native_id, _keys(scope))
        if not record.export or record.state is not QueryState.FINISHED:
            raise InvalidRequest("this is no finished export", hint=f"Ask where it stands with {words().results}.")
        return self._store.folder_of(native_id)

    def has_ended(self, native_id: str) -> bool:
        """Whether a query has ended, on whichever process: for who counts queries, not for who reads them."""
        return self._store.has_ended(native_id)

    def close(self) -> None:
        """Stops every query of this process and ends its threads. May be called twice."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                self._stop(job, QueryState.CANCELLED)
            self._changed.notify_all()
        for ticket in tuple(self._compiling):
            ticket.stop()
        if self._own:
            self._own.close()
        if self._pool:
            self._pool.shutdown(wait=True)
        if self._watcher:
            self._watcher.join()

    async def aclose(self) -> None:
        await _in_thread(self.close)

    def _submit(self, sql: str, scope: QueryScope, ticket: Ticket, export: Export | None) -> str:
        compiled = self._compiled(sql, scope, ticket, records=export is not None and not export.rows)
        self._store.sweep()
        if full := self._store.make_room(current_call().key):
            raise LakeError(full, hint=f"Wait for the queries that run, or stop one with {words().cancel}.")
        accounts, span = reach(compiled)
        parts = parts_of_export(compiled, export) if export else None
        prepared = CompiledQuery(
            *(compiled["sql"], accounts, compiled["reads_table"], span, parts, compiled["scans"]),
            past=times_of(compiled),
            newest=compiled["newest"],
        )
        types = tuple(type_of(each) for each in compiled["types"])
        record = Record(
            *(QueryState.QUEUED, accounts, tuple(compiled["columns"]), types, time.time()),
            who=current_call().key,
            export=bool(export),
        )
        native_id, lock = self._created(record)
        if refused := self._refused(
            QueryJob(native_id, prepared, record, lock, limits_of(self._limits, export), ticket)
        ):
            self._store.discard(native_id, lock)
            raise LakeError(refused)
        return native_id

    def _refused(self, job: QueryJob) -> str:
        """Queues the query; else why not. Touches no file: whoever waits for `_changed` may be the event loop."""
        with self._changed:
            if self._closed:
                return "the server is shutting down"
            if job.ticket.stopped:  # whoever asked has gone meanwhile
                return "the query was given up"
            self._jobs[job.native_id] = job
            self._pool = self._pool or ThreadPoolExecutor(self._limits.at_once, thread_name_prefix="lake-query")
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="lake-query-watch", daemon=True)
                self._watcher.start()
            self._pool.submit(self._work, job)
            self._changed.notify_all()
        return ""

    def _created(self, record: Record) -> tuple[str, IO[bytes]]:
        try:
            return self._store.create(record)
        except OSError as error:
            found = fault(error, "the folder of query results")
            raise LakeError(str(found), hint="Set query.results_folder to a folder on a local disk.") from error

    async def reach(self, sql: str, scope: QueryScope) -> tuple[tuple[AccountKey, ...], TimeRange]:
        """The accounts that a statement reads as they are now, and the event times that it can need. Raises what `start` does."""
        ticket = Ticket()
        try:
            compiled = await anyio.to_thread.run_sync(
                lambda: self._compiled(sql, scope, ticket, records=False), abandon_on_cancel=True
            )
        except anyio.get_cancelled_exc_class():
            ticket.stop()
            raise
        return reach(compiled) if compiled["newest"] else ((), TimeRange())

    def _compiled(self, sql: str, scope: QueryScope, ticket: Ticket, *, records: bool) -> Reply:
        """Raises SqlRejected, also for what takes too long or too much to compile."""
        check_length(sql)
        request: CompileRequest = {
            "work": "compile",
            "sql": sql,
            "accounts": [(account.cloud, account.id, account.alias) for account in scope.accounts],
            "aliases": dict(scope.store_aliases),
            "seconds": _COMPILE_SECONDS,
            "export": records,
        }
        try:
            answer = self._workers.ask(request, ticket, seconds=_COMPILE_SECONDS)
        except WorkerStopped:
            raise LakeError("the server is shutting down") from None
        except WorkerLate:
            raise SqlRejected("the statement takes too long to compile", hint="Split it, or nest it less.") from None
        except WorkerDied:
            answer = {"failed": "memory"}
        if "failed" in answer:
            raise SqlRejected("the statement takes too much memory to compile", hint="Split it, or nest it less.")
        if "rejected" in answer:
            raise SqlRejected(answer["rejected"], line=answer["line"], column=answer["column"], hint=answer["hint"])
        return answer

    def _work(self, job: QueryJob) -> None:
        """One query from its beginning to its end; every way out leaves a status behind."""
        began = time.monotonic()
        measures().query_began(self.name)
        try:
            job.record = self._run(job)
        except WorkerStopped:  # also by who asked for it and was given up before `start` had returned
            job.stop = job.stop or QueryState.CANCELLED
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the query has ended and says how
            job.record = replace(job.record, state=QueryState.FAILED, error=self._explained(error))
        finally:
            if job.stop:
                job.record = replace(job.record, state=job.stop, error=job.refused, rows=None)
            measures().query_left(self.name)
            measures().query_ended(self.name, job.record.state, time.monotonic() - began)
            with self._changed:
                del self._jobs[job.native_id]
            with closing(job.lock), suppress(OSError):  # unwritten, it reads as abandoned
                self._store.write(job.native_id, replace(job.record, ended=time.time()))

    def _run(self, job: QueryJob) -> Record:
        if job.stop:
            return job.record
        job.record = replace(job.record, state=QueryState.RUNNING, started=time.time())
        self._store.write(job.native_id, job.record)
        limits, late = job.limits, time.monotonic() + job.limits.seconds
        reading = files_of(self._folder, self._catalog, self._as_of, job.prepared)
        share = verified_share(reading.files)
        job.record = replace(job.record, verified=(share.valid, share.failed, share.untried))
        request: RunRequest = {
            "work": "run",
            "sql": job.prepared.sql,
            "files": [file.path for file in reading.newest],
            "past": [[file.path for file in files] for files in reading.past],
            "events": [] if job.prepared.export or reading.past else counts(reading.newest),
            "scans": job.prepared.scans,
            "table": job.prepared.reads_table,
            "path": str(self._store.rows_path(job.native_id).absolute()),
            "memory": limits.memory,
            "bytes_of_memory": bytes_of(limits.memory),
            "threads": limits.threads,
            "rows": limits.rows,
            "bytes": limits.bytes,
            "seconds": limits.seconds,
        }
        if parts := job.prepared.export:
            folder = parts["folder"] or str(self._store.folder_of(job.native_id).absolute())
            request["export"] = {**parts, "folder": folder, "table": reading.table, "snapshot": reading.snapshot}
        try:
            answer = self._workers.ask(request, job.ticket, seconds=max(0.0, late - time.monotonic()))
        except WorkerLate:
            return replace(
                job.record, state=QueryState.TIMED_OUT, error=f"its limit of {limits.seconds:g} s was reached"
            )
        finally:
            self._store.drop_partial(job.native_id)
        if error := answer.get("failed"):
            return replace(job.record, state=QueryState.FAILED, error=self._too_little(error))
        return replace(job.record, state=QueryState.FINISHED, rows=int(answer["rows"]))

    def _watch(self) -> None:
        """Stops queries that another process asked to cancel and those that write too much; ends with the engine."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if not self._jobs:
                    return
                running = [job for job in self._jobs.values() if job.stop is None]
            for job in running:  # which reads files, so not under the lock
                if self._store.cancel_asked(job.native_id):
                    self._stop(job, QueryState.CANCELLED)
                else:
                    self._measure(job)
            with self._changed:
                self._changed.wait(_WATCH_SECONDS)

    def _measure(self, job: QueryJob) -> None:
        written = self._store.written_bytes(job.native_id)
        if written > job.counted + _MEASURED_BYTES:
            job.counted = written
            if full := self._store.make_room(job.record.who):
                job.refused = full
                self._stop(job, QueryState.FAILED)

    def _stop(self, job: QueryJob, state: QueryState) -> None:
        job.stop = job.stop or state
        job.ticket.stop()

    def _cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        record = self._store.read(ref.native_id, _keys(scope))
        if record.state.ended:
            return record.status(ref)
        with self._changed:
            job = self._jobs.get(ref.native_id)
            if job is not None:
                self._stop(job, QueryState.CANCELLED)
        self._store.ask_to_cancel(ref.native_id)
        return self._store.read(ref.native_id, _keys(scope)).status(ref)

    def _page(self, ref: QueryRef, scope: QueryScope, page_token: str, limit: int) -> ResultPage:
        record = self._store.read(ref.native_id, _keys(scope))
        status = record.status(ref)
        if record.state is not QueryState.FINISHED or record.export:
            return ResultPage(status, record.columns, ())
        path = self._store.rows_path(ref.native_id)
        rows, following = read_page(path, ref.native_id, record, page_token, limit, self._workers)
        return ResultPage(status, record.columns, rows, following)

    def _explained(self, error: Exception) -> str:
        if isinstance(error, WorkerDied):
            return self._too_little("memory" if error.memory else f"the process that ran it failed ({-error.status})")
        if isinstance(error, LakeError):
            return error.text
        if isinstance(error, OSError):
            return f"its results cannot be kept: {error.strerror or type(error).__name__}"
        return f"it could not be run ({type(error).__name__}); please report the statement as a defect"

    def _too_little(self, error: str) -> str:
        if error != "memory":
            return error
        return f"it needs more memory than {self._limits.memory}; narrow it by eventtime or group by fewer columns"


def bytes_of(text: str) -> int:
    """Bytes of a size as DuckDB writes it."""
    return int(text[:-2]) * (10**9 if text.endswith("GB") else 10**6)


def _keys(scope: QueryScope) -> set[AccountKey]:
    return {account.key for account in scope.accounts}


async def _in_thread(work: Callable[[], _T]) -> _T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
