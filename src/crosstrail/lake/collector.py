"""Log files into the lake: what to read, by how many processes, when to commit, what to report.

Decides the jobs and the order of things: events are committed before the ledger says so, and files of runs that died
are removed only when no snapshot names them. It never parses a record. Heavy libraries are loaded when the ledger shows
that there is something to read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from crosstrail.errors import LakeError
from crosstrail.lake.ledger import Ledger
from crosstrail.lake.sources import LogObject, find

if TYPE_CHECKING:
    from crosstrail.lake.append import Conflict
    from crosstrail.lake.logs import Problem
    from crosstrail.lake.stage import Job, Staged
    from crosstrail.lake.table import LakeTable

_JOB_BYTES = 24 * 1024 * 1024
"""Of events, uncompressed, as far as file sizes tell: takes a worker about 250 MB."""
_GZIP_RATIO = 12
_JOB_OBJECTS = 2_000
_ALONE_BYTES = _JOB_BYTES
"""Up to here this process does the work itself: starting workers would take longer."""
_COMMIT_ROWS = 250_000
_COMMIT_SECONDS = 10.0
_MOST_REPORTED = 1_000

Progress = Callable[[int, int], None]
"""(log objects done, log objects in all); called from the collecting thread."""


@dataclass(slots=True)
class Report:
    """What a collection did. Counts are of events, except where the name says objects."""

    objects_read: int = 0
    objects_known: int = 0
    objects_failed: int = 0
    objects_ignored: int = 0
    new: int = 0
    known: int = 0
    conflicting: int = 0
    bytes: int = 0
    seconds: float = 0.0
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


def collect(
    paths: Sequence[Path],
    folder: Path,
    *,
    catalog: str = "",
    account: str = "",
    workers: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Read every log file below `paths` that the lake in `folder` has not read yet.

    `account` is for records that name none. `workers` 0 means one a processor. Raises LakeError for a path that does
    not exist, a folder that cannot be written or a worker that died; LakeBusy when others kept committing first. What is
    wrong with single files is in the Report (at most 1,000 problems listed, all counted).
    """
    began = monotonic()
    found = find(paths)
    ledger = Ledger(folder)
    try:
        todo = ledger.unknown(found.objects)
        report = Report(objects_known=len(found.objects) - len(todo), objects_ignored=found.ignored)
        for path, reason in found.unreadable:
            _note_unreadable(report, path, reason)
        if todo:
            _Collection(folder, catalog, account, ledger, report, progress).run(todo, found.objects, workers)
        report.seconds = monotonic() - began
        return report
    finally:
        ledger.close()


def _note_unreadable(report: Report, path: str, reason: str) -> None:
    from crosstrail.lake.logs import Problem

    report.objects_failed += 1
    report.problem_count += 1
    report.problems.append(Problem(path, "byte 0", reason))


class _Collection:
    """One run: its table, its staged files that wait for a commit, its report."""

    def __init__(
        self, folder: Path, catalog: str, account: str, ledger: Ledger, report: Report, progress: Progress | None
    ) -> None:
        from crosstrail.lake.table import LakeTable

        self._table: LakeTable = LakeTable.open(folder, catalog=catalog, create=True)
        self._account = account
        self._ledger = ledger
        self._report = report
        self._progress = progress
        self._pending: list[Staged] = []
        self._committed_at = monotonic()
        self._done = 0
        self._total = 0

    def run(self, todo: list[LogObject], everything: list[LogObject], workers: int) -> None:
        from crosstrail.lake.runs import Run

        if not self._ledger.belongs_to(self._table.uuid):
            self._report.objects_known = 0
            todo = everything
        self._total = len(todo)
        with Run(self._table) as run:
            jobs = self._jobs(todo, run.name)
            count = workers or _processors()
            if count == 1 or sum(map(_weight, todo)) <= _ALONE_BYTES:
                self._run_here(jobs)
            else:
                self._run_in_processes(jobs, count)
            self._commit()

    def _run_here(self, jobs: Iterator[Job]) -> None:
        from crosstrail.lake.stage import stage

        for job in jobs:
            self._take(job, stage(job))

    def _run_in_processes(self, jobs: Iterator[Job], count: int) -> None:
        import multiprocessing

        from crosstrail.lake.worker import prepare, work

        pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=prepare)
        waiting: dict[Future[Staged], Job] = {}
        try:
            while True:
                for job in islice(jobs, 2 * count - len(waiting)):
                    waiting[pool.submit(work, job)] = job
                if not waiting:
                    break
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    self._take(waiting.pop(future), future.result())
        except BrokenProcessPool as error:
            raise LakeError(
                "a worker process died, perhaps for want of memory", hint="Collect again: what is committed stays."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _jobs(self, todo: list[LogObject], run: str) -> Iterator[Job]:
        from crosstrail.lake.schema import ARROW_SCHEMA
        from crosstrail.lake.stage import Job

        schema = ARROW_SCHEMA.serialize().to_pybytes()
        data_folder = str(self._table.data_folder)
        for number, objects in enumerate(_batches(todo)):
            yield Job(objects, self._account, data_folder, f"{run}-{number:06d}", schema)

    def _take(self, job: Job, staged: Staged) -> None:
        report = self._report
        report.objects_read += len(staged.whole)
        report.objects_ignored += len(staged.not_logs)
        report.objects_failed += len(staged.failed)
        report.bytes += staged.bytes
        report.problem_count += len(staged.problems)
        report.problems += staged.problems[: _MOST_REPORTED - len(report.problems)]
        self._pending.append(staged)
        self._done += len(job.objects)
        if self._progress:
            self._progress(self._done, self._total)
        rows = sum(one.rows for one in self._pending)
        if rows >= _COMMIT_ROWS or monotonic() - self._committed_at > _COMMIT_SECONDS:
            self._commit()

    def _commit(self) -> None:
        from crosstrail.lake.append import append

        appended = append(self._table, [Path(path) for one in self._pending for path in one.files])
        for one in self._pending:
            self._ledger.add(one.whole)
            self._ledger.add((log, 0) for log in one.not_logs)
        report = self._report
        report.new += appended.new
        report.known += appended.known
        report.conflicting += len(appended.conflicts)
        report.conflicts += appended.conflicts[: _MOST_REPORTED - len(report.conflicts)]
        self._pending.clear()
        self._committed_at = monotonic()


def _batches(todo: Sequence[LogObject]) -> Iterator[tuple[LogObject, ...]]:
    batch: list[LogObject] = []
    size = 0
    for log in todo:
        if batch and (size + _weight(log) > _JOB_BYTES or len(batch) >= _JOB_OBJECTS):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(log)
        size += _weight(log)
    if batch:
        yield tuple(batch)


def _weight(log: LogObject) -> int:
    return log.bytes * (_GZIP_RATIO if log.name.endswith(".gz") else 1)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
