"""What an engine elsewhere is sent: the caller's own text, with each table as a sub-query over the accounts of the call."""

from __future__ import annotations

import anyio
import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.compiling import EngineStatement, StatementCompiler
from crosstrail.engines.messages import EventsTable
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
from crosstrail.lake.schema import COLUMNS
from crosstrail.models import Account

PROD = Account(id="012345678901", alias="prod")
DEV = Account(id="222222222222", alias="dev-eu.1")
CN = Account(id="2100000001", alias="cn-prod", cloud="volcengine")
SCOPE = QueryScope((PROD, DEV, CN), {"0233062b-51c6-4d18-8dec-4b2b5f2c6d2e": "prod"})
TABLE: EventsTable = {"relation": '"ice"."lake"."events"', "day": "", "day_format": "date", "late_days": 0}
BY_DAY: EventsTable = {**TABLE, "day": "event_day"}
BY_TEXT: EventsTable = {**TABLE, "day": '"day"', "day_format": "yyyy/MM/dd", "late_days": 1}
ALL = "(cloud = 'aws' AND account IN ('012345678901', '222222222222')) OR (cloud = 'volcengine' AND account IN ('2100000001'))"
ONE = "(cloud = 'aws' AND account IN ('012345678901'))"


def _compiled(sql: str, table: EventsTable = TABLE, scope: QueryScope = SCOPE) -> EngineStatement:
    async def compiled() -> EngineStatement:
        return await StatementCompiler().text(sql, scope, table)

    return anyio.run(compiled)


def _scoped(where: str, days: str = "") -> str:
    columns = ", ".join(column.name for column in COLUMNS)
    return f'(SELECT {columns} FROM "ice"."lake"."events" WHERE ({where}){days})'


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1;", "SELECT 1"),
        ("SELECT 1; ; -- the end", "SELECT 1"),
        ("SELECT eventName FROM events", f'SELECT eventName FROM {_scoped(ALL)} AS "events"'),
        ("SELECT eventName FROM Prod", f'SELECT eventName FROM {_scoped(ONE)} AS "prod"'),
        ("SELECT e.eventName FROM Prod AS e", f"SELECT e.eventName FROM {_scoped(ONE)} AS e"),
        ("SELECT e.a FROM prod e(a)", None),
        ("SELECT count(*) FROM 012345678901", f'SELECT count(*) FROM {_scoped(ONE)} AS "012345678901"'),
        (
            "SELECT 'FROM prod', \"eventname\" -- FROM prod\nFROM /* FROM prod */ prod",
            f'SELECT \'FROM prod\', "eventname" FROM {_scoped(ONE)} AS "prod"',
        ),
        (
            "WITH prod AS (SELECT eventid FROM prod) SELECT count(*) FROM prod",
            f'WITH prod AS (SELECT eventid FROM {_scoped(ONE)} AS "prod") SELECT count(*) FROM prod',
        ),
        (
            "SELECT a.eventid FROM prod a JOIN prod b ON a.eventid = b.eventid, UNNEST(a.resources) AS r(w, x, y, z)",
            f"SELECT a.eventid FROM {_scoped(ONE)} a JOIN {_scoped(ONE)} b ON a.eventid = b.eventid, "
            "UNNEST(a.resources) AS r(w, x, y, z)",
        ),
        (
            "SELECT 1 FROM prod WHERE EXISTS (SELECT 1 FROM (SELECT eventid FROM prod) x WHERE x.eventid = prod.eventid)",
            f'SELECT 1 FROM {_scoped(ONE)} AS "prod" WHERE EXISTS (SELECT 1 FROM (SELECT eventid FROM {_scoped(ONE)} AS "prod") '
            "x WHERE x.eventid = prod.eventid)",
        ),
        (
            "SELECT eventid FROM prod UNION ALL (SELECT eventid FROM prod)",
            f'SELECT eventid FROM {_scoped(ONE)} AS "prod" UNION ALL (SELECT eventid FROM {_scoped(ONE)} AS "prod")',
        ),
        ("SELECT 0xFF, 1_000", "SELECT 255 , 1000"),
    ],
)
def test_only_tables_are_replaced(sql: str, sent: str | None) -> None:
    if sent is None:
        with pytest.raises(SqlRejected):
            _compiled(sql)
    else:
        assert _compiled(sql).sql == sent


@pytest.mark.parametrize(
    ("condition", "sent"),
    [
        ("eventtime > '2026-01-02'", "eventtime > TIMESTAMP '2026-01-02 00:00:00'"),
        ("'2026-01-02T03:04:05Z' <= eventtime", "TIMESTAMP '2026-01-02 03:04:05' <= eventtime"),
        ("eventtime < '2026-01-02T03:04:05.678+02:00'", "eventtime < TIMESTAMP '2026-01-02 01:04:05.678000'"),
        (
            "eventtime BETWEEN '2026-01-02' AND '2026-01-03'",
            "eventtime BETWEEN TIMESTAMP '2026-01-02 00:00:00' AND TIMESTAMP '2026-01-03 00:00:00'",
        ),
        ("eventtime IN ('2026-01-02')", "eventtime IN (TIMESTAMP '2026-01-02 00:00:00')"),
        ("date(eventtime) = '2026-01-02'", "date(eventtime) = DATE '2026-01-02'"),
        (
            "eventtime AT TIME ZONE 'Asia/Tokyo' > '2026-01-02'",
            "eventtime AT TIME ZONE 'Asia/Tokyo' > TIMESTAMP '2026-01-02 00:00:00 UTC'",
        ),
        ("readonly = 'true'", "readonly = true"),
        ("errorcode = true", "errorcode = 'true'"),
        ("eventname = 'true' AND eventname <> '2026-01-02'", "eventname = 'true' AND eventname <> '2026-01-02'"),
    ],
)
def test_what_the_lakes_dialect_takes_for_a_time_or_a_boolean(condition: str, sent: str) -> None:
    found = _compiled(f"SELECT 1 FROM prod WHERE {condition}").sql
    assert found == f'SELECT 1 FROM {_scoped(ONE)} AS "prod" WHERE {sent}'


