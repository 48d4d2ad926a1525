"""Trino's answers, one statement a line of sql_probes.jsonl, against ours.

`rows` and `types` are what Trino gives (435, or 483 where that came later), written as a result page writes them. `fails` says who refuses: `both`;
`refused`, where only we do, before anything runs; `running`, where only we do, for the values met. Rows of a statement without
ORDER BY, and entries of a map, may come in any order: which one, DuckDB decides by the threads it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.rendering import renderer
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
from crosstrail.lake.reader import connect

if TYPE_CHECKING:
    import duckdb

PROBES = [json.loads(line) for line in (Path(__file__).parent / "sql_probes.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def locked() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect([])) as connection:
        yield connection


Answer = tuple[list[str], list[list[str | None]]]


def _comparable(sql: str, answer: Answer) -> Answer:
    """Without what SQL leaves open."""
    types, rows = answer
    rows = [
        [_sorted(value) if kind.startswith("map(") else value for kind, value in zip(types, row, strict=True)]
        for row in rows
    ]
    if re.search(r"\border\s+by\b", sql, re.IGNORECASE):
        return types, rows
    return types, sorted(rows, key=lambda row: [(value is None, value or "") for value in row])


def _sorted(entries: str | None) -> str | None:
    return entries and json.dumps(json.loads(entries), sort_keys=True)


def _answer(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    prepared = prepare(sql, QueryScope(()))
    table = connection.sql(prepared.sql).to_arrow_table()
    render = [renderer(kind) for kind in prepared.types]
    columns = [
        [show(value) for value in column.to_pylist()] for show, column in zip(render, table.columns, strict=True)
    ]
    return [str(kind) for kind in prepared.types], [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("probe", PROBES, ids=[probe["sql"][:80] for probe in PROBES])
def test_answers_as_trino_does_or_not_at_all(probe: dict[str, Any], locked: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    fails = probe.get("fails")
    if fails is None:
        sql = probe["sql"]
        assert _comparable(sql, _answer(locked, sql)) == _comparable(sql, (probe["types"], probe["rows"]))
    elif fails == "refused":
        with pytest.raises(SqlRejected):
            prepare(probe["sql"], QueryScope(()))
    else:
        wanted = (SqlRejected, duckdb.Error) if fails == "both" else duckdb.Error
        with pytest.raises(wanted):
            _answer(locked, probe["sql"])


def test_the_probes_are_many() -> None:
    """So that nobody empties the table unnoticed."""
    assert sum("rows" in probe for probe in PROBES) >= 1000
