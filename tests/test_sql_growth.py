"""What a statement becomes grows with the statement: nested deep or repeated wide, every construct of the grammar.

The measure is the length of the compiled SQL, never time. What cannot be written in linear size is refused before its text
is made.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
from crosstrail.models import Account, ResultPage
from running_server import PATIENCE

SCOPE = QueryScope((Account(id="012345678901", alias="prod"),))
_SHALLOW, _DEEP = 6, 12
_STEP = 8_000
"""Characters that one level may add to any construct here; what doubles adds more with each level."""


def _size(sql: str) -> int:
    return len(prepare(sql, SCOPE).sql)


def _around(before: str, core: str, after: str) -> Callable[[int], str]:
    return lambda depth: f"SELECT {before * depth}{core}{after * depth}"


def _numbered(before: str, core: str, after: str) -> Callable[[int], str]:
    """Lambdas in lambdas, each with parameters of its own."""
    return lambda depth: f"SELECT {''.join(before.replace('#', str(n)) for n in range(depth))}{core}{after * depth}"


def _queries(template: str, core: str) -> Callable[[int], str]:
    def nested(depth: int) -> str:
        sql = core
        for _ in range(depth):
            sql = template.replace("QUERY", sql)
        return sql

    return nested


_MOMENT = "timestamp '2020-01-01 00:00:00'"
NESTED: dict[str, Callable[[int], str]] = {
    "parentheses": _around("(", "1", ")"),
    "NOT": _around("NOT ", "true", ""),
    "minus": _around("- ", "1", ""),
    "CASE branch": _around("CASE WHEN true THEN ", "1", " ELSE 2 END"),
    "CASE condition": _around("CASE WHEN ", "true", " THEN true END"),
    "CASE subject": _around("CASE ", "1", " WHEN 1 THEN 1 ELSE 2 END"),
    "COALESCE": _around("coalesce(NULL, ", "1", ")"),
    "IF": _around("if(true, ", "1", ", 2)"),
    "NULLIF": _around("nullif(", "1", ", 2)"),
    "TRY": _around("try(", "1", ")"),
    "BETWEEN": _around("(", "true", " BETWEEN false AND true)"),
    "IN": _around("(", "true", " IN (true, false))"),
    "IS DISTINCT FROM": _around("(", "true", " IS DISTINCT FROM false)"),
    "casts of numbers": lambda depth: _around("CAST(CAST(", "1", " AS varchar) AS bigint)")(depth // 2),
    "casts of doubles": lambda depth: _around("CAST(CAST(", "1E0", " AS varchar) AS double)")(depth // 2),
    "casts of times": lambda depth: _around("CAST(CAST(", _MOMENT, " AS varchar) AS timestamp)")(depth // 2),
    "casts of addresses": lambda depth: _around("CAST(CAST(", "ipaddress '::1'", " AS varchar) AS ipaddress)")(depth // 2),
    "integer division": _around("(1 / ", "1", ")"),
    "decimal division": _around("(1.0 / ", "1.0", ")"),
    "concatenation": _around("(", "ARRAY[1]", " || ARRAY[2])"),
    "substr": _around("substr(", "'abc'", ", -1)"),
    "lpad": _around("lpad(", "'abc'", ", 5, 'x')"),
    "replace": _around("replace(", "'abc'", ", 'a', 'b')"),
    "regexp_replace": _around("regexp_replace(", "'abc'", ", 'a', 'b')"),
    "greatest": _around("greatest(1, ", "1", ")"),
    "slice": _around("slice(", "ARRAY[1]", ", 1, 1)"),
    "array_distinct": _around("array_distinct(", "ARRAY[1]", ")"),
    "array_union": _around("array_union(ARRAY[1], ", "ARRAY[1]", ")"),
    "date_format": lambda depth: _around("date_parse(date_format(", _MOMENT, ", '%Y'), '%Y')")(depth // 2),
    "json": lambda depth: _around("json_extract_scalar(json_extract(", "'{}'", ", '$.a'), '$.b')")(depth // 2),
    "transform": _around("transform(", "ARRAY[1]", ", x -> x + 1)"),
    "transform body": _numbered("transform(ARRAY[1], x# -> ", "1", ")"),
    "rows compared": lambda depth: f"SELECT {'(' * depth}1{', 2)' * depth} = {'(' * depth}1{', 2)' * depth}",
    "arrays of two": _queries("SELECT ARRAY[a, a] a FROM (QUERY)", "SELECT 1 a"),
    "ORDER BY an alias": _queries("SELECT (QUERY) AS a ORDER BY a", "SELECT 1"),
    "ORDER BY a place": _queries("SELECT (QUERY) AS a ORDER BY 1, a DESC, 1", "SELECT 1"),
    "GROUP BY a place": _queries("SELECT (QUERY) AS a GROUP BY 1", "SELECT 1"),
    "GROUP BY and ORDER BY": _queries("SELECT (QUERY) AS a GROUP BY 1 ORDER BY a", "SELECT 1"),
    "GROUPING SETS": _queries("SELECT a FROM (QUERY) t(a) GROUP BY GROUPING SETS ((a), (a), ())", "SELECT 1"),
    "DISTINCT": _queries("SELECT DISTINCT (QUERY) AS a ORDER BY a", "SELECT 1"),
    "HAVING": _queries("SELECT max(x) FROM (VALUES 1) t(x) HAVING max(x) = (QUERY)", "SELECT 1"),
    "aggregates in ORDER BY": _queries("SELECT x FROM (VALUES 1) t(x) GROUP BY x ORDER BY max((QUERY))", "SELECT 1"),
    "approx_percentile": _queries("SELECT approx_percentile((QUERY), 0.5)", "SELECT 1"),
    "max_by": _queries("SELECT max_by(1, (QUERY))", "SELECT 1"),
    "map_agg": _queries("SELECT cardinality(map_agg((QUERY), 1))", "SELECT BIGINT '1'"),
    "contains": _around("contains(ARRAY[true], ", "true", ")"),
    "array_remove": _around("array_remove(", "ARRAY[1]", ", 2)"),
    "multimap_agg": _queries("SELECT cardinality(multimap_agg(x, (QUERY))) FROM (VALUES 1) t(x)", "SELECT BIGINT '1'"),
    "windows": _queries("SELECT sum(a) OVER (PARTITION BY a ORDER BY a) a FROM (QUERY)", "SELECT 1 a"),
    "sub-queries": _queries("SELECT * FROM (QUERY) t", "SELECT 1 x"),
    "EXISTS": _queries("SELECT EXISTS (QUERY)", "SELECT 1"),
    "set operations": _queries("(QUERY) UNION ALL SELECT 1.0", "SELECT 1"),
    "WHERE": _queries("SELECT 1 FROM events WHERE eventtime > timestamp '2020-01-01 00:00:00' AND 1 = (QUERY)", "SELECT 1"),
    "WITH": lambda depth: (
        "WITH a0 AS (SELECT 'x' x)"
        + "".join(f", a{n + 1} AS (SELECT x || x AS x FROM a{n})" for n in range(depth))
        + f" SELECT x FROM a{depth}"
    ),
}  # fmt: skip
REFUSED: dict[str, Callable[[int], str]] = {
    "rows of two": _queries("SELECT ROW(a, a) a FROM (QUERY)", "SELECT 1 a"),
    "an alias inside of ORDER BY": _queries("SELECT (QUERY) AS a ORDER BY a + 1", "SELECT 1"),
    "reduce whose type widens": _numbered("reduce(ARRAY[BIGINT '1'], 0, (s#, x#) -> s# + x# + ", "1", ", s -> s)"),
}


LAMBDAS: dict[str, tuple[int, Callable[[int], str]]] = {
    "transform": (12, NESTED["transform body"]),
    "filter": (12, _numbered("filter(ARRAY[1], x# -> cardinality(", "ARRAY[1]", ") > 0)")),
    "any_match": (10, _numbered("any_match(ARRAY[1], x# -> ", "true", ")")),
    "none_match": (10, _numbered("none_match(ARRAY[1], x# -> ", "false", ")")),
    "zip_with": (4, _numbered("zip_with(ARRAY[1], ARRAY[2], (x#, y#) -> ", "1", ")")),
    "reduce": (4, _numbered("reduce(ARRAY[1], 0, (s#, x#) -> ", "1", ", s -> s)")),
    "reduce's result": (8, _numbered("reduce(ARRAY[1], 0, (s#, x#) -> s#, r# -> ", "1", ")")),
    "transform_values": (10, _numbered("transform_values(map(ARRAY[1], ARRAY[1]), (k#, v#) -> ", "1", ")")),
    "map_filter": (10, _numbered("map_filter(map(ARRAY[1], ARRAY[1]), (k#, v#) -> cardinality(", "map()", ") = 0)")),
    "arrays compared": (8, lambda depth: f"SELECT a = a FROM ({_queries('SELECT array_agg(a) a FROM (QUERY)', 'SELECT 1 a')(depth)})"),
}  # fmt: skip
"""How deep each lambda may nest, and the statement."""


@pytest.mark.parametrize("name", LAMBDAS)
def test_lambdas_nested_deeper_than_the_planner_takes_are_refused(name: str, tmp_path: Path) -> None:
    depth, statement = LAMBDAS[name]
    assert anyio.run(lambda: _answered(tmp_path, statement(depth))).rows
    with pytest.raises(SqlRejected, match="lambdas are nested too deeply"):
        prepare(statement(17), SCOPE)


@pytest.mark.parametrize("name", LAMBDAS)
def test_nested_lambdas_grow_the_compiled_statement_by_the_same_at_every_level(name: str) -> None:
    first, second, third = (_size(LAMBDAS[name][1](depth)) for depth in (2, 3, 4))
    assert third - second <= 2 * (second - first)


def test_a_statement_of_too_many_sub_queries_is_refused() -> None:
    """One that doubles with each level, while its text is still short enough."""
    with pytest.raises(SqlRejected, match="sub-queries"):
        _size(REFUSED["an alias inside of ORDER BY"](10))


@pytest.mark.parametrize("count", [20, 21])
def test_tables_joined_in_one_from_are_bounded(count: int) -> None:
    sql = f"SELECT 1 FROM {', '.join(f'events e{n}' for n in range(count))}"
    if count == 20:
        assert _size(sql)
    else:
        with pytest.raises(SqlRejected, match="joins at most 20 tables"):
            _size(sql)


def test_many_rows_of_values_are_one_list(tmp_path: Path) -> None:
    sql = f"SELECT count(*), sum(x) FROM (VALUES {', '.join(['1'] * 1600)}) t(x)"
    assert anyio.run(lambda: _answered(tmp_path, sql)).rows == (("1600", "1600"),)


@pytest.mark.parametrize("name", NESTED)
def test_nesting_grows_the_compiled_statement_by_the_same_at_every_level(name: str) -> None:
    shallow, deep, deeper = (_size(NESTED[name](depth)) for depth in (_SHALLOW // 2, _SHALLOW, _DEEP))
    assert deep - shallow <= _STEP * (_SHALLOW // 2)
    assert deeper - deep <= max(3 * (deep - shallow), _STEP // 4)


@pytest.mark.parametrize("name", REFUSED)
def test_what_doubles_at_every_level_is_refused_unwritten(name: str) -> None:
    _size(REFUSED[name](3))
    with pytest.raises(SqlRejected, match="too complex"):
        _size(REFUSED[name](16))


WIDE: dict[str, Callable[[int], str]] = {
    "IN of numbers": lambda width: f"SELECT 1 IN ({', '.join(['1'] * width)})",
    "IN of rows": lambda width: f"SELECT (1 / 2, 'a') IN ({', '.join(['(1, NULL)'] * width)})",
    "IN of doubles": lambda width: f"SELECT 1E0 / (1E0 / {'9' * 200}E0) IN ({', '.join(['1E0'] * width)})",
    "CASE": lambda width: f"SELECT CASE substr('{'x' * 500}', -1) {'WHEN chr(1) THEN 1 ' * width}END",
    "AND": lambda width: f"SELECT {' AND '.join(['true'] * width)}",
    "OR": lambda width: f"SELECT {' OR '.join(['eventname = chr(1)'] * width)} FROM events",
    "columns": lambda width: f"SELECT {', '.join(['eventname'] * width)} FROM events",
    "GROUP BY": lambda width: f"SELECT {', '.join(['eventname'] * width)} FROM events GROUP BY {', '.join(str(n + 1) for n in range(width))}",
    "ORDER BY": lambda width: f"SELECT 1 + length('{'x' * 500}') a ORDER BY {', '.join(['a'] * width)}",
    "VALUES": lambda width: f"SELECT * FROM (VALUES {', '.join(['1'] * width)})",
    "concat": lambda width: f"SELECT concat({', '.join(['chr(1)'] * width)})",
    "greatest": lambda width: f"SELECT greatest({', '.join(['1'] * width)})",
    "UNION": lambda width: " UNION ALL ".join(["SELECT 1"] * (width // 2)),
    "WITH": lambda width: f"WITH {', '.join(f'w{n} AS (SELECT 1 x)' for n in range(width))} SELECT x FROM w0",
    "joins": lambda width: f"SELECT 1 FROM events e {' '.join(f'CROSS JOIN events e{n}' for n in range(width // 10))}",
    "UNNEST": lambda width: f"SELECT 1 FROM events CROSS JOIN UNNEST({', '.join(['ARRAY[1]'] * width)}) AS u({', '.join(f'c{n}' for n in range(width))})",
    "casts": lambda width: f"SELECT {', '.join(['CAST(eventtime AS varchar)'] * width)} FROM events",
}  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
def test_repeating_grows_the_compiled_statement_in_step(name: str) -> None:
    narrow, wide, wider = (_size(WIDE[name](width)) for width in (40, 80, 160))
    assert wider - wide <= 2.5 * (wide - narrow) + _STEP // 10


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT (SELECT 2) AS a ORDER BY a", "2"),
        ("SELECT x % 2 AS a, count(*) FROM (VALUES 1, 2, 3) t(x) GROUP BY 1 ORDER BY a DESC", "1 2|0 1"),
        ("SELECT -x AS x FROM (VALUES 1, 3, 2) t(x) ORDER BY x", "-3|-2|-1"),
        ("SELECT -x AS x FROM (VALUES 1, 3, 2) t(x) ORDER BY t.x", "-1|-2|-3"),
        ("SELECT -x AS x FROM (VALUES 1, 3, 2) t(x) ORDER BY x + 0", "-3|-2|-1"),
        ("SELECT transform(x, e -> e + 1), count(*) FROM (VALUES ARRAY[1], ARRAY[1]) t(x) GROUP BY 1", "[2] 2"),
        ("SELECT y, grouping(y) FROM (SELECT x % 2 AS y FROM (VALUES 1, 2) t(x)) GROUP BY ROLLUP (y) ORDER BY 2, 1", "0 0|1 0| 1"),
        ("SELECT DISTINCT x % 2 AS a FROM (VALUES 1, 2, 3) t(x) ORDER BY a", "0|1"),
        (f"SELECT {'array_distinct(' * 12}ARRAY[1, 1]{')' * 12}", "[1]"),
        (f"SELECT {'(' * 10}true{' BETWEEN false AND true)' * 10}", "true"),
        (f"SELECT count(*) FROM (VALUES 0) t(x) WHERE {'(1 / ' * 9}1{')' * 9} = 1", "1"),
        (f"SELECT if(x = 0, 7, {'(1 / ' * 9}x{')' * 9}) FROM (VALUES 0) t(x)", "7"),
        (f"SELECT {'substr(' * 9}max(x){', -2)' * 9} || (SELECT 'z') FROM (VALUES 'abc') t(x)", "bcz"),
        (f"SELECT {'substr(' * 9}max(x) OVER (){', -2)' * 9} FROM (VALUES 'abc') t(x)", "bc"),
        (f"SELECT transform(ARRAY['abc'], e -> {'substr(' * 9}e{', -2)' * 9})", '["bc"]'),
        (f"SELECT any_match(CAST(ARRAY[] AS array(integer)), e -> {'(1 / ' * 9}0{')' * 9} = 1)", "false"),
        (f"SELECT {'substr(' * 9}x{', -2)' * 9}, count(*) FROM (VALUES 'abc') t(x) GROUP BY {'substr(' * 9}x{', -2)' * 9}", "bc 1"),
        (f"SELECT approx_percentile(x + {'(1 / ' * 9}1{')' * 9}, 0.5) FROM (VALUES 1, 2, 3) t(x)", "3"),
    ],
)  # fmt: skip
def test_shared_parts_change_no_answer(sql: str, expected: str, tmp_path: Path) -> None:
    page = anyio.run(lambda: _answered(tmp_path, sql))
    assert "|".join(" ".join(value or "" for value in row) for row in page.rows) == expected


async def _answered(folder: Path, sql: str) -> ResultPage:
    engine = LakeEngine(folder)
    try:
        return await run(engine, sql, SCOPE, limit=10, wait_seconds=PATIENCE)
    finally:
        await engine.aclose()
