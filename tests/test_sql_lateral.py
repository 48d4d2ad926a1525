"""LATERAL: sub-queries in FROM that read what stands before them. sql_probes.jsonl has those that Trino answers; these are the
correlated ones that its planner refuses, and DuckDB's does not."""

from __future__ import annotations

from contextlib import closing

import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
from crosstrail.lake.reader import connect

USERS = "(VALUES ('ann', ARRAY[3, 9]), ('bob', ARRAY[1])) AS t(who, calls)"


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        (
            "SELECT who, n FROM {} CROSS JOIN LATERAL (SELECT n FROM UNNEST(calls) AS u(n) ORDER BY n DESC LIMIT 1) AS top",
            [("ann", 9), ("bob", 1)],
        ),
        (
            "SELECT who, n FROM {} LEFT JOIN LATERAL (SELECT n FROM UNNEST(calls) AS u(n) WHERE n > 1) AS large ON TRUE",
            [("ann", 3), ("ann", 9), ("bob", None)],
        ),
        (
            "SELECT who, n FROM {} JOIN LATERAL (SELECT n FROM UNNEST(calls) AS u(n) WHERE n > 1) AS large ON n < 5",
            [("ann", 3)],
        ),
    ],
)
def test_a_sub_query_reads_the_rows_before_it(sql: str, wanted: list[tuple[object, ...]]) -> None:
    with closing(connect([])) as connection:
        assert sorted(connection.sql(prepare(sql.format(USERS), QueryScope(())).sql).fetchall(), key=str) == wanted


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM {} RIGHT JOIN LATERAL (SELECT who AS w) AS s ON TRUE",
        "SELECT * FROM {} LEFT JOIN LATERAL (SELECT who AS w) AS s ON s.w = 'ann'",
        "SELECT * FROM {} LEFT JOIN LATERAL (SELECT who AS w) AS s USING (who)",
        "SELECT * FROM {} LATERAL VIEW explode(calls) s AS n",
        "SELECT * FROM {} CROSS JOIN LATERAL read_csv('/etc/passwd') AS s",
        "SELECT * FROM {} CROSS JOIN LATERAL (SELECT * FROM duckdb_settings()) AS s",
        "SELECT * FROM {} CROSS JOIN (SELECT who AS w) AS s",
    ],
)
def test_what_is_no_such_sub_query_is_refused(sql: str) -> None:
    with pytest.raises(SqlRejected):
        prepare(sql.format(USERS), QueryScope(()))
