"""Statements of a caller of one account, `prod`, who wants another's events: each is refused, or says what it would say of a
lake that has nobody else's. THEIRS is the other account; its events have the words of SECRETS."""

from __future__ import annotations

from itertools import product

from audit_logs import ACCOUNT

OURS, THEIRS = ACCOUNT, "999999999999"
STORE_OF_THEIRS = "5b0c0000-0000-4000-8000-999999999999"
SECRETS = ("TheirSecret", THEIRS)

_TABLES = (
    # another account, by every name
    *(THEIRS, f'"{THEIRS}"', "other", '"other"', '"OTHER"', STORE_OF_THEIRS, f'"{STORE_OF_THEIRS}"'),
    # relations behind the names: of the embedded engine, and of a catalog of Trino
    *("lake_events", '"lake_events"', "lake_events_0", "main.lake_events", "r1", "memory.main.lake_events"),
    *(
        "iceberg.crosstrail.events",
        "iceberg.crosstrail.events_view",
        '"iceberg"."crosstrail"."events"',
        "crosstrail.events",
    ),
    *(
        '"events$files"',
        '"events$snapshots"',
        "events$partitions",
        'iceberg.crosstrail."events$files"',
        '"prod$history"',
    ),
    *(
        "system.runtime.queries",
        "system.metadata.catalogs",
        "information_schema.tables",
        "iceberg.information_schema.columns",
    ),
    *("pg_catalog.pg_class", "duckdb_tables", "sqlite_master", "duckdb_settings()", "jmx.current.x"),
    *(
        "lake.crosstrail.events",
        '"lake"."crosstrail"."events$files"',
        "lake.crosstrail.audit_events",
        "memory.default.events",
    ),
    *("audit_events", "lake.information_schema.tables", 'lake.crosstrail."events$snapshots"', "jmx.current.y"),
    # functions that make tables, files
    *(
        "read_parquet('/**')",
        "TABLE(system.builtin.query(query => 'x'))",
        "TABLE(sequence(1, 2))",
        "'/etc/passwd'",
        "glob('*')",
    ),
    *(
        "parquet_scan('data/*')",
        "iceberg_scan('x')",
        "query('SELECT 1')",
        "query_table('lake_events')",
        "TABLE lake_events",
    ),
    # spellings that two parsers may read differently
    *(
        '"prod"""',
        "`lake_events`",
        "[lake_events]",
        'U&"lake\\005fevents"',
        "pr\u00f6d",
        "\uff50\uff52\uff4f\uff44",
        "prod\u200b",
    ),
    *(
        '"prod" "."',
        'prod."x"."y"',
        '"iceberg.crosstrail.events"',
        "prod.",
        ".prod",
        "lake_events\u00a0",
        "\u2028lake_events",
    ),
)
_FRAMES = (
    "SELECT * FROM {}",
    "SELECT count(*) FROM prod, {}",
    "SELECT count(*) FROM prod JOIN {} AS x ON true",
    "SELECT x.eventid FROM prod CROSS JOIN LATERAL (SELECT eventid FROM {}) AS x",
    "SELECT (SELECT max(eventid) FROM {})",
    "WITH prod AS (SELECT * FROM {}) SELECT eventname FROM prod",
    "SELECT eventid FROM prod UNION ALL (SELECT eventid FROM prod INTERSECT SELECT eventid FROM {})",
)

