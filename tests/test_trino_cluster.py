"""The engine `trino` on a real Trino over the lake's table: the embedded engine's rows, real cancelling, the view alone.

Run by `make trino-test`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import preloaded
from crosstrail.engines.base import QueryEngine, QueryScope, run
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.engines.remote_runs import RemoteLimits
from crosstrail.errors import InvalidRequest, QueryFailed, QueryTimedOut, SqlRejected
from crosstrail.models import QueryState
from crosstrail.settings.config import load_settings
from crosstrail.workspace.lake_catalog import opened_catalog
from trino_cluster import USER, cluster_engine, configured
from trino_lake import Judged

pytestmark = [pytest.mark.anyio, pytest.mark.trino]
_STATEMENTS = (
    "SELECT * FROM {a}",
    "SELECT count(*) FROM events",
    "SELECT eventname, count(*) AS n FROM {a} GROUP BY 1 HAVING count(*) > 1 ORDER BY n DESC, eventname",
    "SELECT useridentity.arn, useridentity.sessioncontext.attributes.creationdate FROM {a} WHERE useridentity.type = 'AssumedRole'",
    "SELECT eventid, requestparameters, element_at(requestparameters, 'bucketName') AS b FROM {a} WHERE requestparameters IS NOT NULL",
    "SELECT eventid, t.arn, t.type FROM {a} CROSS JOIN UNNEST(resources) AS t(owner, type, arn, arnprefix)",
    "SELECT date_trunc('day', eventtime) AS day, count(DISTINCT sourceipaddress) FROM {a} GROUP BY 1",
    "SELECT eventid, row_number() OVER (PARTITION BY eventname ORDER BY eventtime, eventid) AS n FROM {a}",
    "SELECT json_extract_scalar(eventjson, '$.eventName') FROM {a} WHERE eventtime > '2020-01-01 00:00:00'",
    "WITH x AS (SELECT * FROM {a}) SELECT count(*), min(x.eventtime), max(y.eventtime) FROM x JOIN {a} y ON x.eventid = y.eventid",
    "SELECT source_object, verified, cloud, account FROM {a}",
    "SELECT 1e7, 0.1e0, nan(), -infinity(), REAL '0.1', 1.50, DATE '2024-02-29', INTERVAL '2' DAY, ARRAY[1e0], MAP(ARRAY['b'], ARRAY[true])",
)


@asynccontextmanager
async def _embedded(judged: Judged, folder: Path) -> AsyncIterator[LakeEngine]:
    settings = load_settings(str(judged.config), environ={})
    with opened_catalog(settings) as catalog:
        engine = LakeEngine(settings.lake.folder, catalog=lambda: catalog, results=folder / "embedded")
        try:
            yield engine
        finally:
            await engine.aclose()


async def _all(
    engine: QueryEngine, sql: str, scope: QueryScope
) -> tuple[tuple[str, ...], list[tuple[str | None, ...]]]:
    page = await run(engine, sql, scope, limit=1000, wait_seconds=300)
    rows, names = list(page.rows), page.columns
    while page.next_token:
        page = await engine.results(page.status.ref, scope, page_token=page.next_token, limit=1000)
        rows += page.rows
    return names, sorted(rows, key=repr)


async def test_rows_names_and_text_are_those_of_the_embedded_engine(judged: Judged, tmp_path: Path) -> None:
    scope = QueryScope(judged.accounts)
    async with cluster_engine(judged, tmp_path) as there, _embedded(judged, tmp_path) as here:
        some = 0
        for number, template in enumerate(_STATEMENTS):
            sql = template.format(a=f'"{judged.accounts[number % len(judged.accounts)].id}"')
            theirs, ours = await _all(there, sql, scope), await _all(here, sql, scope)
            assert theirs == ours, sql
            some += len(ours[1])
    assert some > 100


async def test_a_days_question_reads_the_files_of_that_day(judged: Judged, tmp_path: Path) -> None:
    scope = QueryScope(judged.accounts)
    async with cluster_engine(judged, tmp_path) as engine:
        whole = await run(engine, "SELECT max(eventtime) FROM events", scope, limit=1, wait_seconds=300)
        day = str(whole.rows[0][0])[:10]
        sql = f"SELECT count(eventjson) FROM events WHERE eventtime >= '{day} 00:00:00'"
        narrow = await run(engine, sql, scope, limit=1, wait_seconds=300)
        all_of_it = await run(engine, "SELECT count(eventjson) FROM events", scope, limit=1, wait_seconds=300)
    assert 0 < int(str(narrow.rows[0][0])) < int(str(all_of_it.rows[0][0]))
    assert (narrow.status.scanned_bytes or 0) < (all_of_it.status.scanned_bytes or 0) / 2
    assert (narrow.status.scanned_rows or 0) < (all_of_it.status.scanned_rows or 0) / 2


_LONG = "SELECT count(*) FROM events a, events b, events c, events d WHERE a.eventjson < b.eventjson || c.eventjson"


def _on_trino(judged: Judged) -> list[list[str | None]]:
    """Of this engine's long query: its state and the kind of its error."""
    sql = f"SELECT state, error_code FROM system.runtime.queries WHERE \"user\" = '{USER}' AND query LIKE '%d WHERE a.eventjson%'"
    return list(judged.trino.ask(sql).rows)


