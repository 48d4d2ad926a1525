"""Statements as long as they may be: every shape of 10,000 characters is compiled, or refused with the limit that it meets.

What is measured is what is written, never time: bench/sql.py prints that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
from crosstrail.lake.reader import connect
from crosstrail.models import Account

SCOPE = QueryScope((Account(id="012345678901", alias="prod"),))
MOST = 10_000
"""Characters of a statement."""


def filled(before: str, part: Callable[[int], str], between: str, after: str = "", most: int = MOST) -> str:
    parts: list[str] = []
    length = len(before) + len(after)
    while length + len(one := part(len(parts))) + len(between) <= most:
        parts.append(one)
        length += len(one) + len(between)
    return before + between.join(parts) + after


def answer(sql: str) -> list[tuple[object, ...]]:
    with closing(connect([])) as connection:
        return connection.execute(prepare(sql, SCOPE).sql).fetchall()


@pytest.mark.parametrize(
    ("between", "rows"), [(" UNION ALL ", range(400)), (" UNION ", range(400)), (" EXCEPT ", [0]), (" INTERSECT ", [])]
)
def test_long_chains_of_set_operations_are_answered(between: str, rows: list[int]) -> None:
    several = [f"SELECT {number}" for number in range(400 if "UNION" in between else 60)]
    assert sorted(answer(between.join(several))) == [(number,) for number in rows]


def test_chains_of_set_operations_are_taken_from_left_to_right() -> None:
    assert answer("SELECT 1 UNION ALL SELECT 1 UNION SELECT 1") == [(1,)]
    assert answer("SELECT 1 UNION SELECT 1 UNION ALL SELECT 1") == [(1,), (1,)]
    assert answer("SELECT 5 EXCEPT SELECT 1 EXCEPT SELECT 5") == []
    assert answer("SELECT 1 EXCEPT SELECT 2 UNION ALL SELECT 1 ORDER BY 1") == [(1,), (1,)]
    assert answer("SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3") == [(1,)]


def test_a_value_passes_the_types_of_its_part_of_the_chain() -> None:
    """A whole number becomes a real first and a double then, as in Trino, and loses digits on the way."""
    [(first,), *_] = answer("SELECT 16777217 UNION ALL SELECT REAL '1.5' UNION ALL SELECT DOUBLE '0' ORDER BY 1 DESC")
    assert first == 16777216.0


@pytest.mark.parametrize(
    ("operator", "one", "all_of_it"), [("+", "1", 400), ("||", "'a'", "a" * 400), ("-", "1", -398)]
)
def test_long_rows_of_operators_are_answered_and_longer_ones_refused(
    operator: str, one: str, all_of_it: object
) -> None:
    assert answer(f"SELECT {f' {operator} '.join([one] * 400)}") == [(all_of_it,)]
    with pytest.raises(SqlRejected, match="at most 450 operators stand in a row here"):
        prepare(f"SELECT {f' {operator} '.join([one] * 500)}", SCOPE)


@pytest.mark.parametrize(
    "sql",
    [
        filled("SELECT 1 FROM events WHERE eventname IN (", lambda n: f"'N{n}'", ", ", ")"),
        filled("SELECT 1 FROM events WHERE ", lambda n: f"eventname <> 'N{n}'", " AND "),
        filled("SELECT 1 FROM events WHERE ", lambda n: f"eventname = 'N{n}'", " OR "),
        filled(
            "SELECT 1 FROM events WHERE ", lambda n: f"eventtime > TIMESTAMP '2026-01-01 00:00:{n % 60:02}'", " AND "
        ),
        filled("SELECT ", lambda n: f"lower(trim(eventname || '{n}')) AS a{n}", ", ", " FROM events"),
        filled("SELECT CASE ", lambda n: f"WHEN eventname = 'N{n}' THEN {n}", " ", " END FROM events"),
        filled("SELECT a1 + a2 FROM (SELECT ", lambda n: f"{n} AS a{n}", ", ", ")"),
        filled("SELECT count(*) FROM events GROUP BY ", lambda n: f"eventname || '{n}'", ", "),
        filled("SELECT * FROM (VALUES ", lambda n: f"({n}, 'a{n}')", ", ", ") AS t(a, b)"),
    ],
    ids=["IN", "AND", "OR", "times", "calls", "CASE", "columns", "GROUP BY", "VALUES"],
)
def test_a_statement_of_any_shape_may_be_as_long_as_statements_are(sql: str) -> None:
    assert len(sql) > MOST - 100
    assert len(prepare(sql, SCOPE).sql) < 20 * MOST


def test_a_table_has_the_columns_alone_that_the_statement_reads() -> None:
    def tables(sql: str) -> list[str]:
        return [part.partition(" FROM ")[0] for part in prepare(sql, SCOPE).sql.split("(SELECT ")[1:]]

    assert tables("SELECT eventname FROM events WHERE errorcode IS NULL") == ["eventname, errorcode"]
    assert tables("SELECT count(*) FROM events") == ["cloud"]
    assert tables("SELECT a.eventid FROM events a JOIN events b USING (eventname)") == [
        "eventname, eventid",
        "eventname",
    ]
    assert tables("SELECT 'r1.eventid', 1 FROM events") == ["eventid"]  # one too many, for a text that looks like it
    everything = tables("SELECT * FROM events")[0].split(", ")
    assert {"eventversion", "source_object", "verified"} <= {part.rpartition(" ")[2] for part in everything}
