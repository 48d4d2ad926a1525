"""Reads the lake with DuckDB: one in-memory database, locked to exactly the data files of one plan.

It decides what a DuckDB connection of this project may touch: the given files and nothing else, no network, no
extension, no temporary files, no change of its own configuration. It never chooses the files (LakeTable.plan does), and
never takes SQL from a caller: whoever executes text on the connection answers for that text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from crosstrail.lake.schema import duckdb_columns

if TYPE_CHECKING:
    import duckdb

EVENTS_VIEW = "lake_events"
"""The one relation of a connection: every row of the given files, hidden columns included."""


def past_view(index: int) -> str:
    """The relation, besides EVENTS_VIEW, of a time at which the lake is read as it was."""
    return f"{EVENTS_VIEW}_{index}"


SOURCE_OBJECT = """CASE WHEN NOT starts_with(source_object, '/') THEN source_object
WHEN contains(source_object, '/AWSLogs/') THEN regexp_extract(source_object, '/(AWSLogs/.*)$', 1)
ELSE regexp_extract(source_object, '/([^/]*|[^/]*[.][zZ][iI][pP]!.*)$', 1) END"""
"""Lakes of earlier versions hold where on the operator's machine a file was: see lake/sources/files.py: source_of."""

_LOCKED_FROM_THE_START = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "temp_directory": "",
    # It computes what stands twice in front of everything, so also where a CASE, a COALESCE or a TRY around it would not.
    "disabled_optimizers": "common_subexpressions",
}


def connect(
    files: Sequence[str],
    *,
    events: Sequence[tuple[str, str, int]] = (),
    past: Sequence[Sequence[str]] = (),
    memory_limit: str = "1GB",
    threads: int = 2,
    table: bool = True,
) -> duckdb.DuckDBPyConnection:
    """A connection whose only relation is EVENTS_VIEW; with no files it has the lake's columns and no rows. `table=False`
    spares making that one for what reads no table. `events`, in place of files: (cloud, account, how many), and the relation
    has these two columns alone. `past`: the files of each past_view.

    `files` are absolute paths of Parquet files, `memory_limit` is DuckDB's text for a size. Opening takes about 15 ms.
    A query that needs more memory fails: nothing is spilled to disk. The caller closes the connection; `interrupt()`
    on it, from any thread, stops the query that runs.
    """
    import duckdb

    connection = duckdb.connect(
        ":memory:", config={**_LOCKED_FROM_THE_START, "memory_limit": memory_limit, "threads": str(threads)}
    )
    try:
        if readable := [*files, *chain.from_iterable(past)]:
            connection.execute(f"SET allowed_paths = {_list(dict.fromkeys(readable))}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET TimeZone = 'UTC'")
        if events:
            connection.execute(f"CREATE VIEW {EVENTS_VIEW} AS {' UNION ALL '.join(map(_repeated, events))}")
        elif files or table:
            _create(connection, EVENTS_VIEW, files)
        for index, some in enumerate(past):
            _create(connection, past_view(index), some)
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def quoted(text: str) -> str:
    """The text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _repeated(events: tuple[str, str, int]) -> str:
    cloud, account, count = events
    return f"SELECT {quoted(cloud)} AS cloud, {quoted(account)} AS account FROM range({int(count)})"  # noqa: S608


@cache
def _columns() -> str:
    """The lake's columns as read_parquet takes them: MAP {field id: {name, type, default_value}}."""
    listed = (
        f"{number}: {{name: {quoted(name)}, type: {quoted(kind)}, default_value: NULL}}"
        for name, (number, kind) in duckdb_columns().items()
    )
    return f"MAP {{{', '.join(listed)}}}"


def _create(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[str]) -> None:
    if files:
        # Guessing Hive partitions from the path would turn account ids into numbers and lose leading zeros.
        # By their ids, as Iceberg says: a file written before a column came gives NULL for it.
        source = f"read_parquet({_list(files)}, hive_partitioning = false, schema = {_columns()})"
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {source}")  # noqa: S608 - quoted, and a name of ours
        return
    columns = ", ".join(f"{column} {kind}" for column, (_, kind) in duckdb_columns().items())
    connection.execute(f"CREATE TABLE {name} ({columns})")


def _list(paths: Iterable[str]) -> str:
    return f"[{', '.join(quoted(path) for path in paths)}]"
