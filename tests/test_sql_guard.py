"""What is no SELECT over the tables of the call never becomes SQL: attacks, names after FROM, limits."""

from __future__ import annotations

import contextlib
import re

import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
from crosstrail.models import Account
from crosstrail.store_ids import ALL_STORES_ID

PROD = Account(id="012345678901", alias="prod")
DEV = Account(id="222222222222", alias="dev-eu.1")
CN = Account(id="2100000001", alias="cn-prod", cloud="volcengine")
FOREIGN = "0233062b-51c6-4d18-8dec-4b2b5f2c6d2e"
SCOPE = QueryScope((PROD, DEV, CN), {FOREIGN: "prod", "0aaaaaaa-0000-4000-8000-000000000000": "all"})


def _refusal(sql: str) -> SqlRejected:
    with pytest.raises(SqlRejected) as caught:
        prepare(sql, SCOPE)
    return caught.value


@pytest.mark.parametrize(
    ("name", "accounts"),
    [
        ("events", {PROD, DEV, CN}),
        ("EVENTS", {PROD, DEV, CN}),
        (ALL_STORES_ID, {PROD, DEV, CN}),
        (f'"{ALL_STORES_ID.upper()}"', {PROD, DEV, CN}),
        ("prod", {PROD}),
        ("PROD", {PROD}),
        ("012345678901", {PROD}),
        ('"012345678901"', {PROD}),
        ("dev-eu.1", {DEV}),
        ("cn-prod", {CN}),
        (DEV.store_id, {DEV}),
        (FOREIGN, {PROD}),
        ("0aaaaaaa-0000-4000-8000-000000000000", {PROD, DEV, CN}),
    ],
)
def test_a_name_after_from_stands_for_accounts(name: str, accounts: set[Account]) -> None:
    prepared = prepare(f"SELECT count(*) FROM {name} AS e", SCOPE)
    assert prepared.accounts == {account.key for account in accounts}
    for account in SCOPE.accounts:
        assert (f"'{account.id}'" in prepared.sql) == (account in accounts)


def test_several_names_and_places_that_look_like_names() -> None:
    sql = f"""SELECT 'FROM dev-eu.1', a.eventname -- FROM {DEV.store_id}
    FROM prod a, cn-prod AS b /* FROM nowhere */ JOIN prod c ON a.eventid = c.eventid
    WHERE 222222222222 > 1 AND a.eventtime > '2023-01-01T00:00:00Z'"""
    assert prepare(sql, SCOPE).accounts == {PROD.key, CN.key}


def test_names_defined_in_the_statement_come_first() -> None:
    assert prepare("WITH prod AS (SELECT 1 AS x) SELECT x FROM prod", SCOPE).accounts == frozenset()
    assert prepare("WITH events AS (SELECT * FROM prod) SELECT count(*) FROM events", SCOPE).accounts == {PROD.key}


