"""Maps are compared by what they hold, as Trino does, whatever the order of their keys; lambdas may be grouped by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
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
    assert cardinality(_rows(locked, f"SELECT array_agg(DISTINCT m) FROM {source}")) == 1


def test_a_window_is_divided_by_no_map_as_maps_have_no_order() -> None:
    with pytest.raises(SqlRejected, match="PARTITION BY takes no map"):
        prepare(f"SELECT count(*) OVER (PARTITION BY m) FROM {BOTH}", QueryScope(()))


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


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (f"contains(ARRAY[{BA}], {AB})", True),
        (f"contains(ARRAY[NULL, {BA}], map())", None),
        ("contains(ARRAY[row(1, 2)], row(1, 2))", True),
        ("contains(ARRAY[row(1, NULL)], row(2, 2))", False),
        ("contains(ARRAY[row(1, 2), row(1, NULL)], row(1, 2))", True),
        ("contains(ARRAY[ARRAY[1]], ARRAY[2])", False),
        ("contains(ARRAY[nan()], nan())", False),
        ("contains(ARRAY[1, NULL], 2)", None),
        ("contains(ARRAY[1, 2], NULL)", None),
        (f"array_position(ARRAY[map(), {BA}], {AB})", 2),
        ("array_position(ARRAY[nan(), 1E0], nan())", 0),
        ("array_remove(ARRAY[row(1, 2), NULL, row(3, 4)], row(3, 4)) = ARRAY[row(1, 2)]", False),
        ("cardinality(array_remove(ARRAY[row(1, 2), NULL, row(3, 4)], row(3, 4)))", 2),
        ("cardinality(array_remove(ARRAY[nan(), 1E0], nan()))", 2),
        (f"cardinality(array_union(ARRAY[{BA}, NULL], ARRAY[{AB}, NULL]))", 2),
        (f"cardinality(array_intersect(ARRAY[{BA}], ARRAY[{AB}, {AB}]))", 1),
        (f"cardinality(array_except(ARRAY[{BA}, NULL], ARRAY[{AB}]))", 1),
        ("cardinality(array_except(ARRAY[row(1, NULL)], ARRAY[row(1, NULL)]))", 0),
        (f"arrays_overlap(ARRAY[{BA}], ARRAY[{AB}])", True),
        ("arrays_overlap(ARRAY[row(1, 2), NULL], ARRAY[row(3, 4)])", None),
        ("row(1, NULL) IN (row(1, 2), row(3, 4))", None),
        ("row(1, NULL) IN (row(2, 2), row(3, 4))", False),
        ("ARRAY[1, NULL] IN (ARRAY[1, 2])", None),
    ],
)
def test_arrays_are_searched_and_joined_by_what_their_elements_hold(
    expression: str, wanted: Any, locked: duckdb.DuckDBPyConnection
) -> None:
    assert _rows(locked, f"SELECT {expression}") == [(wanted,)]


@pytest.mark.parametrize("name", ["contains", "array_position", "array_remove"])
def test_an_element_whose_null_leaves_it_open_is_a_failure(name: str, locked: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    with pytest.raises(duckdb.Error, match="elements that contain NULL"):
        _rows(locked, f"SELECT {name}(ARRAY[row(1, NULL)], row(1, 2))")


def test_arrays_of_aggregates_and_sub_queries_are_searched(locked: duckdb.DuckDBPyConnection) -> None:
    source = "FROM (VALUES 1, 2) t(x)"
    assert _rows(locked, f"SELECT contains(array_agg(x), max(x)), array_position(array_agg(x), 2) {source}") == [
        (True, 2)
    ]
    assert _rows(locked, f"SELECT array_intersect(array_agg(x), array_agg(x + 1)) {source}") == [([2],)]
    assert _rows(locked, "SELECT contains(ARRAY[1, 2], (SELECT 2))") == [(True,)]


def test_in_with_a_sub_query_of_containers_says_what_to_write_instead() -> None:
    with pytest.raises(SqlRejected, match="plain values") as refused:
        prepare("SELECT row(1, 2) IN (SELECT row(1, 2))", QueryScope(()))
    assert "EXISTS" in refused.value.hint