_WHOLE = (
    # names that the statement defines itself, and columns like tables
    "WITH other AS (SELECT * FROM prod) SELECT count(*) FROM other",
    "WITH events AS (SELECT * FROM prod) SELECT count(*) FROM events",
    "WITH lake_events AS (SELECT * FROM prod) SELECT count(*) FROM lake_events",
    "WITH events AS (SELECT * FROM events) SELECT count(*) FROM (WITH events AS (SELECT * FROM events) SELECT * FROM events) AS x",
    "WITH a AS (SELECT * FROM (WITH b AS (SELECT * FROM prod) SELECT * FROM b) AS c) SELECT count(*) FROM b",
    "SELECT count(*) FROM (WITH b AS (SELECT 1 AS x) SELECT x FROM b) AS c, b",
    "WITH a AS (SELECT * FROM b), b AS (SELECT * FROM prod) SELECT count(*) FROM a",
    f'WITH "{THEIRS}" AS (SELECT * FROM events) SELECT count(*) FROM "{THEIRS}"',
    'WITH "EVENTS" AS (SELECT eventid FROM prod) SELECT count(*) FROM events',
    "SELECT events.eventname FROM prod AS events, events AS prod",
    "SELECT count(*) FROM prod AS other JOIN events AS prod ON true",
    f'SELECT count(*) FROM prod AS "{THEIRS}"',
    # the conditions of the scope
    "SELECT count(*) FROM events WHERE true OR account = '999999999999'",
    "SELECT count(*) FROM events WHERE account = '999999999999'",
    "SELECT count(*) FROM events WHERE 1 = 1) OR (1 = 1",
    "SELECT count(*) FROM events) OR true --",
    "SELECT count(*) FROM events e WHERE e.account <> ALL (SELECT account FROM events)",
    "SELECT account, count(*) FROM events GROUP BY CUBE (account)",
    "SELECT DISTINCT account FROM events FULL JOIN events AS b USING (account)",
    "SELECT recipientaccountid, count(*) OVER () FROM events ORDER BY 2",
    "SELECT max_by(account, eventtime), array_agg(DISTINCT account) FROM events",
    "SELECT count(*) FILTER (WHERE account = '999999999999') FROM events",
    "SELECT approx_distinct(account) FROM events HAVING count(*) > 0",
    "SELECT lag(account) OVER (ORDER BY eventtime) FROM events",
    "SELECT (SELECT count(*) FROM events b WHERE b.account >= a.account) FROM prod a",
    "SELECT count(*) FROM (VALUES '999999999999') AS t(account) JOIN events USING (account)",
    "SELECT t.n, r.arn FROM events CROSS JOIN UNNEST(resources) WITH ORDINALITY AS r(accountid, type, arn, arnprefix, n), UNNEST(ARRAY[1]) AS t(n)",
    "SELECT * FROM prod a, LATERAL (SELECT count(*) AS n FROM events b WHERE b.eventid <> a.eventid) AS x",
    # comments, and where one ends
    "SELECT count(*) FROM prod -- , other",
    "SELECT count(*) FROM prod /* , other */",
    "SELECT count(*) FROM prod /* /* */ , lake_events -- */",
    'SELECT count(*) FROM prod /* /* */ */, "other"',
    "SELECT count(*) FROM /*! other, */ prod",
    "SELECT count(*) FROM /*+ other */ prod",
    "SELECT /*+ use_other */ count(*) FROM prod",
    "SELECT count(*) FROM prod --\r, other",
    'SELECT count(*) FROM prod --\n, "other"',
    "SELECT count(*) FROM prod # , other\n",
    "SELECT count(*) FROM prod // , other\n",
    "SELECT count(*) FROM prod {# #}, other {# #}",
    "SELECT count(*) FROM prod {{ other }}",
    "SELECT count(*) FROM prod; SELECT * FROM lake_events",
    "SELECT count(*) FROM prod;;",
    "SELECT count(*) FROM prod; -- SELECT * FROM lake_events",
    # texts and names that hold what a table's place may be taken for
    "SELECT 'FROM lake_events', count(*) FROM prod",
    "SELECT ' FROM prod AS x ', \"eventname\" FROM prod WHERE eventname <> 'prod) UNION SELECT * FROM lake_events --'",
    'SELECT eventname AS "FROM prod" FROM prod ORDER BY "FROM prod" LIMIT 1',
    'SELECT eventname AS "(SELECT * FROM lake_events)" FROM prod LIMIT 1',
    'SELECT "x""prod".eventname FROM prod AS "x""prod" LIMIT 1',
    'SELECT count(*) FROM prod AS "prod) JOIN lake_events ON (true"',
    "SELECT '' 'prod' FROM prod",
    "SELECT 'a''FROM events', count(*) FROM prod WHERE 'b''' <> ''''",
    "SELECT E'\\' FROM lake_events --' FROM prod",
    "SELECT '\\' , count(*) FROM prod WHERE '\\' = '\\'",
    "SELECT $$ FROM prod $$ FROM lake_events",
    "SELECT X'27', count(*) FROM prod",
    "SELECT U&'\\0027 FROM lake_events --' FROM prod",
    'SELECT prod."$path", prod."$file_modified_time" FROM prod',
    'SELECT "$partition" FROM events',
    'SELECT "event_day", count(*) FROM events GROUP BY 1',
    "SELECT prod.prod.eventname FROM prod",
    "SELECT iceberg.crosstrail.events.account FROM prod",
    "SELECT events.* FROM prod",
    "SELECT other.* FROM prod AS x",
    "SELECT * FROM prod AS p(a, b)",
    # functions, prepared statements and what is no query
    "SELECT current_user, count(*) FROM prod",
    "SELECT current_catalog FROM prod",
    "SELECT current_setting('allowed_paths') FROM prod",
    "SELECT getvariable('x') FROM prod",
    "SELECT read_text('/etc/passwd') FROM prod",
    "SELECT iceberg.system.x(1) FROM prod",
    "SELECT invoke_function('x') FROM prod",
    "WITH FUNCTION f() RETURNS bigint RETURN (SELECT count(*) FROM lake_events) SELECT f() FROM prod",
    "EXECUTE x USING 'other'",
    "EXPLAIN ANALYZE SELECT * FROM lake_events",
    "SHOW CREATE VIEW iceberg.crosstrail.events",
    "DESCRIBE OUTPUT x",
    "TABLE events",
    "FROM lake_events",
    "FROM events SELECT *",
    "SELECT * FROM events TABLESAMPLE BERNOULLI (100)",
    "SELECT * FROM events FOR VERSION AS OF 1",
    "SELECT count(*) FROM (events)",
    "SELECT count(*) FROM ((prod JOIN events ON true))",
    "SELECT count(*) FROM (TABLE other)",
    "SELECT count(*) FROM events MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)",
    "SELECT * FROM JSON_TABLE('[1]', 'lax $' COLUMNS (x bigint PATH 'lax $'))",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t, lake_events) SELECT * FROM t",
    "SELECT * FROM prod UNION CORRESPONDING SELECT * FROM lake_events",
    "SELECT * FROM prod PIVOT (count(*) FOR account IN ('999999999999'))",
    # letters that look like others
    "SELECT count(*) FR\u041eM lake_events",
    "SELECT count(*) FROM prod\u3000, other",
    "SELECT count(*) FROM prod WHERE account\u00a0= '999999999999'",
    "\ufeffSELECT count(*) FROM prod",
    "SELECT count(*) FROM prod WHERE eventname = '\u2019) OR true --'",
    "SELECT count(*) FROM PROD AS \u017f",
)
ATTACKS = tuple(dict.fromkeys([*(frame.format(table) for frame, table in product(_FRAMES, _TABLES)), *_WHOLE]))
