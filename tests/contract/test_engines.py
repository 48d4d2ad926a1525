"""What the lake's engine promises beyond every QueryEngine (test_all_engines.py): limits, lasting results, processes that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from audit_logs import ACCOUNT, record
from crosstrail.engines.base import QueryEngine, QueryScope, run
from crosstrail.engines.duckdb import LakeEngine, QueryLimits
from crosstrail.errors import (
    InvalidRequest,
    QueryCancelled,
    QueryFailed,
    QueryTimedOut,
    SqlRejected,
    StalePageToken,
)
from crosstrail.models import Account, QueryRef, QueryState
from lake_workspace import collect

OURS = Account(id=ACCOUNT, alias="prod")
THEIRS = Account(id="999999999999", alias="other")
BOTH = QueryScope((OURS, THEIRS))
EVENTS = 5
ENDLESS = (
    "SELECT count(*) FROM "
    + ", ".join(f"UNNEST(sequence(1, 10000)) AS t{n}(x{n})" for n in range(4))
    + " WHERE x0 + x1 + x2 * x3 = -1"
)

Opened = Callable[..., QueryEngine]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of EVENTS events of OURS and one of THEIRS."""
    import json

    folder = tmp_path_factory.mktemp("engine")
    records = [record(number) for number in range(EVENTS)]
    records.append(record(77, recipientAccountId=THEIRS.id, eventName="Foreign"))
    (folder / "logs.json").write_text(json.dumps({"Records": records}))
    collect(folder / "logs.json", folder / "lake")
    return folder / "lake"


@asynccontextmanager
async def _engine(
    lake: Path, limits: QueryLimits | None = None, result_seconds: float = 3600
) -> AsyncIterator[LakeEngine]:
    engine = LakeEngine(lake, limits=limits or QueryLimits(), result_seconds=result_seconds)
    try:
        yield engine
    finally:
        await engine.aclose()


