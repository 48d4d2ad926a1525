"""Log files into the lake: what to read, by how many processes, when to commit, what to report.

Decides the jobs and the order of things: events are committed before the ledger says so, and files of runs that died
are removed only when no snapshot names them. It never parses a record. Heavy libraries are loaded when the ledger shows
that there is something to read.
"""

from __future__ import annotations

import logging
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, fields
from hashlib import sha256
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from crosstrail import private
from crosstrail.errors import CrosstrailError
from crosstrail.lake import require_libraries
from crosstrail.lake.catalog import CATALOG_FILE
from crosstrail.lake.commit_pace import CommitPace
from crosstrail.lake.faults import fault
from crosstrail.lake.job_sizes import JOB_BYTES, batches, weight_of
from crosstrail.lake.keeping import Keeping
from crosstrail.lake.known_names import NAMES_FILE
from crosstrail.lake.ledger import LEDGER_FILE, Ledger
from crosstrail.lake.left_out import Kinds, count_kept_out
from crosstrail.lake.left_out import add as add_kinds
from crosstrail.lake.reading_processes import ReadingProcesses, processors
from crosstrail.lake.search import Search
from crosstrail.lake.sharding import Shard
from crosstrail.lake.sources.base import Fetched, LogObject, LogSource
from crosstrail.lake.sources.files import FileSource
from crosstrail.lake.table import LakeTable
from crosstrail.lake.warehouse import LakeCatalog
from crosstrail.models import AccountKey

if TYPE_CHECKING:
    from crosstrail.lake.logs import Problem
    from crosstrail.lake.stage import Eventless, Job, Staged, Terms
    from crosstrail.lake.versions import Conflict

_ALONE_BYTES = JOB_BYTES
"""Up to here this process does the work itself."""
_MAX_REPORTED = 1_000
_FETCHED_AHEAD = 2
"""Jobs whose objects are fetched while others are read."""

MAX_BYTES = 64 * 1024**3
"""What one file may unpack to, unless the caller says otherwise. It is never held whole."""

_log = logging.getLogger("crosstrail.lake")
Progress = Callable[[int, int], None]
"""(log objects done, log objects in all); called from the collecting thread."""


@dataclass(slots=True)
class CollectionReport:
    """What a collection did. Counts are of events, except where the name says objects: files, and files in archives.

    `left_out` tells the kinds of those that hold, or hold beside their events, what is no audit event.
    """

    objects_read: int = 0
    objects_known: int = 0
    objects_failed: int = 0
    objects_ignored: int = 0
    objects_verified: int = 0
    """By digests; the next two count where verification was asked for, too."""
    objects_unverified: int = 0
    objects_not_genuine: int = 0
    """Those that failed verification."""
    left_out: Kinds = field(default_factory=dict)
    new: int = 0
    known: int = 0
    conflicting: int = 0
    kept_out: dict[str, int] = field(default_factory=dict)
    """Events of accounts that their archive does not speak for, by `cloud/account`."""
    bytes: int = 0
    seconds: float = 0.0
    not_compacted: str = ""
    """Why small files were not made into larger ones, when that failed. Every event is in all the same."""
    expired: int = 0
    """Events older than their retention, which were read and left out."""
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)

    def add(self, other: CollectionReport) -> None:
        """Count another collection into this one."""
        reason = other.not_compacted or self.not_compacted
        add_kinds(self.left_out, other.left_out)
        _add_kept_out(self, other.kept_out)
        for one in fields(self):
            if one.name in ("left_out", "kept_out"):
                continue
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        self.not_compacted = reason