@pytest.mark.parametrize(
    ("sql", "line", "column"),
    [
        ("SELECT * FROM '/etc/passwd'", 1, 15),
        ("SELECT * FROM 's3://bucket/x.parquet'", 1, 15),
        ('SELECT * FROM "x.parquet"', 1, 15),
        ('SELECT * FROM "/etc/passwd"', 1, 15),
        ("SELECT *\nFROM nobody", 2, 6),
        ("SELECT * FROM dev-eu.1 AS a JOIN nobody-1 AS b ON true", 1, 34),
        ("SELECT 1 FROM lake_events", 1, 15),
        ("SELECT 1 FROM information_schema.tables", 1, 15),
        ("SELECT 1 FROM main.prod", 1, 15),
        ("SELECT 1 FROM duckdb_settings()", 1, 15),
        ("SELECT * FROM read_text('/etc/passwd')", 1, 15),
        ("SELECT * FROM read_parquet('/tmp/*')", 1, 15),
        ("SELECT * FROM glob('*')", 1, 15),
        ("SELECT getenv('HOME')", 1, 8),
        ("SELECT 1,\n  current_setting('allowed_paths')", 2, 3),
        ("SELECT read_text('/etc/passwd')", 1, 8),
        ("SELECT nextval('x')", 1, 8),
        ("SELECT eventnam FROM prod", 1, 8),
    ],
)
def test_refused_with_line_and_column(sql: str, line: int, column: int) -> None:
    refusal = _refusal(sql)
    assert (refusal.line, refusal.column) == (line, column)
    assert str(refusal).startswith(f"line {line} column {column}: ")


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "   -- nothing",
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM prod",
        "DELETE FROM prod",
        "INSERT INTO prod SELECT 1",
        "UPDATE prod SET eventname = 'x'",
        "DROP TABLE prod",
        "CREATE TABLE x AS SELECT 1",
        "CREATE MACRO m(a) AS a",
        "COPY (SELECT 1) TO '/tmp/x'",
        "COPY prod FROM '/etc/passwd'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET threads = 9",
        "RESET threads",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "DESCRIBE prod",
        "SHOW TABLES",
        "USE memory",
        "EXPORT DATABASE '/tmp/x'",
        "CHECKPOINT",
        "SELECT 1 INTO x FROM prod",
        "SELECT * INTO OUTFILE '/tmp/x' FROM prod",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t",
        "WITH x AS (DELETE FROM prod RETURNING 1) SELECT * FROM x",
        "SELECT * FROM prod POSITIONAL JOIN prod",
        "SELECT * FROM prod ASOF JOIN prod USING (eventid)",
        "SELECT * FROM prod NATURAL JOIN prod",
        "SELECT * FROM prod TABLESAMPLE BERNOULLI (10)",
        "SELECT * FROM prod FOR VERSION AS OF 1",
        "SELECT * EXCLUDE (eventid) FROM prod",
        "SELECT * REPLACE (1 AS eventid) FROM prod",
        "SELECT DISTINCT ON (eventid) eventname FROM prod",
        "SELECT COLUMNS('x') FROM prod",
        "FROM prod QUALIFY 1",
        "SELECT eventname FROM prod QUALIFY row_number() OVER () = 1",
        "SELECT $$x$$",
        "SELECT ?",
        "SELECT :x",
        "SELECT @x",
        "SELECT {'a': 1}",
        "SELECT eventname ~ 'x' FROM prod",
        "SELECT eventname GLOB 'x' FROM prod",
        "SELECT eventname ILIKE 'x' FROM prod",
        "SELECT eventname COLLATE nocase FROM prod",
        "SELECT username FROM prod",
        "SELECT access_key_id FROM prod",
        'SELECT "$path" FROM prod',
        "SELECT file_row_number FROM prod",
        "SELECT rowid FROM prod",
        "SELECT prod FROM prod",
        "SELECT system.runtime.x('a')",
        "SELECT U&'\\0041'",
        "SELECT 1 FROM prod LIMIT (SELECT 1)",
        "SELECT 1 FROM prod ORDER BY 5",
        "SELECT * FROM prod PIVOT (count(*) FOR eventname IN ('a'))",
        "SELECT * FROM prod MATCH_RECOGNIZE (PATTERN (a) DEFINE a AS true)",
        "SELECT * FROM JSON_TABLE('[1]', '$' COLUMNS (a INT PATH '$'))",
        "TABLE duckdb_secrets",
        "VALUES (getenv('HOME'))",
        "SELECT (SELECT 1 FROM '/etc/passwd')",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_class)",
        "SELECT 'a",
        'SELECT "a',
        "SELECT /* a",
        "SELECT \x00",
        "SELECT 'a\x00b'",
        "SELECT \ud800",
        "SELEСT 1",  # the C is Cyrillic
        "SELECT 1\u00a0FROM prod",
        "SELECT 1\x0bFROM prod",
        "SELECT 1 FROM prod AS \u017f",
        "SELECT 1 FROM .prod",
        "FROM prod",
        "FROM prod SELECT 1",
        "SELECT 1 FROM (FROM prod)",
        "SELECT eventid FROM prod UNION ALL FROM prod",
        "WITH x AS (SELECT 1) FROM x",
    ],
)
def test_refused(sql: str) -> None:
    refusal = _refusal(sql)
    assert refusal.line >= 1
    assert refusal.column >= 1


