"""What every QueryEngine promises (engines/base.py), checked over each of them; test_engines.py has what the lake adds.

An engine joins with a Backend: how it is opened, and a statement that comes to ROWS rows in one of two accounts.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from athena_workspace import OTHER as OTHER_READ
from athena_workspace import READ, athena_workspace
from audit_logs import ACCOUNT, record
from crosstrail.clouds.aws.calls import CloudTrailCalls
from crosstrail.engines.base import QueryEngine, QueryScope, run
from crosstrail.engines.cloudtrail_lake import CloudTrailLake
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.engines.results import ResultStore
from crosstrail.engines.trino import TrinoEngine
from crosstrail.engines.trino_access import TrinoAccess
from crosstrail.engines.trino_view import relation
from crosstrail.errors import InvalidRequest, SqlRejected, StalePageToken
from crosstrail.lake.collector import collect
from crosstrail.models import Account, QueryRef, QueryState
from fakes.trino import Outcome, running_trino
from live_aws import live_aws
from trino_cluster import cluster_engine
from trino_lake import Judged

pytestmark = pytest.mark.anyio
OTHER = "111111111111"
ROWS = 7
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Opened:
    """`sql` reads the account `ours`, and has the one column `name`: event-0 to event-6."""

    engine: QueryEngine
    ours: Account
    theirs: Account
    sql: str

    @property
    def both(self) -> QueryScope:
        return QueryScope((self.ours, self.theirs))


Open = Callable[[Path, pytest.MonkeyPatch], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def _lake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opened]:
    records = [record(number, eventName=f"event-{number}") for number in range(ROWS)]
    (folder / "logs.json").write_text(json.dumps({"Records": records}))
    collect([folder / "logs.json"], folder / "lake")
    engine = LakeEngine(folder / "lake")
    try:
        sql = "SELECT eventname AS name FROM prod ORDER BY 1"
        yield Opened(engine, Account(id=ACCOUNT, alias="prod"), Account(id=OTHER), sql)
    finally:
        await engine.aclose()


@asynccontextmanager
async def _cloudtrail_lake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opened]:
    async with live_aws(monkeypatch) as aws:
        ours, theirs = aws.role_account(ACCOUNT, "prod"), aws.keys_account(OTHER)
        outcome = aws.world.account(ACCOUNT).outcome
        outcome.columns, outcome.rows = ("name",), tuple((f"event-{number}",) for number in range(ROWS))
        store = aws.world.account(ACCOUNT).add_store("store").rpartition("/")[2]
        yield Opened(CloudTrailLake(CloudTrailCalls(aws.broker)), ours, theirs, f"SELECT name FROM {store} ORDER BY 1")


@asynccontextmanager
async def _athena(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opened]:
    async with athena_workspace(folder, monkeypatch) as athena:
        athena.comes_to(*((f"event-{number}",) for number in range(ROWS)), columns=("name",))
        yield Opened(
            athena.workspace.engine("athena"), READ, OTHER_READ, "SELECT eventname AS name FROM prod ORDER BY 1"
        )


@asynccontextmanager
async def _trino(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opened]:
    outcome = Outcome((("name", "varchar"),), [(f"event-{number}",) for number in range(ROWS)])
    with running_trino(lambda sql: outcome) as fake:
        access = TrinoAccess(fake.url, relation(("lake", "crosstrail", "audit_events")), user="crosstrail")
        engine = TrinoEngine(access, ResultStore(folder / "results"))
        try:
            sql = "SELECT eventname AS name FROM prod ORDER BY 1"
            yield Opened(engine, Account(id=ACCOUNT, alias="prod"), Account(id=OTHER), sql)
        finally:
            await engine.aclose()


def _on(judged: Judged) -> Open:
    """The same of a real Trino, whose lake has events of `ours`."""

    @asynccontextmanager
    async def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opened]:
        ours, theirs = judged.accounts[:2]
        async with cluster_engine(judged, folder) as engine:
            numbers = f"UNNEST(sequence(0, {ROWS - 1})) t(n)"
            name = "concat('event-', CAST(n AS varchar)) AS name"
            there = f'EXISTS (SELECT 1 FROM "{ours.id}")'
            yield Opened(engine, ours, theirs, f"SELECT {name} FROM {numbers} WHERE {there} ORDER BY 1")

    return opened


@pytest.fixture(
    params=[_lake, _cloudtrail_lake, _athena, _trino, pytest.param(None, marks=pytest.mark.trino)],
    ids=["lake", "cloudtrail_lake", "athena", "trino", "trino_cluster"],
)
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Opened]:
    open_engine: Open = request.param or _on(request.getfixturevalue("judged"))
    async with open_engine(tmp_path, monkeypatch) as found:
        yield found


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_pages_give_every_row_once(opened: Opened, limit: int) -> None:
    page = await run(opened.engine, opened.sql, opened.both, limit=limit, wait_seconds=200)
    assert page.columns == ("name",)
    assert page.status.rows == ROWS
    rows = list(page.rows)
    while page.next_token:
        assert len(page.rows) == limit
        page = await opened.engine.results(page.status.ref, opened.both, page_token=page.next_token, limit=limit)
        rows += page.rows
    assert rows == [(f"event-{number}",) for number in range(ROWS)]


async def test_a_query_id_is_all_that_is_needed_to_ask_again(opened: Opened) -> None:
    page = await run(opened.engine, opened.sql, opened.both, limit=2, wait_seconds=200)
    ref = QueryRef.parse(str(page.status.ref))
    assert ref == page.status.ref
    assert ref.engine == opened.engine.name
    assert (await opened.engine.status(ref, opened.both)).state is QueryState.FINISHED
    assert (await opened.engine.results(ref, opened.both, limit=2)).rows == page.rows


async def test_a_query_outside_the_scope_reads_as_if_it_were_not_there(opened: Opened) -> None:
    page = await run(opened.engine, opened.sql, opened.both, limit=2, wait_seconds=200)
    for call in (opened.engine.status, opened.engine.results, opened.engine.cancel):
        with pytest.raises(InvalidRequest) as outside:
            await call(page.status.ref, QueryScope((opened.theirs,)))
        unknown = QueryRef(page.status.ref.engine, page.status.ref.account, page.status.ref.region, UNKNOWN)
        with pytest.raises(InvalidRequest) as absent:
            await call(unknown, opened.both)
        assert str(absent.value).startswith(str(outside.value))
    assert (await opened.engine.results(page.status.ref, opened.both, limit=2)).rows == page.rows


@pytest.mark.parametrize("token", ["x", "é", "0", "../../etc", "-1.", "bnVsbA"])
async def test_a_token_that_is_none_is_refused(opened: Opened, token: str) -> None:
    page = await run(opened.engine, opened.sql, opened.both, limit=2, wait_seconds=200)
    with pytest.raises(StalePageToken):
        await opened.engine.results(page.status.ref, opened.both, page_token=token)


@pytest.mark.parametrize("sql", ["", "DROP TABLE prod", "SELECT 1; SELECT 2", "COPY prod TO 'x'", "-- nothing"])
async def test_only_one_select_runs(opened: Opened, sql: str) -> None:
    with pytest.raises(SqlRejected):
        await opened.engine.start(sql, opened.both)


async def test_a_query_that_has_ended_is_not_cancelled(opened: Opened) -> None:
    page = await run(opened.engine, opened.sql, opened.both, limit=1, wait_seconds=200)
    assert (await opened.engine.cancel(page.status.ref, opened.both)).state is QueryState.FINISHED