def collect(
    source: LogSource | Sequence[Path],
    folder: Path,
    *,
    catalog: str | LakeCatalog = "",
    account: str = "",
    accounts: frozenset[AccountKey] | None = None,
    workers: int = 0,
    max_bytes: int = MAX_BYTES,
    shard: Shard | None = None,
    keeping: Keeping = Keeping(),
    progress: Progress | None = None,
) -> CollectionReport:
    """Read every log object of a source, or every file below some paths, that the lake in `folder` has not read yet.

    `account` is for records that name none; events of others than `accounts` are kept out and counted (None: of nobody).
    `shard` is which accounts this collector takes, of several that share the table. `max_bytes` is what one object may unpack
    to; `keeping` says which events are too old to go in. `workers` 0 means one a processor. Raises LakeError for a path that does
    not exist, a folder that cannot be written or a worker that died; LakeBusy when others kept committing first. What is
    wrong with single objects is in the CollectionReport (at most 1,000 problems listed, all counted).
    """
    require_libraries()
    began = monotonic()
    _tighten(folder)
    ledger = Ledger(folder)
    report = CollectionReport()
    scope = scope_of(accounts, shard) if accounts is not None or shard else ""
    source = FileSource(source) if isinstance(source, Sequence) else source
    search = Search(source, folder, ledger, scope)
    try:
        own = not (catalog if isinstance(catalog, str) else catalog.uri)
        if own and not (folder / CATALOG_FILE).is_file():
            ledger.forget_all()
        todo = search.unknown()
        first, weight = _peeked(todo)
        if first:
            with (
                _workers(weight, workers) as pool,
                closing(LakeTable.open(folder, catalog=catalog, create=True)) as table,
            ):
                if not ledger.belongs_to(table.uuid):
                    first, todo = [], search.unknown()
                from crosstrail.lake.stage import Terms

                terms = Terms(account, accounts, max_bytes, search.found.roots, shard)
                collection = _Collection(search, table, terms, report, keeping, progress)
                _run(collection, chain(first, todo), pool)
        search.end()
        for path, reason in search.found.unreadable:
            _note_unreadable(report, path, reason)
        report.objects_known = search.known
        add_kinds(report.left_out, search.found.left_out)
        report.objects_ignored = sum(one.files for one in report.left_out.values())
        report.seconds = monotonic() - began
        return report
    finally:
        ledger.close()


def _peeked(todo: Iterator[LogObject]) -> tuple[list[LogObject], int]:
    """As many as tell whether the work is worth processes of its own, and what they weigh."""
    first: list[LogObject] = []
    weight = 0
    while weight <= _ALONE_BYTES and (log := next(todo, None)):
        first.append(log)
        weight += weight_of(log)
    return first, weight


def _tighten(folder: Path) -> None:
    """A lake that was written when its files were open to every user of the machine is closed to them, once."""
    own = [folder / name for name in ("events", "results", "runs", "ids", CATALOG_FILE, LEDGER_FILE, NAMES_FILE)]
    if any(map(private.is_open_to_others, own)) and private.tighten(own):
        _log.warning(
            "The files of the lake in %s could be read by other users of this machine; now they cannot.", folder
        )


def _run(collection: _Collection, todo: Iterator[LogObject], pool: ReadingProcesses | None) -> None:
    """Raises LakeError for what a damaged, full or locked lake makes libraries raise; what is committed stays."""
    from pyarrow import ArrowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        collection.run(todo, pool)
    except (OSError, ArrowException, SQLAlchemyError) as error:
        raise fault(error, "the lake's folder") from error


def _workers(weight: int, count: int) -> AbstractContextManager[ReadingProcesses | None]:
    """Processes for the work, or none where starting them would take longer than the work."""
    count = count or processors()
    if count == 1 or weight <= _ALONE_BYTES:
        return nullcontext()
    return ReadingProcesses(count)


def _note_unreadable(report: CollectionReport, path: str, reason: str) -> None:
    from crosstrail.lake.logs import Problem

    report.objects_failed += 1
    report.problem_count += 1
    if len(report.problems) < _MAX_REPORTED:
        report.problems.append(Problem(path, "byte 0", reason))


def scope_of(accounts: frozenset[AccountKey] | None, shard: Shard | None) -> str:
    """The same for the same accounts: a file is read again when its archive, or this collector, is there for others."""
    speaks_for = sha256(repr(sorted(accounts)).encode()).hexdigest()[:12] if accounts is not None else ""
    return f"{speaks_for} shard {shard}" if shard else speaks_for


def _add_kept_out(report: CollectionReport, accounts: Mapping[str, int]) -> None:
    for account, events in accounts.items():
        count_kept_out(report.kept_out, account, events)


