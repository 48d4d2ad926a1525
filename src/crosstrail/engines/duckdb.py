"""The engine `lake`: Trino SQL over the embedded lake, compiled and run by DuckDB in worker processes.

Decides limits (time, memory, rows, how many at once) and what a query's end is called. A statement is compiled before
anything runs, reads exactly the files of the accounts it names (lake/table.py), and leaves its rows in the lake's folder
(results.py), so that any process sharing that folder may answer for it. Nothing of a statement is worked on in this
process (worker.py does), so that whatever it takes ends when it is stopped. It never chooses accounts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from crosstrail.call_context import current_call
from crosstrail.engines.analysis import Analysis, Analyzed, ask, compiled
from crosstrail.engines.base import QueryScope
from crosstrail.engines.compiling import StatementCompiler
from crosstrail.engines.exporting import Export, limits_of, parts_of_export
from crosstrail.engines.jobs import DEFAULT_LIMITS, CompiledQuery, QueryLimits, ScanPlan, compiled_query, reach
from crosstrail.engines.lake_files import LakeReading, files_of
from crosstrail.engines.messages import RunRequest, type_of
from crosstrail.engines.query_runs import QueryJob, QueryRuns, RunStopped, fault_of_run, in_thread, keys_of, ref_of
from crosstrail.engines.results import DEFAULT_QUOTA, RESULT_SECONDS, Quota, Record, ResultStore
from crosstrail.engines.sql.trino_versions import DEFAULT_TRINO
from crosstrail.engines.workers import (
    ANALYSES_AT_ONCE,
    COMPILES_AT_ONCE,
    IDLE_SECONDS,
    QueryWorkers,
    Ticket,
    WorkerDied,
    WorkerLate,
    WorkerStopped,
    shared,
)
from crosstrail.errors import InvalidRequest, LakeError
from crosstrail.lake.snapshot import counts
from crosstrail.lake.verified_share import verified_share
from crosstrail.models import AccountKey, QueryRef, QueryState, QueryStatus, ResultPage
from crosstrail.timerange import TimeRange
from crosstrail.vocabulary import words

if TYPE_CHECKING:
    from crosstrail.lake.warehouse import LakeCatalog

_STARTS_AT_ONCE = 8

__all__ = ["LakeEngine", "QueryLimits"]


@dataclass(slots=True, eq=False)
class _WorkerRun:
    """A compiled statement that a worker process runs."""

    prepared: CompiledQuery
    limits: QueryLimits
    ticket: Ticket
    work: Callable[[QueryJob, _WorkerRun], Record]

    @property
    def given_up(self) -> bool:
        return self.ticket.stopped

    def run(self, job: QueryJob) -> Record:
        try:
            return self.work(job, self)
        except WorkerStopped:
            raise RunStopped from None

    def stop(self) -> None:
        self.ticket.stop()


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
        elsewhere: Sequence[str] = (),
        trino_version: int = DEFAULT_TRINO,
    ) -> None:
        """`catalog`: its URI, or what opens it when a query runs. `as_of`: when the lake was as statements read it. `idle_seconds`: after which a worker process that nobody needs ends. `elsewhere`: other engines that there are, for what is too large here."""
        self._elsewhere = tuple(elsewhere)
        self._folder = folder
        self._catalog = catalog
        self._as_of = as_of
        self._limits = limits
        self._store = ResultStore(results or folder / "results", result_seconds=result_seconds, quota=quota)
        self._runs = QueryRuns(self.name, self._store, limits.at_once, self._explained)
        max_workers = limits.at_once + COMPILES_AT_ONCE + ANALYSES_AT_ONCE
        self._own = None if idle_seconds == IDLE_SECONDS else QueryWorkers(max_workers, idle_seconds=idle_seconds)
        self._workers = self._own or shared(max_workers)
        self._compiler = StatementCompiler(self._workers, trino_version)
        self._compiling: set[Ticket] = set()
        self._starts: anyio.CapacityLimiter | None = None
        self._analyses: anyio.CapacityLimiter | None = None

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
        return ref_of(self.name, scope, native_id)

    async def status(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        return await in_thread(lambda: self._runs.status(ref, scope))

    async def results(self, ref: QueryRef, scope: QueryScope, *, page_token: str = "", limit: int = 100) -> ResultPage:
        return await in_thread(lambda: self._runs.page(ref, scope, page_token, limit, self._workers))

    async def cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        return await in_thread(lambda: self._runs.cancel(ref, scope))

    def making_export(self, accounts: Iterable[AccountKey]) -> AbstractContextManager[tuple[str, Path]]:
        """The id and the folder of an export that no statement makes, under the rules of results. Raises LakeError, OSError."""
        return self._store.making(accounts)

    def export_folder(self, native_id: str, scope: QueryScope) -> Path:
        """Where the files of an export come, whether it has ended or not. Raises InvalidRequest as `status` does."""
        self._store.read(native_id, keys_of(scope))
        return self._store.folder_of(native_id)

    def exported(self, native_id: str, scope: QueryScope) -> Path:
        """The folder with the files of a finished export. Raises InvalidRequest as `status` does, and for what is no export."""
        record = self._store.read(native_id, keys_of(scope))
        if not record.export or record.state is not QueryState.FINISHED:
            raise InvalidRequest("this is no finished export", hint=f"Ask where it stands with {words().results}.")
        return self._store.folder_of(native_id)

    def has_ended(self, native_id: str) -> bool:
        """Whether a query has ended, on whichever process: for who counts queries, not for who reads them."""
        return self._store.has_ended(native_id)

    def close(self) -> None:
        """Stops every query of this process and ends its threads. May be called twice."""
        for ticket in tuple(self._compiling):
            ticket.stop()
        self._runs.close()
        if self._own:
            self._own.close()

    async def aclose(self) -> None:
        await in_thread(self.close)

    def _submit(self, sql: str, scope: QueryScope, ticket: Ticket, export: Export | None) -> str:
        compiled = self._compiler.compile(sql, scope, ticket, records=export is not None and not export.rows)
        prepared = compiled_query(compiled, parts_of_export(compiled, export) if export else None)
        types = tuple(type_of(each) for each in compiled["types"])
        record = Record(
            *(QueryState.QUEUED, prepared.accounts, tuple(compiled["columns"]), types, time.time()),
            who=current_call().key,
            export=bool(export),
        )
        limits = limits_of(self._limits, export)
        return self._runs.submit(record, _WorkerRun(prepared, limits, ticket, self._run))

    async def reach(self, sql: str, scope: QueryScope) -> tuple[tuple[AccountKey, ...], TimeRange]:
        """The accounts that a statement reads as they are now, and the event times that it can need. Raises what `start` does."""
        compiled = await self._compiler.reply(sql, scope)
        return reach(compiled) if compiled["newest"] else ((), TimeRange())

    async def plan(self, sql: str, scope: QueryScope) -> ScanPlan:
        """What the statement would read, of which nothing is read or fetched. Raises what `start` does, LakeError."""
        prepared = compiled_query(await self._compiler.reply(sql, scope))
        reading = await in_thread(
            lambda: files_of(self._folder, self._catalog, self._as_of, prepared, lambda found: False)
        )
        events = sum(file.rows for file in reading.files)
        return ScanPlan(prepared.accounts, prepared.span, len(reading.files), reading.bytes, events)

    async def analyze(self, analysis: Analysis) -> Analyzed:
        """Cancelling it stops it. Raises LakeError, QueryTimedOut."""
        self._analyses = self._analyses or anyio.CapacityLimiter(ANALYSES_AT_ONCE)
        self._compiling.add(ticket := Ticket())
        try:
            return await anyio.to_thread.run_sync(
                lambda: self._analyzed(analysis, ticket), abandon_on_cancel=True, limiter=self._analyses
            )
        except WorkerStopped:
            raise LakeError("it was stopped: the engine was closed") from None
        except anyio.get_cancelled_exc_class():
            ticket.stop()
            raise
        finally:
            self._compiling.discard(ticket)

    def _analyzed(self, analysis: Analysis, ticket: Ticket) -> Analyzed:
        late = time.monotonic() + self._limits.seconds
        reading = files_of(self._folder, self._catalog, self._as_of, compiled(analysis), self._ready, analysis.only)
        tables = ask(self._workers, analysis, reading, self._limits, ticket, late)
        events = sum(file.rows for file in reading.newest)
        return Analyzed(tables, len(reading.newest), events, verified_share(reading.newest))

    def _ready(self, reading: LakeReading) -> bool:
        """Raises LakeError for more than a query may read."""
        most, found = self._limits.scanned_bytes, reading.bytes
        if most is not None and found > most:
            other = "".join(f", or take engine `{name}`" for name in self._elsewhere)
            raise LakeError(
                f"it would read up to {found / 1e9:,.1f} GB in {len(reading.files):,} files, and lake.max_scan is "
                f"{most / 1e9:g} GB: name fewer accounts after FROM or a shorter eventtime range{other}"
            )
        return True

    def _run(self, job: QueryJob, run: _WorkerRun) -> Record:
        limits, late = run.limits, time.monotonic() + run.limits.seconds
        reading = files_of(self._folder, self._catalog, self._as_of, run.prepared, self._ready)
        share = verified_share(reading.files)
        job.record = replace(job.record, verified=(share.valid, share.failed, share.untried))
        request: RunRequest = {
            "work": "run",
            "sql": run.prepared.sql,
            "files": [file.path for file in reading.newest],
            "past": [[file.path for file in files] for files in reading.past],
            "events": [] if run.prepared.export or reading.past else counts(reading.newest),
            "scans": run.prepared.scans,
            "table": run.prepared.reads_table,
            "path": str(self._store.rows_path(job.native_id).absolute()),
            "memory": limits.memory,
            "bytes_of_memory": limits.bytes_of_memory,
            "threads": limits.threads,
            "rows": limits.rows,
            "bytes": limits.bytes,
            "seconds": limits.seconds,
        }
        if parts := run.prepared.export:
            folder = parts["folder"] or str(self._store.folder_of(job.native_id).absolute())
            request["export"] = {**parts, "folder": folder, "table": reading.table, "snapshot": reading.snapshot}
        try:
            answer = self._workers.ask(request, run.ticket, seconds=max(0.0, late - time.monotonic()))
        except WorkerLate:
            return replace(
                job.record, state=QueryState.TIMED_OUT, error=f"its limit of {limits.seconds:g} s was reached"
            )
        finally:
            self._store.drop_partial(job.native_id)
        if error := answer.get("failed"):
            return replace(job.record, state=QueryState.FAILED, error=self._too_little(error))
        return replace(job.record, state=QueryState.FINISHED, rows=int(answer["rows"]))

    def _explained(self, error: Exception) -> str:
        if isinstance(error, WorkerDied):
            return self._too_little("memory" if error.memory else f"the process that ran it failed ({-error.status})")
        return fault_of_run(error)

    def _too_little(self, error: str) -> str:
        if error != "memory":
            return error
        return f"it needs more memory than {self._limits.memory}; narrow it by eventtime or group by fewer columns"