@pytest.mark.parametrize(
    ("table", "days"),
    [
        (BY_DAY, " AND event_day >= DATE '2026-01-02' AND event_day <= DATE '2026-01-04'"),
        (BY_TEXT, " AND \"day\" >= '2026/01/02' AND \"day\" <= '2026/01/05'"),
        (TABLE, ""),
    ],
)
def test_the_event_times_that_a_table_needs_are_days_of_partitions(table: EventsTable, days: str) -> None:
    where = "WHERE eventtime >= '2026-01-02 10:00:00' AND eventtime < '2026-01-04'"
    found = _compiled(f"SELECT 1 FROM prod {where} UNION ALL SELECT 2 FROM prod", table).sql
    assert f'{_scoped(ONE, days)} AS "prod" WHERE eventtime >=' in found
    assert found.endswith(f'SELECT 2 FROM {_scoped(ONE)} AS "prod"')


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM prod FOR TIMESTAMP AS OF TIMESTAMP '2026-01-01 00:00:00 UTC' AS was",
        "SELECT\u00a01",
        'SELECT 1 FROM prod /* /* */, "ice"."lake"."events" -- */',
        'SELECT 1 /* /* */ FROM "ice"."lake"."events$files" -- */',
        "SELECT U&'\\0041'",
        "SELECT ? FROM prod",
        "SELECT $1 FROM prod",
        "SELECT 1 # FROM prod",
        "SELECT `eventname` FROM prod",
        "SELECT {fn now()}",
        "SELECT 1 FROM prod WHERE '2026-01-02' BETWEEN eventtime AND date(eventtime)",
    ],
)
def test_what_engines_may_read_differently_is_not_sent(sql: str) -> None:
    with pytest.raises(SqlRejected):
        _compiled(sql)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("sha512(to_utf8(eventname))", "varbinary"),
        ("to_hex(hmac_sha512(to_utf8('a'), to_utf8(eventname)))", "varchar"),
        ("round(sin(1.5))", "double"),
        ("regexp_like(eventname, '(?<=Get)Role')", "boolean"),
        ("regexp_extract(eventname, '(?=.*x)(a)(b)', 2)", "varchar"),
        ("regexp_like(eventname, 'a*+b')", "boolean"),
        ("(SELECT kurtosis(length(eventname)) FROM prod)", "double"),
    ],
)
def test_what_duckdb_lacks_engines_elsewhere_are_sent(expression: str, kind: str) -> None:
    found = _compiled(f"SELECT {expression} AS x FROM prod")
    assert found.sql.startswith(
        f"SELECT {expression} AS x FROM ".replace("FROM prod", f'FROM {_scoped(ONE)} AS "prod"')
    )
    assert [str(each) for each in found.types] == [kind]
    with pytest.raises(SqlRejected, match="not supported") as refused:
        prepare(f"SELECT {expression} AS x FROM prod", SCOPE)
    assert "Engines `trino` and `athena` have it." in refused.value.hint


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sin('a')",
        "SELECT sha512(eventname) FROM prod",
        "SELECT eventname FROM prod WHERE kurtosis(1) > 0",
        "SELECT kurtosis(kurtosis(1)) FROM prod",
        "SELECT eventname, kurtosis(1) FROM prod",
        "SELECT rand()",
        "SELECT regexp_like(eventname, '(?=a') FROM prod LIMIT x",
    ],
)
def test_what_is_wrong_there_too_is_refused(sql: str) -> None:
    with pytest.raises(SqlRejected):
        _compiled(sql)


def test_the_end_of_all_days_is_no_condition() -> None:
    where = "WHERE eventtime >= '2026-01-02' AND eventtime < '9999-12-31 23:59:59'"
    found = _compiled(f"SELECT 1 FROM prod {where}", BY_TEXT).sql
    days = " AND \"day\" >= '2026/01/02'"
    assert f'{_scoped(ONE, days)} AS "prod" WHERE' in found


def test_a_name_with_a_quote_is_quoted() -> None:
    scope = QueryScope((PROD, DEV), {'x" JOIN y ON (true': "prod"})
    found = _compiled('SELECT count(*) FROM "x"" JOIN y ON (true"', scope=scope).sql
    assert found == f'SELECT count(*) FROM {_scoped(ONE)} AS "x"" join y on (true"'


def test_a_call_without_accounts_reads_nothing() -> None:
    found = _compiled("SELECT count(*) FROM events", scope=QueryScope(()))
    assert found.sql == f'SELECT count(*) FROM {_scoped("false")} AS "events"'
    assert found.accounts == ()


def test_the_statement_tells_what_comes_back_and_what_it_reads() -> None:
    found = _compiled(
        "SELECT eventName, count(*), max(eventtime) AS last FROM prod WHERE eventtime > '2026-01-02' GROUP BY 1"
    )
    assert found.columns == ("eventName", "_col1", "last")
    assert [str(kind) for kind in found.types] == ["varchar", "bigint", "timestamp(3)"]
    assert found.accounts == (PROD.key,)
    assert found.span.start is not None
    assert found.span.start.isoformat() == "2026-01-02T00:00:00+00:00"
    assert found.span.end is None