async def test_cancel_and_the_time_limit_end_it_on_trino(judged: Judged, tmp_path: Path) -> None:
    scope = QueryScope(judged.accounts)
    async with cluster_engine(judged, tmp_path) as engine:
        ref = await engine.start(_LONG, scope)
        with anyio.fail_after(120):
            while [row[0] for row in _on_trino(judged)] != ["RUNNING"]:  # noqa: ASYNC110 - Trino says it when asked
                await anyio.sleep(0.1)
            await engine.cancel(ref, scope)
            while _on_trino(judged) != [["FAILED", "USER_CANCELED"]]:  # noqa: ASYNC110 - the same
                await anyio.sleep(0.1)
            while not (status := await engine.status(ref, scope)).state.ended:  # noqa: ASYNC110 - the same
                await anyio.sleep(0.1)
        assert status.state is QueryState.CANCELLED
    async with cluster_engine(judged, tmp_path, RemoteLimits(seconds=3)) as engine:
        with pytest.raises(QueryTimedOut):
            await run(engine, _LONG, scope, limit=1, wait_seconds=120)
        with anyio.fail_after(60):
            while [row[0] for row in _on_trino(judged)] != ["FAILED", "FAILED"]:  # noqa: ASYNC110 - the same
                await anyio.sleep(0.1)


async def test_errors_of_trino_read_as_those_of_a_statement(judged: Judged, tmp_path: Path) -> None:
    account = judged.accounts[0].id
    async with cluster_engine(judged, tmp_path) as engine:
        with pytest.raises(QueryFailed, match="Division by zero"):
            await run(
                engine,
                f'SELECT 1/(count(*) - count(*)) FROM "{account}"',
                QueryScope(judged.accounts),
                limit=1,
                wait_seconds=120,
            )
        with pytest.raises(QueryFailed, match="Cannot cast") as failed:
            await run(
                engine,
                f'SELECT CAST(eventid AS bigint) FROM "{account}"',
                QueryScope(judged.accounts),
                limit=1,
                wait_seconds=120,
            )
    assert "audit_events" not in str(failed.value)


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT * FROM "audit_events$files"',
        'SELECT * FROM "events$snapshots"',
        "SELECT * FROM lake.crosstrail.events",
        "SELECT * FROM lake.crosstrail.audit_events",
        "SELECT * FROM audit_events",
        "SELECT * FROM system.runtime.queries",
        "SELECT * FROM lake.information_schema.tables",
        'SELECT "$path" FROM "{theirs}"',
        'SELECT * FROM "{theirs}"',
        'SELECT 1 FROM "{ours}" WHERE EXISTS (SELECT 1 FROM "{theirs}")',
    ],
)
async def test_nothing_but_the_callers_accounts_is_read(judged: Judged, tmp_path: Path, sql: str) -> None:
    ours, theirs = judged.accounts[:2]
    async with cluster_engine(judged, tmp_path) as engine:
        with pytest.raises((SqlRejected, InvalidRequest)):
            await engine.start(sql.format(ours=ours.id, theirs=theirs.id), QueryScope((ours,)))
        page = await run(engine, "SELECT DISTINCT account FROM events", QueryScope((ours,)), limit=9, wait_seconds=120)
    assert page.rows == ((ours.id,),)


def test_the_lake_is_read_and_written_as_before_beside_the_view(judged: Judged) -> None:
    """A view stands in the same catalog's tables, where older versions of Iceberg had tables alone."""
    config = configured(judged)
    before = preloaded.run("lake", "status", "--json", "--config", config)
    assert before.returncode == 0, before.stderr
    made_again = preloaded.run("lake", "init", "--engine", "trino", "--config", config)
    assert made_again.returncode == 0, made_again.stderr
    compacted = preloaded.run("lake", "compact", "--config", config)
    assert compacted.returncode == 0, compacted.stderr
