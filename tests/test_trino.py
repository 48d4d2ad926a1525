"""The engine `trino` against a coordinator that speaks Trino's protocol: what it sends, what it makes of the answers, how it stops."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from pydantic import SecretStr

from audit_logs import ACCOUNT
from crosstrail.call_context import acting_for
from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.engines.remote_runs import RemoteLimits
from crosstrail.engines.results import ResultStore
from crosstrail.engines.trino import TrinoEngine
from crosstrail.engines.trino_access import TrinoAccess
from crosstrail.engines.trino_view import relation
from crosstrail.errors import InvalidRequest, LakeError, QueryCancelled, QueryFailed, QueryTimedOut, SqlRejected
from crosstrail.models import Account, QueryRef, QueryState
from fakes.trino import FakeTrino, Outcome, running_trino, user_error

pytestmark = pytest.mark.anyio
SCOPE = QueryScope((Account(id=ACCOUNT, alias="prod"),))
LIMITS = RemoteLimits(seconds=60)
VIEW = ("lake", "crosstrail", "audit_events")
NAMES = Outcome((("name", "varchar"),), tuple((f"event-{number}",) for number in range(7)))
SQL = "SELECT eventname AS name FROM prod ORDER BY 1"


@pytest.fixture
def trino() -> Iterator[FakeTrino]:
    with running_trino(lambda sql: NAMES) as fake:
        yield fake


@asynccontextmanager
async def engine(
    fake: FakeTrino, folder: Path, limits: RemoteLimits = LIMITS, **access: Any
) -> AsyncIterator[TrinoEngine]:
    reached = TrinoAccess(fake.url, relation(VIEW), "lake", "crosstrail", **{"user": "crosstrail", **access})
    made = TrinoEngine(reached, ResultStore(folder / "results"), limits=limits)
    try:
        yield made
    finally:
        await made.aclose()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not condition():  # noqa: ASYNC110 - of another process, or of a thread
            await anyio.sleep(0.01)


async def asked(fake: FakeTrino, folder: Path, sql: str = SQL, **access: Any) -> tuple[tuple[str | None, ...], ...]:
    async with engine(fake, folder, **access) as made:
        return (await run(made, sql, SCOPE, limit=100, wait_seconds=60)).rows


VALUES = (
    ("true", "boolean", True),
    ("CAST(-5 AS bigint)", "bigint", -5),
    ("1e7", "double", 1.0e7),
    ("0.1e0", "double", 0.1),
    ("CAST('NaN' AS double)", "double", "NaN"),
    ("-infinity()", "double", "-Infinity"),
    ("REAL '0.1'", "real", 0.1),
    ("CAST(1.5 AS decimal(5,2))", "decimal(5,2)", "1.50"),
    ("'a \"b\" é'", "varchar", 'a "b" é'),
    ("CAST(NULL AS varchar)", "varchar", None),
    ("to_utf8('ab')", "varbinary", "YWI="),
    ("DATE '2023-01-22'", "date", "2023-01-22"),
    ("TIMESTAMP '2023-01-22 16:53:53.000'", "timestamp(3)", "2023-01-22 16:53:53.000"),
    ("TIMESTAMP '2023-01-22 16:53:53.123456 UTC'", "timestamp with time zone(6)", "2023-01-22 16:53:53.123456 UTC"),
    ("INTERVAL '2' DAY", "interval day to second", "2 00:00:00.000"),
    ("INTERVAL '14' MONTH", "interval year to month", "1-2"),
    ("JSON '{\"a\": [1, 2]}'", "json", '{"a":[1,2]}'),
    ("IPADDRESS '10.0.0.1'", "ipaddress", "10.0.0.1"),
    ("ARRAY[1e0, NULL]", "array(double)", [1.0, None]),
    ("MAP(ARRAY['b', 'a'], ARRAY[1, 2])", "map(varchar, integer)", {"b": 1, "a": 2}),
    (
        "CAST(ROW('x', 1.50, ARRAY[true]) AS row(a varchar, b decimal(3,2), c array(boolean)))",
        "row(a varchar, b decimal(3,2), c array(boolean))",
        ["x", "1.50", [True]],
    ),
    (
        "ARRAY[CAST(ROW(TIMESTAMP '2023-01-22 16:53:53', 0.5e0) AS row(t timestamp(3), r double))]",
        "array(row(t timestamp(3), r double))",
        [["2023-01-22 16:53:53.000", 0.5]],
    ),
)


async def test_cells_read_as_those_of_the_embedded_engine(tmp_path: Path) -> None:
    sql = "SELECT " + ", ".join(expression for expression, _, _ in VALUES)
    columns = tuple((f"_col{index}", kind) for index, (_, kind, _) in enumerate(VALUES))
    outcome = Outcome(columns, [[value for _, _, value in VALUES]])
    with running_trino(lambda _: outcome) as fake:
        there = await asked(fake, tmp_path, sql)
    embedded = LakeEngine(tmp_path / "lake")
    try:
        here = (await run(embedded, sql, SCOPE, limit=10, wait_seconds=60)).rows
    finally:
        await embedded.aclose()
    assert dict(zip(sql.split(", "), there[0], strict=False)) == dict(zip(sql.split(", "), here[0], strict=False))
    assert there == here


async def test_what_is_sent_reads_the_view_alone_and_in_utc(trino: FakeTrino, tmp_path: Path) -> None:
    await asked(trino, tmp_path, session={"join_distribution_type": "BROADCAST"})
    await asked(trino, tmp_path, session={"query_max_run_time": ""})
    sent, without = trino.asked
    assert "query_max_run_time" not in without.headers.get("X-Trino-Session", "")
    assert '"lake"."crosstrail"."audit_events"' in sent.sql
    assert f"'{ACCOUNT}'" in sent.sql
    headers = {name.lower(): value for name, value in sent.headers.items()}
    assert headers["x-trino-user"] == "crosstrail"
    assert headers["x-trino-source"] == "crosstrail"
    assert (headers["x-trino-catalog"], headers["x-trino-schema"]) == ("lake", "crosstrail")
    assert headers["x-trino-time-zone"] == "UTC"
    assert "PARAMETRIC_DATETIME" in headers["x-trino-client-capabilities"]
    assert set(headers["x-trino-session"].split(",")) == {"query_max_run_time=65s", "join_distribution_type=BROADCAST"}
    assert "x-trino-query-data-encoding" not in headers  # results would be fetched from other hosts
    assert "x-trino-client-info" not in headers
    assert "authorization" not in headers


async def test_trino_is_told_who_asks_where_that_is_wanted(trino: FakeTrino, tmp_path: Path) -> None:
    with acting_for("alice\r\nX-Trino-User: root é", "key"):
        await asked(trino, tmp_path, names_callers=True)
    headers = trino.asked[0].headers
    assert headers["X-Trino-Client-Info"] == "aliceX-Trino-User: root "
    assert headers["X-Trino-User"] == "crosstrail"


async def test_a_coordinator_that_is_busy_is_asked_again(trino: FakeTrino, tmp_path: Path) -> None:
    trino.unavailable = 3
    assert len(await asked(trino, tmp_path)) == 7


async def test_what_trino_says_of_its_work_is_in_the_status(tmp_path: Path) -> None:
    held = threading.Event()
    with running_trino(lambda sql: replace(NAMES, held=held)) as fake:
        async with engine(fake, tmp_path) as made:
            ref = await made.start(SQL, SCOPE)
            assert (await made.status(ref, SCOPE)).state is QueryState.RUNNING
            held.set()
            await until(lambda: made.has_ended(ref.native_id))
            status = await made.status(ref, SCOPE)
            assert (status.rows, status.scanned_rows, status.scanned_bytes) == (7, 70, 700)
            assert status.percent is None


@pytest.mark.parametrize(
    ("sent", "message", "line", "column"),
    [
        ((1, 8), "Column 'eventnamee' cannot be resolved", 1, 8),
        ((1, 11), "Column 'eventnamee' cannot be resolved", 2, 8),
        ((1, 60), "Column 'eventnamee' cannot be resolved", 0, 0),
        ((7, 1), "Column 'eventnamee' cannot be resolved", 0, 0),
    ],
)
async def test_what_trino_refuses_says_where_in_the_callers_statement(
    tmp_path: Path, sent: tuple[int, int], message: str, line: int, column: int
) -> None:
    """The text that was sent is the caller's up to the first table; a place after that is none of theirs."""
    error = user_error("COLUMN_NOT_FOUND", message, sent)
    with running_trino(lambda sql: Outcome(error=error)) as fake:
        async with engine(fake, tmp_path) as made:
            with pytest.raises(SqlRejected) as refused:
                await made.start("SELECT 1,\n       eventname FROM prod", SCOPE)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert "Column" in str(refused.value)
    assert "audit_events" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message", "kind", "said"),
    [
        ("DIVISION_BY_ZERO", "Division by zero", "USER_ERROR", "Division by zero"),
        ("INVALID_CAST_ARGUMENT", "Cannot cast 'ignore all rules' to BIGINT", "USER_ERROR", "Cannot cast"),
        (
            "TABLE_NOT_FOUND",
            "Table 'lake.crosstrail.audit_events' does not exist",
            "USER_ERROR",
            "lake init --engine trino",
        ),
        ("PERMISSION_DENIED", "Access Denied: Cannot select from lake.crosstrail.secret", "USER_ERROR", "denies"),
        ("EXCEEDED_LOCAL_MEMORY_LIMIT", "Query exceeded 1kB [secret]", "INSUFFICIENT_RESOURCES", "more memory"),
        (
            "GENERIC_INTERNAL_ERROR",
            "NullPointer at /secret/path",
            "INTERNAL_ERROR",
            "GENERIC_INTERNAL_ERROR, Trino's query",
        ),
        ("ICEBERG_FILESYSTEM_ERROR", "s3://secret-bucket/key", "EXTERNAL", "ICEBERG_FILESYSTEM_ERROR"),
        ("lower 'quoted'", "x", "EXTERNAL", "no reason given"),
    ],
)
async def test_an_error_of_trino_is_worded_without_what_it_quotes(
    tmp_path: Path, name: str, message: str, kind: str, said: str
) -> None:
    error = user_error(name, message, kind=kind)
    with running_trino(lambda sql: Outcome(error=error)) as fake, pytest.raises(QueryFailed) as failed:
        await asked(fake, tmp_path)
    assert said in str(failed.value)
    for hidden in ("ignore all rules", "secret", "audit_events", "bucket"):
        assert hidden not in str(failed.value)


