"""TRY and TRY_CAST give NULL for the failures that Trino's give NULL for, wherever they happen inside, and for no others."""

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

NUMBERS = "FROM (VALUES 0, 1) t(x) ORDER BY x"
TEXTS = "FROM (VALUES 'a', '1') t(x) ORDER BY x DESC"


@pytest.fixture(scope="module")
def locked() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect([])) as connection:
        yield connection


def _column(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    return [row[0] for row in connection.execute(prepare(sql, QueryScope(())).sql).fetchall()]


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT try(1/(1/0))", [None]),
        ("SELECT try(if(1/(1/0) = 1, 2, 3))", [None]),
        (f"SELECT try(1/(1/x)) {NUMBERS}", [None, 1]),
        (f"SELECT try(1.0/(1.0/x)) IS NULL {NUMBERS}", [True, False]),
        (f"SELECT try(CASE WHEN CASE WHEN 1/x = 1 THEN true ELSE false END THEN 2 ELSE 3 END) {NUMBERS}", [None, 2]),
        (f"SELECT try(if(1/(1/x) = 1, 5, 6)) {NUMBERS}", [None, 5]),
        (f"SELECT try(coalesce(NULL, 1/(1/x))) {NUMBERS}", [None, 1]),
        (f"SELECT try(nullif(1/x, 2)) {NUMBERS}", [None, 1]),
        (f"SELECT try(greatest(1/x, 1/(1/x))) {NUMBERS}", [None, 1]),
        (f"SELECT try(substr('abc', 1/x)) {NUMBERS}", [None, "abc"]),
        (f"SELECT try(CAST(CAST(CAST(x AS integer) AS varchar) AS double)) {TEXTS}", [None, 1.0]),
        ("SELECT count(*) FROM (VALUES 0, 1) t(x) WHERE try(CASE WHEN 1/(1/x) = 1 THEN true END) IS NULL", [1]),
        ("SELECT count(*) FROM (VALUES 0, 1) t(x) GROUP BY try(1/(1/x))", [1, 1]),
        ("SELECT sum(try(1/(1/x))) FROM (VALUES 0, 1) t(x)", [1]),
        ("SELECT try(a[a[a[x]]]) FROM (VALUES (ARRAY[1, 2], 3), (ARRAY[1, 2], 2)) t(a, x) ORDER BY x DESC", [None, 2]),
        ("SELECT try(1/CAST(m['a'] AS integer)) FROM (VALUES map(ARRAY['b'], ARRAY['1'])) t(m)", [None]),
        ("SELECT transform(ARRAY[0, 1, 2], x -> try(1/(1/x)))", [[None, 1, None]]),
        ("SELECT transform(ARRAY[1], x -> try(1/(1/0)))", [[None]]),
        ("SELECT try(transform(ARRAY[0, 1], x -> 1/(1/x)))", [None]),
        ("SELECT try(1/(1/sum(x))) FROM (VALUES 0) t(x)", [None]),
        ("SELECT try(max(x)/min(x)) FROM (VALUES 0, 1) t(x)", [None]),
        (f"SELECT try(1/(1/sum(x) OVER (ORDER BY x))) {NUMBERS}", [None, 1]),
        ("SELECT try(1/(SELECT min(x) FROM (VALUES 0, 1) t(x)))", [None]),
    ],
)
def test_a_failure_anywhere_inside_try_is_null(sql: str, wanted: list[Any], locked: duckdb.DuckDBPyConnection) -> None:
    assert _column(locked, sql) == wanted


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("x = 0 OR 1/x > 0", [True, True]),
        ("1/x > 0 OR x = 0", [None, True]),
        ("x = 5 AND 1/x > 0", [False, False]),
        ("1/x > 0 AND x = 5", [None, False]),
        ("NULL AND 1/x > 0", [None, None]),
        ("x IN (0, 1, 1/x)", [True, True]),
        ("x BETWEEN 5 AND 1/x", [False, False]),
    ],
)
def test_conditions_in_try_are_taken_in_turn(
    expression: str, wanted: list[Any], locked: duckdb.DuckDBPyConnection
) -> None:
    assert _column(locked, f"SELECT try({expression}) {NUMBERS}") == wanted


def test_more_conditions_in_try_than_can_be_taken_in_turn_are_refused() -> None:
    for count in (100, 101):
        sql = f"SELECT try({' OR '.join(['true'] * count)})"
        if count == 100:
            prepare(sql, QueryScope(()))
        else:
            with pytest.raises(SqlRejected, match="100 conditions"):
                prepare(sql, QueryScope(()))


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT try_cast(max(x) AS integer) FROM (VALUES 'a', 'b') t(x)", [None]),
        ("SELECT try_cast((SELECT 'a') AS integer)", [None]),
        (f"SELECT try_cast(try(CAST(x AS bigint)) AS varchar) {TEXTS}", [None, "1"]),
        (f"SELECT try_cast(coalesce(x, '7') AS integer) {TEXTS}", [None, 1]),
    ],
)
def test_try_cast_gives_null_for_what_cannot_be_cast(
    sql: str, wanted: list[Any], locked: duckdb.DuckDBPyConnection
) -> None:
    assert _column(locked, sql) == wanted


@pytest.mark.parametrize("operand", ["1/x", "CAST(1/x AS varchar)", "ARRAY[1][x]", "max(1/x)"])
def test_try_cast_does_not_hide_a_failure_of_its_operand(operand: str, locked: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    with pytest.raises(duckdb.Error, match="crosstrail"):
        _column(locked, f"SELECT try_cast({operand} AS varchar) FROM (VALUES 0) t(x)")


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT if(x <> 0, 1/x, 7) + if(x <> 0, 1/x, 8) FROM (VALUES 0) t(x)", [15]),
        ("SELECT coalesce(x + 5, 1/x) + if(x <> 0, 1/x, 8) FROM (VALUES 0) t(x)", [13]),
        ("SELECT if(x <> 0, greatest(1/x, 1/(1/x)), 7) FROM (VALUES 0) t(x)", [7]),
    ],
)
def test_what_stands_twice_is_not_computed_where_no_branch_needs_it(
    sql: str, wanted: list[Any], locked: duckdb.DuckDBPyConnection
) -> None:
    assert _column(locked, sql) == wanted
