"""What makes an export of a query: the statement that fetches original records, and the writing of them, both in a worker.

Decides what of a statement's result is exported: where it names events (a column `eventid`), their original records, each
once, from the accounts that the statement read; else its rows. It never chooses accounts: sql.py compiles what it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from crosstrail.engines.messages import ExportParts, Reply, type_of
from crosstrail.engines.statement import without_end
from crosstrail.errors import SqlRejected

if TYPE_CHECKING:
    import duckdb
    import pyarrow

    from crosstrail.engines.jobs import QueryLimits
    from crosstrail.engines.sql.prepare import NamedAccounts, PreparedStatement
    from crosstrail.evidence.forms import ExportedRecord

_KEYS = ("cloud", "account", "eventid")
_BATCH_ROWS = 1_000
"""Of records, which are longer than rows of results."""


@dataclass(frozen=True, slots=True)
class Export:
    """What is made of a query's result. `folder`: where, else in the folder of the query's own results."""

    form: Literal["jsonl", "jsonl.gz", "parquet"] = "jsonl"
    rows: bool = False
    """The rows themselves, even where they name events."""
    folder: Path | None = None
    max_records: int | None = None
    """More than these are refused; None: what the engine's limits are."""
    max_bytes: int | None = None
    seconds: float | None = None


def parts_of_export(compiled: Reply, export: Export) -> ExportParts:
    """What a worker has to know of a compiled one; which snapshot of which table comes when it runs."""
    return {
        "kind": compiled["kind"],
        "form": export.form,
        "folder": str(export.folder.absolute()) if export.folder else "",
        "columns": compiled["columns"],
        "types": compiled["types"],
        "table": "",
        "snapshot": None,
        "unordered": compiled["unordered"],
    }


def limits_of(usual: QueryLimits, export: Export | None) -> QueryLimits:
    """Of one query: what an export says itself, else the usual ones."""
    if export is None:
        return usual
    return replace(
        usual,
        rows=usual.rows if export.max_records is None else export.max_records,
        bytes=usual.bytes if export.max_bytes is None else export.max_bytes,
        seconds=usual.seconds if export.seconds is None else export.seconds,
    )


class TooLarge(Exception):
    """A result over the limits; says which."""


def names_events(prepared: PreparedStatement) -> bool:
    """Raises SqlRejected where a name that says which events stands twice."""
    names = [name.lower() for name in prepared.columns]
    if twice := [key for key in _KEYS if names.count(key) > 1 and "eventid" in names]:
        raise SqlRejected(
            f"the result has two columns {twice[0]}", line=1, column=1, hint="Give one of them another name with AS."
        )
    return "eventid" in names and prepared.types[names.index("eventid")].name.startswith(("varchar", "char"))


def records_of(
    sql: str,
    prepared: PreparedStatement,
    scope: NamedAccounts,
    now: datetime,
    past: Sequence[datetime],
    trino_version: int,
) -> tuple[PreparedStatement, str]:
    """The original records of the events that a statement names: of the accounts that it reads, and no others. Oldest first; and
    the same in any order. `past`: when the statement reads the lake as it was; its records are read as they were then. Raises
    SqlRejected."""
    from crosstrail.engines.sql.prepare import NamedAccounts, prepare

    names = {name.lower() for name in prepared.columns}
    keys = [key for key in _KEYS if key in names]
    read = tuple(one for one in scope.accounts if (one.cloud, one.id) in prepared.accounts)
    named = f"SELECT DISTINCT {', '.join(keys)} FROM (\n{without_end(sql)}\n)"  # noqa: S608 - compiled before, alone
    same = " AND ".join(f"e.{key} = named.{key}" for key in keys)
    as_of = ""
    if past:
        if prepared.newest or len(set(past)) > 1:
            raise SqlRejected(
                "the records of an export are read as the lake was at one time",
                hint="Give each table of the statement the same time after FOR TIMESTAMP AS OF.",
            )
        as_of = f"FOR TIMESTAMP AS OF TIMESTAMP '{past[0].astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC' "
    fetched = (
        "SELECT e.eventjson, e.cloud, e.account, e.eventid, e.source_object, e.verified "  # noqa: S608
        f"FROM events {as_of}AS e JOIN ({named}) AS named ON {same}"
    )
    visible = NamedAccounts(read, scope.store_aliases)
    compiled = partial(prepare, scope=visible, now=now, trino_version=trino_version)
    return compiled(f"{fetched} ORDER BY e.eventtime, e.cloud, e.account, e.eventid"), compiled(fetched).sql


def write_export(
    connection: duckdb.DuckDBPyConnection, sql: str, parts: ExportParts, *, rows: int, max_bytes: int
) -> int:
    """How many records were written. Raises TooLarge, OSError, duckdb.Error."""
    from crosstrail.evidence.writer import EvidenceWriter

    ordered, batches = _batches(connection, sql, parts["unordered"])
    with EvidenceWriter(Path(parts["folder"]), parts["form"], parts["kind"]) as writer:
        for batch in batches:
            columns = [column.to_pylist() for column in batch.columns]
            for record in _records(columns) if parts["kind"] == "records" else _rows(columns, parts):
                writer.add(record)
            if writer.records > rows or writer.bytes > max_bytes:
                raise TooLarge(
                    f"more than {rows} records or {max_bytes // 2**20} MB are asked for; narrow it by eventtime or accounts"
                )
        about: dict[str, object] = {"form": parts["form"], "table": parts["table"], "snapshot": parts["snapshot"]}
        if parts["kind"] == "records":
            about["order"] = "eventtime" if ordered else None
        if parts["kind"] == "rows":
            about["columns"] = parts["columns"]
        writer.finish(about)
        return writer.records


def _batches(
    connection: duckdb.DuckDBPyConnection, sql: str, unordered: str
) -> tuple[bool, Iterable[pyarrow.RecordBatch]]:
    """Whether they are in the statement's order, and the batches. Sorting comes before the first of them: where it takes more
    memory than there is, nothing was written yet."""
    try:
        reader = connection.sql(sql).to_arrow_reader(_BATCH_ROWS)
        first = next(iter(reader), None)
        return True, chain([] if first is None else [first], reader)
    except Exception as error:
        if not unordered or "Out of Memory" not in str(error):
            raise
    return False, connection.sql(unordered).to_arrow_reader(_BATCH_ROWS)


def _records(columns: Sequence[Sequence[object]]) -> Iterator[ExportedRecord]:
    from crosstrail.evidence.forms import ExportedRecord

    for text, cloud, account, event_id, source, verified in zip(*columns, strict=True):
        raw = str(text or "").encode("utf-8", "surrogateescape")
        tried = verified if isinstance(verified, bool) else None
        yield ExportedRecord(raw, str(cloud), str(account), str(event_id or ""), str(source or ""), tried)


def _rows(columns: Sequence[Sequence[object]], parts: ExportParts) -> Iterator[ExportedRecord]:
    from crosstrail.engines.rendering import renderer
    from crosstrail.evidence.forms import ExportedRecord
    from crosstrail.evidence.writer import distinct, row_line

    names = distinct(parts["columns"])
    show = [renderer(type_of(kind)) for kind in parts["types"]]
    for cells in zip(*columns, strict=True):
        yield ExportedRecord(row_line(names, [shown(cell) for shown, cell in zip(show, cells, strict=True)]))