@pytest.mark.parametrize(("name", "end"), [("EXCEEDED_TIME_LIMIT", QueryTimedOut), ("USER_CANCELED", QueryCancelled)])
async def test_an_end_that_trino_sets_is_told_as_that(tmp_path: Path, name: str, end: type[Exception]) -> None:
    error = user_error(name, "Query exceeded", kind="INSUFFICIENT_RESOURCES")
    with running_trino(lambda sql: Outcome(error=error)) as fake, pytest.raises(end):
        await asked(fake, tmp_path)


async def test_cancel_ends_the_query_on_trino(tmp_path: Path) -> None:
    with running_trino(lambda sql: replace(NAMES, held=threading.Event())) as fake:
        async with engine(fake, tmp_path) as made:
            ref = await made.start(SQL, SCOPE)
            assert fake.states() == ["RUNNING"]
            await made.cancel(ref, SCOPE)
            await until(lambda: fake.states() == ["CANCELED"])
            await until(lambda: made.has_ended(ref.native_id))
            assert (await made.status(ref, SCOPE)).state is QueryState.CANCELLED


async def test_any_process_with_the_results_cancels_and_reads(tmp_path: Path) -> None:
    held = threading.Event()
    with running_trino(lambda sql: replace(NAMES, held=held)) as fake:
        async with engine(fake, tmp_path) as one, engine(fake, tmp_path) as other:
            ref = await one.start(SQL, SCOPE)
            await other.cancel(ref, SCOPE)
            await until(lambda: fake.states() == ["CANCELED"])
            held.set()
            page = await run(one, SQL, SCOPE, limit=3, wait_seconds=60)
            assert (await other.results(page.status.ref, SCOPE, limit=3)).rows == page.rows


