"""Maps are compared by what they hold, as Trino does, whatever the order of their keys; lambdas may be grouped by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql import prepare
from crosstrail.lake.reader import connect

if TYPE_CHECKING:
    import duckdb

BA, AB = "map(array['b','a'],array[2,1])", "map(array['a','b'],array[1,2])"
BOTH = f"(VALUES {BA}, {AB}) AS t(m)"
NESTED = (
    f"(VALUES row(row(1, {BA})), row(row(1, {AB}))) AS t(m)",
    f"(VALUES row(array[{BA}]), row(array[{AB}])) AS t(m)",
    f"(VALUES map(array[1], array[{BA}]), map(array[1], array[{AB}])) AS t(m)",
    f"(VALUES row(row('x', row(array[row({BA})]))), row(row('x', row(array[row({AB})])))) AS t(m)",
)


@pytest.fixture(scope="module")
def locked() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect([])) as connection:
        yield connection


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(prepare(sql, QueryScope(())).sql).fetchall()


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (f"{BA} = {AB}", True),
        (f"{BA} <> {AB}", False),
        (f"{BA} IN ({AB})", True),
        (f"{BA} IS DISTINCT FROM {AB}", False),
        (f"nullif({BA}, {AB})", None),
        (f"CASE {BA} WHEN {AB} THEN 1 END", 1),
        (f"array[{BA}] = array[{AB}]", True),
        (f"row({BA}, 1) = row({AB}, 1)", True),
        (f"map(array[1], array[{BA}]) = map(array[1], array[{AB}])", True),
        ("map(array['a'], array[1]) = map(array['b'], array[1])", False),
        ("map(array['a'], array[1]) = map(array['a', 'b'], array[1, 2])", False),
        ("map(array['a'], array[CAST(NULL AS integer)]) = map(array['a'], array[1])", None),
        ("map(array['a', 'b'], array[1, NULL]) = map(array['b', 'a'], array[NULL, 3])", False),
        ("map() = map()", True),
        (f"cardinality(array_distinct(array[{BA}, {AB}]))", 1),
    ],
)
def test_maps_are_compared_by_their_entries(expression: str, wanted: Any, locked: duckdb.DuckDBPyConnection) -> None:
    assert _rows(locked, f"SELECT {expression}") == [(wanted,)]


@pytest.mark.parametrize("source", [BOTH, *NESTED])
def test_maps_are_grouped_and_counted_once(source: str, locked: duckdb.DuckDBPyConnection) -> None:
    assert _rows(locked, f"SELECT count(DISTINCT m), approx_distinct(m) FROM {source}") == [(1, 1)]
    assert [row[-1] for row in _rows(locked, f"SELECT m, count(*) FROM {source} GROUP BY m")] == [2]
    assert [row[-1] for row in _rows(locked, f"SELECT m, count(*) FROM {source} GROUP BY 1 HAVING count(*) > 1")] == [2]
    assert _rows(locked, f"SELECT count(*) FROM {source} GROUP BY GROUPING SETS ((m), ())") == [(2,), (2,)]
    assert len(_rows(locked, f"SELECT DISTINCT m FROM {source}")) == 1
    assert len(_rows(locked, f"SELECT * FROM {source} UNION SELECT * FROM {source}")) == 1
    assert len(_rows(locked, f"SELECT * FROM {source} INTERSECT SELECT * FROM {source}")) == 1
    assert _rows(locked, f"SELECT * FROM {source} EXCEPT SELECT * FROM {source}") == []
    assert _rows(locked, f"SELECT count(*) OVER (PARTITION BY m) FROM {source}") == [(2,), (2,)]
    assert cardinality(_rows(locked, f"SELECT array_agg(DISTINCT m) FROM {source}")) == 1


def cardinality(rows: list[tuple[Any, ...]]) -> int:
    return len(rows[0][0])


def test_maps_join_by_their_entries(locked: duckdb.DuckDBPyConnection) -> None:
    sides = f"(VALUES {BA}) AS t(m) JOIN (VALUES {AB}) AS u"
    assert _rows(locked, f"SELECT count(*) FROM {sides}(n) ON m = n") == [(1,)]
    assert _rows(locked, f"SELECT count(*) FROM {sides}(m) USING (m)") == [(1,)]


def test_a_grouped_map_can_be_taken_apart(locked: duckdb.DuckDBPyConnection) -> None:
    sql = f"SELECT element_at(m, 'a') AS a, cardinality(m), count(*) FROM {BOTH} GROUP BY m ORDER BY a"
    assert _rows(locked, sql) == [(1, 2, 2)]


@pytest.mark.parametrize(
    ("expression", "again"),
    [
        ("transform(x, y -> y + 1)", "transform(x, y -> y + 1)"),
        ("any_match(x, y -> y > 1)", "any_match(x, z -> z > 1)"),
        ("reduce(x, 0, (s, y) -> s + y, s -> s)", "reduce(x, 0, (s, y) -> s + y, s -> s)"),
        ("transform(x, y -> transform(x, z -> z + y))", "transform(x, y -> transform(x, z -> z + y))"),
        ("zip_with(x, x, (a, b) -> a * b)", "zip_with(x, x, (a, b) -> a * b)"),
        ("regexp_extract(CAST(x[1] AS varchar), '\\d+')", "regexp_extract(CAST(x[1] AS varchar), '\\d+')"),
    ],
)
def test_lambdas_may_be_grouped_by(expression: str, again: str, locked: duckdb.DuckDBPyConnection) -> None:
    sql = f"SELECT {expression}, count(*) FROM (VALUES array[1,2], array[1,2]) AS t(x) GROUP BY {again}"
    assert [row[1] for row in _rows(locked, sql)] == [2]


def test_lambda_parameters_of_one_name_keep_their_own_values(locked: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT transform(x, y -> transform(z, y -> y + reduce(x, 0, (s, z) -> s + z + y, s -> s))) FROM (VALUES (array[1,2], array[10])) AS t(x, z)"
    assert _rows(locked, sql) == [([[33], [33]],)]