@pytest.mark.parametrize(
    ("sql", "accounts"),
    [
        ("SELECT 1 /* /* */ FROM prod -- */", {PROD}),  # no comment in a comment, as in Trino
        ("SELECT 1 -- x\rFROM prod", {PROD}),
        ("SELECT 1 -- x\r\n FROM prod", {PROD}),
        ("SELECT 1 /* FROM prod */", set()),
        ("SELECT 1 -- FROM prod", set()),
        ("SELECT /*+ prod */ 1 FROM /* dev-eu.1 */ cn-prod", {CN}),
        ("SELECT '--', \"eventname\" /* ' */ FROM prod -- \u017f", {PROD}),
    ],
)
def test_a_comment_ends_where_trino_ends_it(sql: str, accounts: set[Account]) -> None:
    assert prepare(sql, SCOPE).accounts == {account.key for account in accounts}


def test_a_refusal_repeats_neither_the_statement_nor_a_foreign_name() -> None:
    for sql in ("SELECT * FROM 'AKIA-secret'", "SELECT 'AKIA-secret' FROM FROM", 'DROP TABLE "AKIA-secret"'):
        assert "AKIA" not in _refusal(sql).text


@pytest.mark.parametrize(
    "placeholder", ["<EDS ID>", "$EDS_ID", "<event_data_store_id>", "${eds}", "<event-data-store-ID>"]
)
def test_a_placeholder_is_named(placeholder: str) -> None:
    refusal = _refusal(f"SELECT *\nFROM {placeholder} WHERE true")
    assert (refusal.line, refusal.column) == (2, 6)
    assert "event data store id" in refusal.hint


def test_the_hint_lists_names_of_the_scope_only_and_ten_at_most() -> None:
    assert _refusal("SELECT 1 FROM x").hint == "FROM takes events, prod, dev-eu.1, cn-prod, or an event data store id."
    many = QueryScope(tuple(Account(id=f"{number:012d}") for number in range(50)))
    with pytest.raises(SqlRejected) as caught:
        prepare("SELECT 1 FROM x", many)
    assert len(re.findall(r"\d{12}", caught.value.hint)) == 9
    assert "and 41 more" in caught.value.hint


def test_accounts_outside_the_scope_read_like_unknown_names() -> None:
    scope = QueryScope((PROD,))
    texts = set()
    for name in (DEV.id, DEV.store_id, "nobody"):
        with pytest.raises(SqlRejected) as caught:
            prepare(f'SELECT 1 FROM "{name}"', scope)
        texts.add(caught.value.text)
    assert len(texts) == 1


def test_no_accounts_read_nothing() -> None:
    assert "WHERE false" in prepare("SELECT count(*) FROM events", QueryScope(())).sql


def test_user_text_reaches_duckdb_only_as_literals() -> None:
    sql = """SELECT eventname AS "x; DROP TABLE y", 'a''; DROP TABLE z; --' AS b FROM prod "q; r" WHERE "q; r".eventid = '1'"""
    prepared = prepare(sql, SCOPE)
    assert prepared.columns == ("x; DROP TABLE y", "b")
    assert "'a''; DROP TABLE z; --'" in prepared.sql
    assert "TABLE y" not in prepared.sql
    assert "q; r" not in prepared.sql


def test_columns_are_named_as_trino_names_them() -> None:
    sql = "SELECT eventName, userIdentity.accountId, count(*), 1 AS One, \"EVENTID\", requestParameters['a'] FROM prod GROUP BY 1, 2, 5, 6"
    assert prepare(sql, SCOPE).columns == ("eventName", "accountId", "_col2", "One", "EVENTID", "_col5")
    star = prepare("SELECT * FROM prod", SCOPE)
    assert len(star.columns) == 39
    assert star.columns[:3] == ("eventversion", "useridentity", "eventtime")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 4000 + "1" + ")" * 4000,
        "SELECT " + "-" * 1 + "(" * 39 + "1" + ")" * 39,
        "SELECT " + "NOT " * 2400 + "true",
        "SELECT " + "- " * 4000 + "1",
        "SELECT 1" + " + 1" * 2400,
        "SELECT " + "[" * 3000,
        "SELECT " + "CASE WHEN true THEN " * 400 + "1" + " END" * 400,
        "SELECT 1" + " UNION SELECT 1" * 600,
        "SELECT " + "substr(" * 38 + "eventname" + ", -1)" * 38 + " FROM prod",
        "SELECT " + "abs(" * 5 + "1" + " / 3.0" * 60 + ")" * 5,
        "SELECT " + "x -> " * 1900 + "1",
        "SELECT " + "a." * 4900 + "b",
        "SELECT 1 IN (" * 600,
    ],
)
def test_monstrous_statements_come_to_an_end(sql: str) -> None:
    """Answered or refused; a recursion error, or a parser that tries every path, would show here."""
    with contextlib.suppress(SqlRejected):
        prepare(sql, SCOPE)


