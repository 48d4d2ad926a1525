"""Queries that threads of this process run: queued, run, watched, stopped, and ended with a record that says how.

Decides that every way out of a run leaves its record in the ResultStore, that a query ends when any process sharing the
store asks for it or the quotas are full, and what `start`, `status`, `results` and `cancel` of an engine read and write
there. What runs is a QueryRun: an embedded engine's worker process, or the pages of an external engine. It never sees a statement.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import IO, Protocol, TypeVar

import anyio.to_thread

from crosstrail.engines.base import QueryScope
from crosstrail.engines.exporting import TooLarge
from crosstrail.engines.pages import read_page
from crosstrail.engines.results import Record, ResultStore
from crosstrail.engines.workers import QueryWorkers
from crosstrail.errors import CrosstrailError, LakeError
from crosstrail.lake.faults import fault
from crosstrail.measures import measures
from crosstrail.models import AccountKey, QueryRef, QueryState, QueryStatus, ResultPage
from crosstrail.vocabulary import words

_T = TypeVar("_T")
_WATCH_SECONDS = 0.2
_MEASURED_BYTES = 4 * 2**20


class RunStopped(Exception):
    """A run that was given up has ended."""


class QueryRun(Protocol):
    """One query to run."""

    @property
    def given_up(self) -> bool:
        """Whether `stop` was called, if only before the query was queued."""
        ...

    def run(self, job: QueryJob) -> Record:
        """The record that the query ends with. It may replace `job.record` on its way. Raises RunStopped, or whatever went
        wrong."""
        ...

    def stop(self) -> None:
        """From any thread, as often as wanted: makes `run` end soon."""
        ...


@dataclass(slots=True, eq=False)
class QueryJob:
    """A query that this process runs or has queued."""

    native_id: str
    record: Record
    lock: IO[bytes]
    run: QueryRun
    stop: QueryState | None = None
    """Why it is being stopped."""
    refused: str = ""
    """Why it may write no more; then `stop` is FAILED."""
    counted: int = 0
    """Bytes it had written when the quotas were looked at last."""


class QueryRuns:
    """The queries of one engine. Methods block, but for nothing that a query does: call them in threads.

    `explained` words what went wrong with a run. `close` stops what still runs and waits for the threads to end.
    """

    def __init__(
        self, engine: str, store: ResultStore, at_once: int, explained: Callable[[Exception], str] | None = None
    ) -> None:
        self._engine = engine
        self._store = store
        self._at_once = at_once
        self._explained = explained or fault_of_run
        self._jobs: dict[str, QueryJob] = {}
        self._changed = threading.Condition()
        self._pool: ThreadPoolExecutor | None = None
        self._watcher: threading.Thread | None = None
        self._closed = False

    def submit(self, record: Record, run: QueryRun) -> str:
        """Queues a query; its id. Raises LakeError where there is no room for its result, or nobody waits for it any more."""
        self._store.sweep()
        if full := self._store.make_room(record.who):
            raise LakeError(full, hint=f"Wait for the queries that run, or stop one with {words().cancel}.")
        native_id, lock = self._created(record)
        if refused := self._refused(QueryJob(native_id, record, lock, run)):
            self._store.discard(native_id, lock)
            raise LakeError(refused)
        return native_id

    def status(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        """Raises InvalidRequest."""
        return self._store.read(ref.native_id, keys_of(scope)).status(ref)

    def page(
        self, ref: QueryRef, scope: QueryScope, page_token: str, limit: int, workers: QueryWorkers | None = None
    ) -> ResultPage:
        """Rows of a finished query, which an idle one of `workers` reads; of any other its status. Raises as QueryEngine does."""
        record = self._store.read(ref.native_id, keys_of(scope))
        status = record.status(ref)
        if record.state is not QueryState.FINISHED or record.export:
            return ResultPage(status, record.columns, ())
        path = self._store.rows_path(ref.native_id)
        rows, following = read_page(path, ref.native_id, record, page_token, limit, workers)
        return ResultPage(status, record.columns, rows, following, record.shown_types)

    def cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        """Raises InvalidRequest."""
        record = self._store.read(ref.native_id, keys_of(scope))
        if record.state.ended:
            return record.status(ref)
        with self._changed:
            job = self._jobs.get(ref.native_id)
            if job is not None:
                _stop(job, QueryState.CANCELLED)
        self._store.ask_to_cancel(ref.native_id)
        return self.status(ref, scope)

    def close(self) -> None:
        """May be called twice."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                _stop(job, QueryState.CANCELLED)
            self._changed.notify_all()
        if self._pool:
            self._pool.shutdown(wait=True)
        if self._watcher:
            self._watcher.join()

    def _created(self, record: Record) -> tuple[str, IO[bytes]]:
        try:
            return self._store.create(record)
        except OSError as error:
            found = fault(error, "the folder of query results")
            raise LakeError(str(found), hint="Set query.results_folder to a folder on a local disk.") from error

    def _refused(self, job: QueryJob) -> str:
        """Queues the query; else why not. Touches no file: whoever waits for `_changed` may be the event loop."""
        with self._changed:
            if self._closed:
                return "the server is shutting down"
            if job.run.given_up:  # whoever asked has gone meanwhile
                return "the query was given up"
            self._jobs[job.native_id] = job
            self._pool = self._pool or ThreadPoolExecutor(self._at_once, thread_name_prefix=f"{self._engine}-query")
            if self._watcher is None:
                name = f"{self._engine}-query-watch"
                self._watcher = threading.Thread(target=self._watch, name=name, daemon=True)
                self._watcher.start()
            self._pool.submit(self._work, job)
            self._changed.notify_all()
        return ""

    def _work(self, job: QueryJob) -> None:
        """One query from its beginning to its end; every way out leaves a status behind."""
        began = time.monotonic()
        measures().query_began(self._engine)
        try:
            if not job.stop:
                job.record = replace(job.record, state=QueryState.RUNNING, started=time.time())
                self._store.write(job.native_id, job.record)
                job.record = job.run.run(job)
        except RunStopped:  # also by who asked for it and was given up before `start` had returned
            job.stop = job.stop or QueryState.CANCELLED
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the query has ended and says how
            job.record = replace(job.record, state=QueryState.FAILED, error=self._explained(error))
        finally:
            if job.stop:
                job.record = replace(job.record, state=job.stop, error=job.refused, rows=None)
            measures().query_left(self._engine)
            measures().query_ended(self._engine, job.record.state, time.monotonic() - began)
            with self._changed:
                del self._jobs[job.native_id]
            with closing(job.lock), suppress(OSError):  # unwritten, it reads as abandoned
                self._store.write(job.native_id, replace(job.record, ended=time.time()))

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
                    _stop(job, QueryState.CANCELLED)
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
                _stop(job, QueryState.FAILED)


def _stop(job: QueryJob, state: QueryState) -> None:
    job.stop = job.stop or state
    job.run.stop()


def fault_of_run(error: Exception) -> str:
    """Our words for what went wrong with a run."""
    if isinstance(error, TooLarge):
        return str(error)
    if isinstance(error, CrosstrailError):
        return error.text
    if isinstance(error, OSError):
        return f"its results cannot be kept: {error.strerror or type(error).__name__}"
    return f"it could not be run ({type(error).__name__}); please report the statement as a defect"


def keys_of(scope: QueryScope) -> set[AccountKey]:
    """What may be read in this scope."""
    return {account.key for account in scope.accounts}


def ref_of(engine: str, scope: QueryScope, native_id: str) -> QueryRef:
    """The id of a query that an engine of many accounts runs."""
    only = scope.accounts[0].id if len(scope.accounts) == 1 else "*"
    return QueryRef(engine, only, scope.region, native_id)


async def in_thread(work: Callable[[], _T]) -> _T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
