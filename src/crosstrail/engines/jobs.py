"""One query of the embedded engine: what it may use, and what was compiled of it.

Values alone: duckdb.py decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crosstrail.engines.messages import ExportParts, Reply
from crosstrail.engines.workers import RUNS_AT_ONCE
from crosstrail.models import AccountKey
from crosstrail.timerange import TimeRange


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may use. `memory` is DuckDB's text for a size."""

    seconds: float = 60.0
    memory: str = "1GB"
    threads: int = 2
    rows: int = 1_000_000
    bytes: int = 256 * 1024 * 1024
    at_once: int = RUNS_AT_ONCE
    scanned_bytes: int | None = None
    """Of the data files that it reads; None for any number."""

    @property
    def bytes_of_memory(self) -> int:
        return bytes_of(self.memory)


def bytes_of(text: str) -> int:
    """Bytes of a size as DuckDB writes it."""
    return int(text[:-2]) * (10**9 if text.endswith("GB") else 10**6)


DEFAULT_LIMITS = QueryLimits()


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A statement as a worker compiled it."""

    sql: str
    accounts: tuple[AccountKey, ...]
    """Those it reads."""
    reads_table: bool
    """Also of no account: the table is there then, and empty."""
    span: TimeRange
    """The event times that it can need."""
    export: ExportParts | None = None
    """What is made of its result instead of rows to page through; what is read, and where to, comes when it runs."""
    scans: int = 0
    """How often it reads the table."""
    past: tuple[datetime, ...] = ()
    """When it reads the table as it was."""
    newest: bool = True
    """Whether it reads the table as it is, too."""


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """What a statement would read of the lake: data files, their bytes and events."""

    accounts: tuple[AccountKey, ...]
    span: TimeRange
    files: int
    bytes: int
    events: int


def compiled_query(compiled: Reply, export: ExportParts | None = None) -> CompiledQuery:
    accounts, span = reach(compiled)
    return CompiledQuery(
        *(compiled["sql"], accounts, compiled["reads_table"], span, export, compiled["scans"]),
        past=times_of(compiled),
        newest=compiled["newest"],
    )


def times_of(compiled: Reply) -> tuple[datetime, ...]:
    """When the statement reads the lake as it was."""
    return tuple(datetime.fromisoformat(one) for one in compiled["past"])


def reach(compiled: Reply) -> tuple[tuple[AccountKey, ...], TimeRange]:
    """The accounts that the statement reads, and the event times that it can need."""
    accounts = tuple((str(cloud), str(account)) for cloud, account in compiled["accounts"])
    start, end = (datetime.fromisoformat(one) if one else None for one in (compiled["start"], compiled["end"]))
    return accounts, TimeRange(start, end)
