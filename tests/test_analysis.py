"""Statements of crosstrail's own over the lake: whose events they read, of which times, and what bounds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from crosstrail.accounts.policy import AccessRule, Principal, granted
from crosstrail.engines.analysis import Analysis
from crosstrail.engines.base import run
from crosstrail.errors import InvalidRequest, LakeError, QueryTimedOut
from crosstrail.timerange import TimeRange
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from lake_workspace import DEV, NOON, PROD, collect, record, settings, write_logs
from running_server import PATIENCE

pytestmark = pytest.mark.anyio
KEYS = (("aws", PROD), ("aws", DEV))
SLOW = "SELECT count(*) FROM range(10_000_000_000) a, range(10) b WHERE a.range * b.range % 7 = 1"
COUNTS = "SELECT account, count(*) FROM events GROUP BY ALL ORDER BY ALL"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("analysis")
    write_logs(
        folder / "logs",
        [record(account, number, NOON + timedelta(minutes=number)) for account in (PROD, DEV) for number in range(10)],
    )
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


@pytest.fixture
async def workspace(lake: Path) -> AsyncIterator[Workspace]:
    opened = Workspace(settings(lake))
    yield opened
    await opened.aclose()


async def rows(workspace: Workspace, *statements: str, **more: Any) -> Sequence[Sequence[Sequence[object]]]:
    asked = Analysis(statements, more.pop("accounts", KEYS), **more)
    return (await ScopedWorkspace(workspace).analyze(asked)).tables


async def test_each_account_by_itself_and_only_those_asked(workspace: Workspace) -> None:
    assert await rows(workspace, COUNTS) == (((PROD, 10), (DEV, 10)),)
    assert await rows(workspace, COUNTS, accounts=[("aws", DEV)]) == (((DEV, 10),),)
    assert await rows(workspace, COUNTS, accounts=()) == ((),)


async def test_only_events_of_the_span_both_ends_included(workspace: Workspace) -> None:
    span = TimeRange(NOON + timedelta(minutes=2), NOON + timedelta(minutes=5))
    assert await rows(workspace, COUNTS, span=span) == (((PROD, 4), (DEV, 4)),)


async def test_a_statement_may_make_a_table_for_the_next(workspace: Workspace) -> None:
    some = "CREATE TEMP TABLE some AS SELECT * FROM events WHERE eventtime = min_by(eventtime, eventtime)"
    with pytest.raises(LakeError):
        await rows(workspace, some)
    first = "CREATE TEMP TABLE first AS SELECT account, min(eventtime) AS at FROM events GROUP BY ALL"
    assert await rows(workspace, first, "SELECT * FROM first ORDER BY ALL LIMIT 1", "SELECT 1") == (
        ((PROD, "2026-11-19T12:00:00Z"),),
        ((1,),),
    )


async def test_an_account_that_the_principal_may_not_see_is_refused(workspace: Workspace) -> None:
    rule = AccessRule.model_validate({"who": ["*"], "accounts": ["prod"]})
    some = ScopedWorkspace(workspace, granted(Principal(subject="alice"), [rule]))
    assert (await some.analyze(Analysis([COUNTS], [("aws", PROD)]))).tables == (((PROD, 10),),)
    with pytest.raises(InvalidRequest, match="not among"):
        await some.analyze(Analysis([COUNTS], KEYS))


async def test_too_many_rows_bytes_or_seconds_fail_it(workspace: Workspace, lake: Path) -> None:
    with pytest.raises(LakeError, match="more than 3 rows"):
        await rows(workspace, "SELECT * FROM range(4)", rows=3)
    with pytest.raises(LakeError, match="bytes"):
        await rows(workspace, "SELECT repeat('x', 60_000_000)")
    slow = Workspace(settings(lake, query={"time_limit": 1}))
    with pytest.raises(QueryTimedOut, match="limit of 1 s"):
        await rows(slow, SLOW)
    await slow.aclose()


async def test_no_file_beside_the_lakes_can_be_read(workspace: Workspace) -> None:
    with pytest.raises(LakeError):
        await rows(workspace, "SELECT * FROM read_text('/etc/hostname')")


async def test_many_analyses_leave_queries_their_place(workspace: Workspace) -> None:
    ended: list[str] = []

    async def slow() -> None:
        await rows(workspace, SLOW)
        ended.append("analysis")

    scope = await ScopedWorkspace(workspace).scope("*")
    async with anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(slow)
        await anyio.lowlevel.checkpoint()  # all of them ask before the query does
        page = await run(workspace.engine(), "SELECT count(*) FROM events", scope, limit=1, wait_seconds=PATIENCE)
        group.cancel_scope.cancel()
    assert (page.rows, ended) == ((("20",),), [])
