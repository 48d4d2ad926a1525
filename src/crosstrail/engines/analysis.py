"""Statements of this project's own, in DuckDB's SQL, over the events of some accounts and one span of time: run in a worker.

For what crosstrail computes itself (detections, summaries, timelines): never for a caller's text. Values of callers and of rules go
into such a statement as literals by `lake/reader.py: quoted`. It decides how much one analysis may read, take and give back; it never
chooses accounts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.coverage import NONE_READ, Verified
from crosstrail.engines.jobs import CompiledQuery, QueryLimits
from crosstrail.engines.lake_files import LakeReading
from crosstrail.engines.messages import AnalyzeRequest
from crosstrail.engines.workers import QueryWorkers, Ticket, WorkerDied, WorkerLate
from crosstrail.errors import LakeError, QueryTimedOut
from crosstrail.lake.row_filters import condition_of, network_of
from crosstrail.models import AccountKey, Filter
from crosstrail.timerange import TimeRange

if TYPE_CHECKING:
    from crosstrail.lake.snapshot import LakeFile

EVENTS = "events"
"""The relation that statements read: the lake's columns, hidden ones included, of the chosen accounts and times."""

Rows = tuple[tuple[object, ...], ...]
"""Of one statement, its values as JSON has them: texts, numbers, booleans, None, lists and, for structs and maps, dicts."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is read, and the statements that run over it one after the other on one connection, so that one may make
    temporary tables for the next. Each that does not begin with CREATE gives one table of the result.

    `only`: which of the data files are read. `further`: files of the lake's columns beside them, each event of which must
    be of the accounts.
    """

    statements: Sequence[str]
    accounts: Sequence[AccountKey]
    span: TimeRange = TimeRange()
    filters: Sequence[Filter] = ()
    """What else events must be, as `filters.accepted` gives it."""
    regions: Sequence[str] = ()
    """Names and globs; empty for all."""
    only: Callable[[LakeFile], bool] | None = None
    further: Sequence[Path] = ()
    rows: int = 100_000
    """Most of each table; more fail the analysis."""


@dataclass(frozen=True, slots=True)
class Analyzed:
    """`tables`: the rows of each statement that yields any. Times are ISO 8601 in UTC."""

    tables: tuple[Rows, ...]
    files: int = 0
    events: int = 0
    """In the data files that were read: at least those of the span."""
    verified: Verified = NONE_READ


def compiled(analysis: Analysis) -> CompiledQuery:
    """What decides which files are read of it."""
    return CompiledQuery("", tuple(analysis.accounts), reads_table=True, span=analysis.span)


def ask(
    workers: QueryWorkers, analysis: Analysis, reading: LakeReading, limits: QueryLimits, ticket: Ticket, late: float
) -> tuple[Rows, ...]:
    """The tables; `late` on the monotonic clock. Raises QueryTimedOut, LakeError, WorkerStopped."""
    span = analysis.span
    request: AnalyzeRequest = {
        "work": "analyze",
        "statements": list(analysis.statements),
        "files": [*(file.path for file in reading.newest), *(str(path.absolute()) for path in analysis.further)],
        "where": condition_of(analysis.filters, analysis.regions),
        "network": network_of(analysis.filters),
        "start": span.start.isoformat() if span.start else "",
        "end": span.end.isoformat() if span.end else "",
        "memory": limits.memory,
        "bytes_of_memory": limits.bytes_of_memory,
        "threads": limits.threads,
        "rows": analysis.rows,
        "seconds": limits.seconds,
    }
    try:
        reply = workers.ask(request, ticket, seconds=max(0.0, late - time.monotonic()))
    except WorkerLate:
        raise QueryTimedOut(
            f"it was stopped: its limit of {limits.seconds:g} s was reached",
            hint="Narrow it: fewer accounts, less time.",
        ) from None
    except WorkerDied as died:
        reply = {"failed": "memory" if died.memory else f"the process that ran it failed ({-died.status})"}
    if failed := reply.get("failed"):
        more = f"it needs more memory than {limits.memory} (query.memory_limit): fewer accounts or less time"
        raise LakeError(more if failed == "memory" else failed)
    return tuple(tuple(tuple(row) for row in table) for table in reply["tables"])
