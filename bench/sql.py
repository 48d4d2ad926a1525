"""What SQL costs before it runs: typical statements, and long ones of every shape.

    python bench/sql.py [--runs 20]

Prints, in milliseconds of processor time in a warm process, what parsing, resolving names and writing DuckDB's SQL, and DuckDB's
own planning take of ten typical statements (all together at most 3), and what the first two take of statements of 1,250 to
10,000 characters: twice the characters should take twice the time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import closing

import duckdb

from crosstrail.engines.sql.parse import parse
from crosstrail.engines.sql.prepare import NamedAccount, NamedAccounts, prepare
from crosstrail.lake.reader import connect

SCOPE = NamedAccounts((NamedAccount("aws", "012345678901", "prod"), NamedAccount("aws", "123456789012", "dev")))
AIM = 3.0
"""Milliseconds of a typical statement, planning included."""
TYPICAL = {
    "calls by name and error": "SELECT eventName, errorCode, count(*) AS calls FROM events GROUP BY 1, 2 ORDER BY calls DESC",
    "principals of a day": "SELECT userIdentity.arn, count(*) AS calls FROM events WHERE eventTime >= '2026-10-15 00:00:00' "
    "AND eventTime < '2026-10-16 00:00:00' GROUP BY userIdentity.arn ORDER BY calls DESC LIMIT 20",
    "users created": "SELECT eventTime, userIdentity.arn, element_at(requestParameters, 'userName') AS created FROM prod "
    "WHERE eventName = 'CreateUser' AND errorCode IS NULL",
    "denied by hour": "SELECT date_trunc('hour', eventTime) AS hour, count(*) FROM events WHERE eventTime > now() - INTERVAL '7' DAY "
    "AND errorCode IN ('AccessDenied', 'UnauthorizedOperation') GROUP BY 1 ORDER BY 1",
    "resources": "SELECT r.arn, count(*) FROM events CROSS JOIN UNNEST(resources) AS r(accountid, type, arn, arnprefix) GROUP BY r.arn",
    "failed sign-ins": "WITH failed AS (SELECT sourceIPAddress AS ip, count(*) AS n FROM events WHERE eventName = 'ConsoleLogin' "
    "AND element_at(responseElements, 'ConsoleLogin') = 'Failure' GROUP BY sourceIPAddress) SELECT ip, n FROM failed WHERE n > 5",
    "one access key": "SELECT eventTime, eventName, awsRegion FROM events WHERE userIdentity.accessKeyId = 'AKIAIOSFODNN7EXAMPLE' "
    "ORDER BY eventTime DESC LIMIT 100",
    "addresses of a principal": "SELECT userIdentity.arn, count(DISTINCT sourceIPAddress) AS ips FROM events GROUP BY userIdentity.arn "
    "HAVING count(DISTINCT sourceIPAddress) > 3",
    "text of JSON": "SELECT json_extract_scalar(eventJson, '$.userAgent') AS agent, count(*) FROM events GROUP BY 1",
    "previous call": "SELECT eventTime, eventName, lag(eventName) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime) FROM events",
}


def _filled(before: str, part: Callable[[int], str], between: str, after: str) -> Callable[[int], str]:
    """A statement of at most so many characters: as many parts as there is room for."""

    def statement(length: int) -> str:
        parts: list[str] = []
        left = length - len(before) - len(after)
        while len(one := part(len(parts)) + between) <= left:
            parts.append(one)
            left -= len(one)
        return before + "".join(parts).removesuffix(between) + after

    return statement


SHAPES = {
    "IN": _filled("SELECT 1 FROM events WHERE eventName IN (", lambda n: f"'Name{n}'", ", ", ")"),
    "AND": _filled("SELECT 1 FROM events WHERE ", lambda n: f"eventName <> 'Name{n}'", " AND ", ""),
    "OR": _filled("SELECT 1 FROM events WHERE ", lambda n: f"eventName LIKE '%Name{n}%'", " OR ", ""),
    "times": _filled("SELECT 1 FROM events WHERE ", lambda n: "eventTime > now() - INTERVAL '1' DAY", " AND ", ""),
    "nested calls": _filled("SELECT ", lambda n: f"lower(trim(replace(eventName, 'a{n}')))", ", ", " FROM events"),
    "columns": _filled("SELECT ", lambda n: f"userIdentity.arn AS a{n}", ", ", " FROM events"),
    "columns of a sub-query": _filled("SELECT * FROM (SELECT ", lambda n: f"{n} AS a{n}", ", ", ") ORDER BY a0, a1, a2"),
    "CASE": _filled("SELECT CASE ", lambda n: f"WHEN eventName = 'Name{n}' THEN {n}", " ", " END FROM events"),
    "UNION": _filled("", lambda n: f"SELECT {n}", " UNION ALL ", ""),
    "WITH": _filled("WITH a AS (SELECT 1)", lambda n: f", a{n} AS (SELECT {n} AS x, 'a text of the query' AS y)", "", " SELECT 1"),
    "VALUES": _filled("SELECT * FROM (VALUES ", lambda n: f"({n}, 'a{n}')", ", ", ") AS t(a, b)"),
    "GROUP BY": _filled("SELECT count(*) FROM events GROUP BY ", lambda n: f"eventName || '{n}'", ", ", ""),
    "aggregates": _filled("SELECT ", lambda n: f"count_if(eventName = 'Name{n}')", ", ", " FROM events"),
    "windows": _filled("SELECT ", lambda n: f"lag(eventName, {n}) OVER (ORDER BY eventTime)", ", ", " FROM events"),
    "JSON paths": _filled("SELECT ", lambda n: f"json_extract_scalar(eventJson, '$.requestParameters.field{n}')", ", ", " FROM events"),
    "sub-queries": _filled("SELECT ", lambda n: f"(SELECT {n})", ", ", ""),
}  # fmt: skip
LENGTHS = (1_250, 2_500, 5_000, 10_000)


def milliseconds(work: Callable[[], object], runs: int) -> float:
    """The median of processor time, of which a busy machine takes no more."""
    times = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        times.append((time.process_time() - begun) * 1000)
    return statistics.median(times)


def typical(connection: duckdb.DuckDBPyConnection, runs: int) -> None:
    print(f"{'typical, ms':26}{'parse':>8}{'write':>8}{'plan':>8}{'all':>8}")
    totals = []
    for name, sql in TYPICAL.items():
        written = prepare(sql, SCOPE).sql
        parsed = milliseconds(lambda sql=sql: parse(sql), runs)  # type: ignore[misc]
        compiled = milliseconds(lambda sql=sql: prepare(sql, SCOPE), runs)  # type: ignore[misc]
        planned = milliseconds(lambda sql=written: connection.execute(f"PREPARE one AS {sql}"), runs)  # type: ignore[misc]
        totals.append(compiled + planned)
        print(f"{name:26}{parsed:8.2f}{compiled - parsed:8.2f}{planned:8.2f}{totals[-1]:8.2f}")
    print(f"median {statistics.median(totals):.2f} ms, largest {max(totals):.2f} ms (aim: {AIM})\n")


def lengths(runs: int) -> None:
    print(f"{'compiled, ms':26}" + "".join(f"{length:>9}" for length in LENGTHS) + "    10,000 / 1,250")
    for name, shape in SHAPES.items():
        found = []
        for length in LENGTHS:
            sql = shape(length)
            found.append(milliseconds(lambda sql=sql: prepare(sql, SCOPE), max(3, runs // 5)))  # type: ignore[misc]
        print(f"{name:26}" + "".join(f"{one:9.1f}" for one in found) + f"{found[-1] / found[0]:18.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    with closing(connect([], threads=1)) as connection:
        typical(connection, arguments.runs)
    lengths(arguments.runs)


if __name__ == "__main__":
    main()