def _test(body: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(300):
            await body()

    anyio.run(limited)


async def _ended(engine: QueryEngine, ref: QueryRef, scope: QueryScope = BOTH) -> QueryState:
    while not (status := await engine.status(ref, scope)).state.ended:  # noqa: ASYNC110 - there is no event to wait for
        await anyio.sleep(0.02)
    return status.state


def _running(lake: Path) -> list[str]:
    """The queries that run, by their ids."""
    return [path.parent.name for path in lake.glob("results/*/status.json") if '"RUNNING"' in path.read_text()]


def test_rows_come_as_text_in_pages(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            sql = "SELECT eventTime, eventName, readOnly, errorCode, requestParameters, 1.5e0, count(*) OVER () FROM prod ORDER BY eventid"
            page = await run(engine, sql, BOTH, limit=2, wait_seconds=200)
            assert page.columns == (
                "eventTime",
                "eventName",
                "readOnly",
                "errorCode",
                "requestParameters",
                "_col5",
                "_col6",
            )
            assert page.rows[0] == (
                "2026-03-01 00:00:07.000",
                "CreateUser",
                "false",
                None,
                '{"userName":"user-0"}',
                "1.5",
                "5",
            )
            assert page.status.rows == EVENTS
            seen = list(page.rows)
            while page.next_token:
                page = await engine.results(page.status.ref, BOTH, page_token=page.next_token, limit=2)
                assert len(page.rows) <= 2
                seen += page.rows
            assert [row[4] for row in seen] == [f'{{"userName":"user-{n}"}}' for n in range(EVENTS)]

    _test(body)


def test_only_files_of_the_scope_are_read(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            for scope, count in (
                (BOTH, "6"),
                (QueryScope((OURS,)), "5"),
                (QueryScope((THEIRS,)), "1"),
                (QueryScope(()), "0"),
            ):
                page = await run(engine, "SELECT count(*) FROM events", scope, limit=1, wait_seconds=200)
                assert page.rows == ((count,),)

    _test(body)


def test_the_same_id_in_another_cloud_is_another_account(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            scope = QueryScope((Account(id=ACCOUNT, cloud="volcengine"),))
            assert (await run(engine, "SELECT count(*) FROM events", scope, limit=1, wait_seconds=200)).rows == (
                ("0",),
            )

    _test(body)


def test_a_query_is_readable_only_with_all_its_accounts(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            page = await run(engine, "SELECT eventname FROM events", BOTH, limit=10, wait_seconds=200)
            unknown = QueryRef("lake", "*", "", str(uuid.uuid4()))
            texts = set()
            for ref, scope in (
                (page.status.ref, QueryScope((OURS,))),
                (unknown, BOTH),
                (QueryRef("lake", "*", "", "../../etc"), BOTH),
            ):
                for call in (engine.status, engine.results, engine.cancel):
                    with pytest.raises(InvalidRequest) as caught:
                        await call(ref, scope)
                    texts.add(caught.value.text)
            assert len(texts) == 1
            assert (await engine.status(page.status.ref, BOTH)).state is QueryState.FINISHED

    _test(body)


def test_another_process_that_shares_the_folder_answers(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as first:
            page = await run(first, "SELECT eventname FROM prod ORDER BY eventid", BOTH, limit=1, wait_seconds=200)
        async with _engine(lake) as second:
            again = await second.results(page.status.ref, BOTH, page_token=page.next_token, limit=100)
            assert len(again.rows) == EVENTS - 1

    _test(body)


def test_a_refused_statement_starts_nothing(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            before = sorted((lake / "results").iterdir()) if (lake / "results").exists() else []
            with pytest.raises(SqlRejected):
                await engine.start("SELECT * FROM '/etc/passwd'", BOTH)
            assert before == (sorted((lake / "results").iterdir()) if (lake / "results").exists() else [])

    _test(body)


def test_page_tokens_belong_to_their_query(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            one = await run(engine, "SELECT eventname FROM prod", BOTH, limit=1, wait_seconds=200)
            other = await run(engine, "SELECT eventid FROM prod", BOTH, limit=1, wait_seconds=200)
            for token in (other.next_token, "x", "é", one.next_token[:-3], "bnVsbA"):
                with pytest.raises(StalePageToken):
                    await engine.results(one.status.ref, BOTH, page_token=token)

    _test(body)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1 / (count(*) - 5) FROM prod", "Division by zero"),
        ("SELECT CAST(eventname AS bigint) FROM prod", "a text is no bigint"),
        ("SELECT requestparameters['nothing'] FROM prod", "a map lacks the key"),
        ("SELECT 9223372036854775807 + count(*) FROM prod", "out of range"),
    ],
)
def test_a_failing_query_says_why_and_shows_no_value(lake: Path, sql: str, words: str) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            with pytest.raises(QueryFailed, match=words) as caught:
                await run(engine, sql, BOTH, limit=1, wait_seconds=200)
            assert "CreateUser" not in caught.value.text

    _test(body)


def test_too_large_a_result_is_refused_not_cut(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake, QueryLimits(rows=3)) as engine:
            with pytest.raises(QueryFailed, match="more than 3 rows"):
                await run(engine, "SELECT eventid FROM prod", BOTH, limit=1, wait_seconds=200)

    _test(body)


def test_memory_is_limited(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake, QueryLimits(memory="40MB")) as engine:
            sql = "SELECT count(*) FROM (SELECT DISTINCT a, b FROM UNNEST(sequence(1, 10000)) AS t(a), UNNEST(sequence(1, 10000)) AS u(b))"
            with pytest.raises(QueryFailed, match="more memory than 40MB"):
                await run(engine, sql, BOTH, limit=1, wait_seconds=200)

    _test(body)


def test_time_is_limited(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake, QueryLimits(seconds=0.3)) as engine:
            with pytest.raises(QueryTimedOut, match=r"0\.3 s"):
                await run(engine, ENDLESS, BOTH, limit=1, wait_seconds=200)

    _test(body)


def test_cancel_stops_a_query_and_leaves_an_ended_one(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            ref = await engine.start(ENDLESS, BOTH)
            await engine.cancel(ref, BOTH)
            assert await _ended(engine, ref) is QueryState.CANCELLED
            done = await run(engine, "SELECT 1", BOTH, limit=1, wait_seconds=200)
            assert (await engine.cancel(done.status.ref, BOTH)).state is QueryState.FINISHED

    _test(body)


def test_another_process_cancels_a_query(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as runs, _engine(lake) as cancels:
            ref = await runs.start(ENDLESS, BOTH)
            await cancels.cancel(ref, BOTH)
            assert await _ended(cancels, ref) is QueryState.CANCELLED
            with pytest.raises(QueryCancelled):
                await run_to_end(runs, ref)

    async def run_to_end(engine: QueryEngine, ref: QueryRef) -> None:
        from crosstrail.engines.base import finished

        finished(await engine.results(ref, BOTH))

    _test(body)


def test_cancelling_the_caller_stops_the_query(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            async with anyio.create_task_group() as group:
                group.start_soon(partial(run, engine, ENDLESS, BOTH, limit=1, wait_seconds=200))
                while not (running := _running(lake)):  # noqa: ASYNC110 - there is no event to wait for
                    await anyio.sleep(0.02)
                group.cancel_scope.cancel()
            [query] = running
            assert await _ended(engine, QueryRef("lake", "*", "", query)) is QueryState.CANCELLED

    _test(body)


def test_more_queries_than_places_wait_their_turn(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake, QueryLimits(at_once=1)) as engine:
            first = await engine.start(ENDLESS, BOTH)
            second = await engine.start("SELECT 1", BOTH)
            assert (await engine.status(second, BOTH)).state is QueryState.QUEUED
            await engine.cancel(first, BOTH)
            assert await _ended(engine, second) is QueryState.FINISHED

    _test(body)


def test_results_expire(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake, result_seconds=0.0) as engine:
            ref = await engine.start(ENDLESS, BOTH)
            await engine.cancel(ref, BOTH)
            with pytest.raises(InvalidRequest):
                await _ended(engine, ref)
            assert not (lake / "results" / ref.native_id).exists()

    _test(body)


def test_a_query_whose_process_was_killed_has_failed(lake: Path) -> None:
    program = f"""
        import anyio
        from pathlib import Path
        from crosstrail.engines.base import QueryScope
        from crosstrail.engines.duckdb import LakeEngine
        async def main():
            engine = LakeEngine(Path({str(lake)!r}))
            print(await engine.start({ENDLESS!r}, QueryScope(())), flush=True)
            await anyio.sleep_forever()
        anyio.run(main)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        ref = QueryRef.parse(child.stdout.readline().strip())
        assert ref is not None

        async def body(killed: bool) -> None:
            async with _engine(lake) as engine:
                status = await engine.status(ref, BOTH)
                assert (status.state is QueryState.FAILED) == killed
                assert ("has ended" in status.error) == killed

        _test(lambda: body(killed=False))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        _test(lambda: body(killed=True))


def test_with_no_lake_the_tables_are_empty(tmp_path: Path) -> None:
    async def body() -> None:
        async with _engine(tmp_path / "none") as engine:
            page = await run(engine, "SELECT * FROM prod", BOTH, limit=1, wait_seconds=200)
            assert page.rows == ()
            assert len(page.columns) == 39

    _test(body)


def test_the_event_loop_runs_on_meanwhile(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine, anyio.create_task_group() as tasks:
            beats = 0

            async def beat() -> None:
                nonlocal beats
                while True:
                    beats += 1
                    await anyio.lowlevel.checkpoint()

            tasks.start_soon(beat)
            await run(engine, "SELECT count(*) FROM events", BOTH, limit=1, wait_seconds=200)
            assert beats > 10
            tasks.cancel_scope.cancel()

    _test(body)


def test_now_is_the_same_moment_throughout(lake: Path) -> None:
    async def body() -> None:
        async with _engine(lake) as engine:
            sql = "SELECT now() = current_timestamp, current_date, date(now()) = current_date"
            began = datetime.now(UTC).date()
            (row,) = (await run(engine, sql, BOTH, limit=1, wait_seconds=200)).rows
            assert row[0] == row[2] == "true"
            assert f"{began}" <= str(row[1])[:10] <= f"{datetime.now(UTC).date()}"

    _test(body)