class _Collection:
    """One run: its table, its staged files that wait for a commit, its report."""

    def __init__(
        self,
        search: Search,
        table: LakeTable,
        terms: Terms,
        report: CollectionReport,
        keeping: Keeping,
        progress: Progress | None,
    ) -> None:
        self._search = search
        self._source = search.source
        self._table = table
        self._ledger = search.ledger
        self._terms = terms
        self._report = report
        self._keeping = keeping
        self._progress = progress
        self._pending: list[Staged] = []
        self._eventless: list[Eventless] = []
        self._pace = CommitPace()
        self._done = 0

    def run(self, todo: Iterator[LogObject], workers: ReadingProcesses | None) -> None:
        from crosstrail.lake.runs import Run
        from crosstrail.lake.stage import stage

        with Run(self._table) as run:
            jobs = self._jobs(todo, run.name)
            try:
                for job, staged in workers.staged(jobs) if workers else ((job, stage(job)) for job in jobs):
                    self._take(job, staged)
                self._judge_eventless()
                self._commit()
                if workers:
                    workers.stop()  # what they hold in memory is wanted now
                self._compact(run.name)
            finally:
                if workers:
                    workers.stop()  # before the run removes what it did not commit

    def _compact(self, run: str) -> None:
        """Every event is in by now: what fails here fails nothing, and is tried again by the next collection."""
        from crosstrail.lake.compact import compact

        try:
            compact(self._table, run, keep=self._keeping.snapshots)
        except Exception as error:  # noqa: BLE001 - see above
            self._report.not_compacted = _reason(error)

    def _jobs(self, todo: Iterator[LogObject], run: str) -> Iterator[Job]:
        from crosstrail.lake.schema import ARROW_SCHEMA

        schema = ARROW_SCHEMA.serialize().to_pybytes()
        data_folder = str(self._table.data_folder)
        fetching: deque[tuple[str, Future[Fetched]]] = deque()
        with ThreadPoolExecutor(_FETCHED_AHEAD, "fetch") as threads:
            for number, objects in enumerate(batches(todo)):
                prefix = f"{run}-{number:06d}"
                fetching.append((prefix, threads.submit(self._source.fetch, objects, self._spool(prefix))))
                if len(fetching) > _FETCHED_AHEAD:
                    yield self._job(*fetching.popleft(), data_folder, schema)
            while fetching:
                yield self._job(*fetching.popleft(), data_folder, schema)

    def _job(self, prefix: str, fetching: Future[Fetched], data_folder: str, schema: bytes) -> Job:
        from crosstrail.lake.stage import Job

        fetched = fetching.result()
        for log, reason, state in fetched.failed:
            if state != "gone":  # of what went since it was listed, there is nothing to put right
                _note_unreadable(self._report, log.name, reason)
            self._ledger.add([(log, 0)], state)
        return Job(fetched.objects, data_folder, prefix, schema, self._terms)

    def _spool(self, prefix: str) -> Path:
        """Where the bytes of a job's objects are as long as it goes on."""
        from crosstrail.lake.runs import SPOOL_FOLDER

        return self._table.folder / SPOOL_FOLDER / prefix

    def _take(self, job: Job, staged: Staged) -> None:
        shutil.rmtree(self._spool(job.prefix), ignore_errors=True)
        report = self._report
        report.objects_read += staged.read
        add_kinds(report.left_out, staged.left_out)
        _add_kept_out(report, staged.kept_out)
        report.objects_failed += staged.failed
        report.bytes += staged.bytes
        report.problem_count += staged.problem_count
        report.problems += staged.problems[: _MAX_REPORTED - len(report.problems)]
        self._pending.append(staged)
        self._eventless += staged.eventless
        self._done += len(job.objects)
        if self._progress:
            self._progress(self._done, self._search.total)
        if self._pace.is_due(sum(one.rows for one in self._pending)):
            self._commit()

    def _judge_eventless(self) -> None:
        """What the user named must hold events, if not in every part of it, or be a delivery in which nothing happened."""
        files: dict[str, list[Eventless]] = {}
        for one in self._eventless:
            files.setdefault(one.log.name, []).append(one)
        for name, parts in files.items():
            kinds = sorted({kind for one in parts for kind in one.kinds}) or ["an empty archive"]
            is_log = not any(one.kinds for one in parts) and any(one.entries for one in parts)
            if len(parts) < parts[0].log.part[1] or is_log:
                self._ledger.add((one.log, 0) for one in parts)
            else:
                _note_unreadable(self._report, name, f"holds no audit events: {', '.join(kinds[:5])}")

    def _commit(self) -> None:
        from crosstrail.lake.append import append
        from crosstrail.lake.expiry import drop_expired

        staged, expired = drop_expired((Path(path) for one in self._pending for path in one.files), self._keeping)
        with self._pace.committing():
            appended = append(self._table, staged)
        for one in self._pending:
            self._ledger.add(one.complete)
            self._ledger.add(one.damaged, "failed")
        report = self._report
        report.expired += expired
        report.new += appended.new
        report.known += appended.known
        report.conflicting += len(appended.conflicts)
        report.conflicts += appended.conflicts[: _MAX_REPORTED - len(report.conflicts)]
        self._pending.clear()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if isinstance(error, CrosstrailError) else type(error).__name__