def test_the_length_of_a_statement_is_limited_as_in_cloudtrail_lake() -> None:
    prepare("SELECT '" + "x" * 9991 + "'", SCOPE)
    assert "10001 characters" in str(_refusal("SELECT '" + "x" * 9992 + "'"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 4000 + "1" + ")" * 4000,
        "SELECT " + "NOT " * 2400 + "true",
        "SELECT " + "- " * 4900 + "1",
        "SELECT 1" + " + 1" * 2400,
        "SELECT " + "CASE WHEN true THEN " * 400 + "1" + " END" * 400,
        "SELECT " + "ARRAY[" * 30 + "1" + "]" * 30,
        "SELECT " + "ROW (" * 30 + "1" + ")" * 30,
        " UNION ALL ".join(["SELECT 1"] * 500),
        "SELECT " + "9" * 5000,
        "SELECT 1 FROM events ORDER BY " + "9" * 5000,
        "SELECT '\ud800'",
        "SELECT 1 FROM prod e0" + "".join(f" JOIN prod e{n} USING (eventid)" for n in range(1, 100)),
        "SELECT 1 FROM prod GROUP BY CUBE (" + ",".join(f"eventid || '{n}'" for n in range(40)) + ")",
        "SELECT 1 FROM prod GROUP BY " + ",".join(["CUBE (eventid, eventname, awsregion)"] * 5),
        "SELECT regexp_like('a', '((a{1,100}){1,100}){1,100}')",
        "SELECT 1 LIMIT -1",
    ],
    ids=lambda sql: sql[:40].encode("ascii", "replace").decode(),
)
def test_what_would_take_for_ever_is_refused_at_once(sql: str) -> None:
    """Had one of these been let through, the run would not come to its end."""
    _refusal(sql)


def test_what_a_node_says_and_nobody_reads_is_refused() -> None:
    """NOT LIKE is a flag of LIKE in the syntax tree; other flags must not be lost either."""
    assert "NOT" in prepare("SELECT eventid FROM events WHERE eventname NOT LIKE 'Get%'", SCOPE).sql
    for sql in (
        "SELECT 1 BETWEEN SYMMETRIC 2 AND 0",
        "SELECT trim('a' COLLATE x)",
        "SELECT count(*) FROM events FOR UPDATE",
    ):
        _refusal(sql)


@pytest.mark.parametrize("name", ["lake_events", "r1", "w1", "no_rows", "events"])
def test_a_with_query_shadows_names_of_the_statement_only(name: str) -> None:
    sql = f"WITH {name} AS (SELECT 7 AS seven) SELECT {name}.seven FROM {name}"
    prepared = prepare(sql, SCOPE)
    assert prepared.accounts == frozenset()
    assert "lake_events" not in prepared.sql


@pytest.mark.parametrize(
    "expression",
    [
        "cardinality(sequence(1, 1000000000))",
        "cardinality(repeat('x', 1000000000))",
        "lpad('x', 2000000000, 'y')",
        "replace(lpad('x', 1000000, 'y'), 'y', lpad('x', 1000000, 'y'))",
        "levenshtein_distance(lpad('a', 100000, 'a'), lpad('b', 100000, 'b'))",
    ],
)
def test_one_call_that_nobody_could_interrupt_fails_at_once(expression: str) -> None:
    """Had one of these been let through, the run would not come to its end."""
    import duckdb

    from crosstrail.lake.reader import connect

    with contextlib.closing(connect([])) as connection, pytest.raises(duckdb.Error, match="crosstrail: "):
        connection.execute(prepare(f"SELECT {expression}", SCOPE).sql)