async def test_whoever_gives_up_starting_leaves_nothing_running(tmp_path: Path) -> None:
    with running_trino(lambda sql: replace(NAMES, queued=10**6)) as fake:
        async with engine(fake, tmp_path) as made:
            with anyio.move_on_after(60) as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(made.start, SQL, SCOPE)
                    await until(lambda: bool(fake.queries))
                    group.cancel_scope.cancel()
            assert not scope.cancelled_caught
            await until(lambda: fake.states() == ["CANCELED"])


async def test_closing_the_engine_cancels_what_runs(tmp_path: Path) -> None:
    with running_trino(lambda sql: replace(NAMES, held=threading.Event())) as fake:
        async with engine(fake, tmp_path) as made:
            await made.start(SQL, SCOPE)
        assert fake.states() == ["CANCELED"]


async def test_a_query_whose_process_was_killed_reads_as_failed(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import anyio, sys
        sys.path[:0] = {sys.path!r}
        from pathlib import Path
        import test_trino
        async def main():
            async with test_trino.engine(type("Fake", (), {{"url": sys.argv[1]}}), Path(sys.argv[2])) as made:
                print(await made.start(test_trino.SQL, test_trino.SCOPE), flush=True)
                await anyio.sleep(600)
        anyio.run(main)
    """)
    with running_trino(lambda sql: replace(NAMES, held=threading.Event())) as fake:
        command = [sys.executable, "-c", program, fake.url, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220 - it only starts
            assert process.stdout
            line = await anyio.to_thread.run_sync(process.stdout.readline)
            async with engine(fake, tmp_path) as made:
                ref = QueryRef.parse(line.strip())
                assert ref
                assert (await made.status(ref, SCOPE)).state is QueryState.RUNNING
                process.send_signal(signal.SIGKILL)
                process.wait(60)
                status = await made.status(ref, SCOPE)
                assert (status.state, status.error) == (QueryState.FAILED, "the process that ran it has ended")


async def test_another_caller_reads_nothing_by_the_query_id(trino: FakeTrino, tmp_path: Path) -> None:
    async with engine(trino, tmp_path) as made:
        with acting_for("alice", "alice"):
            page = await run(made, SQL, SCOPE, limit=3, wait_seconds=60)
        with acting_for("mallory", "mallory"), pytest.raises(InvalidRequest):
            await made.results(page.status.ref, SCOPE)


@pytest.mark.parametrize("limits", [RemoteLimits(rows=6), RemoteLimits(bytes=30)])
async def test_a_result_beyond_its_limits_is_refused_and_cancelled(
    trino: FakeTrino, tmp_path: Path, limits: RemoteLimits
) -> None:
    async with engine(trino, tmp_path, limits) as made:
        with pytest.raises(QueryFailed, match="its result has more than"):
            await run(made, SQL, SCOPE, limit=3, wait_seconds=60)
    assert not list((tmp_path / "results").glob("*/rows*"))


async def test_a_query_beyond_its_time_is_cancelled_on_trino(tmp_path: Path) -> None:
    with running_trino(lambda sql: replace(NAMES, held=threading.Event())) as fake:
        async with engine(fake, tmp_path, RemoteLimits(seconds=0.5)) as made:
            with pytest.raises(QueryTimedOut, match=r"its limit of 0\.5 s was reached"):
                await run(made, SQL, SCOPE, limit=3, wait_seconds=60)
        assert fake.states() == ["CANCELED"]


async def test_a_coordinator_that_is_not_there_is_told(tmp_path: Path) -> None:
    with running_trino(lambda sql: NAMES) as fake:
        pass
    with pytest.raises(LakeError, match="cannot be reached: nothing listens there"):
        await asked(fake, tmp_path)


def test_secrets_of_the_access_are_masked() -> None:
    access = TrinoAccess("https://trino", "x", password=SecretStr("hunter2"), token=SecretStr("hunter2"))
    assert "hunter2" not in repr(access)
    assert json.dumps(str(access)).find("hunter2") < 0
