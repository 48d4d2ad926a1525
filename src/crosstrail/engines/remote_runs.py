"""A query of an external engine (Trino, Athena), run by a thread: its pages are fetched into the ResultStore as they come.

Decides its limits (time, rows, bytes) and how it ends. The rows are kept as the text that is shown, so that any process
sharing the store answers for them as for those of the embedded engine. It speaks no protocol: a RemoteQuery does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crosstrail.engines.query_runs import QueryJob, RunStopped
from crosstrail.engines.result_writer import ResultWriter
from crosstrail.engines.results import Record, ResultStore
from crosstrail.engines.sql.types import VARCHAR, Type
from crosstrail.models import QueryState

if TYPE_CHECKING:
    import pyarrow as pa

RUNS_AT_ONCE = 8
"""Of one process: each is a thread that mostly waits."""
_WRITTEN_ROWS = 10_000
_WRITTEN_BYTES = 4 * 2**20
_REPORT_SECONDS = 1.0

Rows = Sequence[Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class RemoteLimits:
    """What one query may take: `seconds` from when this process has a thread for it, the engine's own queue included; `rows` and `bytes` of its result."""

    seconds: float = 60.0
    rows: int = 1_000_000
    bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RemoteProgress:
    """What the engine says of a query that runs; None for what it does not say."""

    percent: float | None = None
    scanned_rows: int | None = None
    scanned_bytes: int | None = None


class RemoteEnded(Exception):
    """The engine ended a query otherwise than well. `error` is for the reader: cleaned, without values of events."""

    def __init__(self, error: str, state: QueryState = QueryState.FAILED) -> None:
        super().__init__(error)
        self.error = error
        self.state = state


class RemoteQuery:
    """One query as its engine's adapter speaks of it. To subclass: `pages` and `stop`, and `close` where that has anything to do.

    `columns` are those that the engine names, known with the first page at the latest.
    """

    columns: tuple[str, ...] = ()

    def pages(self, report: Callable[[RemoteProgress], None]) -> Iterator[Rows]:
        """Starts it, waits for it and gives its rows, each page bounded in bytes; calls `report` as often as it likes. Raises
        RemoteEnded, CrosstrailError."""
        raise NotImplementedError

    def stop(self) -> None:
        """From another thread, once or more, also before `pages`: the engine works no more on it, and `pages` ends soon,
        however it ends."""
        raise NotImplementedError

    def close(self) -> None:
        """After the end, in the thread of `pages`."""


@dataclass(slots=True, eq=False)
class RemoteRun:
    """A QueryRun of a RemoteQuery."""

    query: RemoteQuery
    limits: RemoteLimits
    store: ResultStore
    given_up: bool = False
    late: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    _reported: float = 0.0

    def stop(self) -> None:
        self.given_up = True
        self.query.stop()

    def run(self, job: QueryJob) -> Record:
        """Raises RunStopped where it was given up."""
        timer = threading.Timer(self.limits.seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            rows = self._fetched(job)
            return replace(job.record, state=QueryState.FINISHED, rows=rows)
        except Exception as error:
            if self.given_up:
                raise RunStopped from None
            if self.late:
                text = f"its limit of {self.limits.seconds:g} s was reached"
                return replace(job.record, state=QueryState.TIMED_OUT, error=text)
            if isinstance(error, RemoteEnded):
                return replace(job.record, state=error.state, error=error.error)
            raise
        finally:
            timer.cancel()
            self.query.stop()  # of one that ended well there is nothing to stop
            self.query.close()
            self.store.drop_partial(job.native_id)
            self.ended.set()

    def _expire(self) -> None:
        self.late = True
        self.query.stop()

    def _fetched(self, job: QueryJob) -> int:
        """Writes the rows; how many. The file appears when it is complete."""
        import pyarrow as pa

        path = self.store.rows_path(job.native_id)
        partial = path.with_name(path.name + ".partial")
        schema = pa.schema([(f"c{index}", pa.string()) for index in range(len(job.record.columns))])
        with ResultWriter(partial, schema, max_rows=self.limits.rows, max_bytes=self.limits.bytes) as writer:
            waiting: list[pa.RecordBatch] = []
            for page in self.query.pages(lambda progress: self._report(job, progress)):
                if self.given_up or self.late:
                    raise RunStopped
                waiting += [_batch(page, schema)] if page else []
                many = sum(batch.num_rows for batch in waiting) >= _WRITTEN_ROWS
                if many or sum(batch.nbytes for batch in waiting) >= _WRITTEN_BYTES:
                    writer.write(_joined(waiting))
                    waiting = []
            if waiting:
                writer.write(_joined(waiting))
        if self.given_up or self.late:
            raise RunStopped
        if len(self.query.columns) != len(schema):
            raise RemoteEnded("the engine answered with other columns than the statement has")
        job.record = replace(job.record, columns=self.query.columns)
        partial.replace(path)
        return writer.rows

    def _report(self, job: QueryJob, progress: RemoteProgress) -> None:
        known = replace(
            job.record,
            percent=progress.percent,
            scanned_rows=progress.scanned_rows,
            scanned_bytes=progress.scanned_bytes,
        )
        if known == job.record:
            return
        job.record = known
        if time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._reported = time.monotonic()
            self.store.write(job.native_id, known)


def _batch(page: Rows, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    if any(len(row) != len(schema) for row in page):
        raise RemoteEnded("the engine answered with rows of another width than the statement has columns")
    columns = [pa.array(column, pa.string()) for column in zip(*page, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.concat_batches(batches)


def text_types(columns: Sequence[str]) -> tuple[Type, ...]:
    """The types of columns whose cells are kept as text."""
    return (VARCHAR,) * len(columns)
