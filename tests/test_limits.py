"""What one principal may ask: the limits by a clock of the test's own, and the words of a refusal."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from mcp import Client

from crosstrail.accounts.policy import Principal
from crosstrail.errors import LimitReached
from crosstrail.server.access.limits import Limits
from crosstrail.server.app import create_server
from crosstrail.settings.server_settings import LimitSettings
from crosstrail.workspace.workspace import Workspace
from lake_workspace import Always, settings, text_of
from live_aws import PROD, LiveAws
from running_server import PATIENCE
from test_access import as_

pytestmark = pytest.mark.anyio


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


_opened: list[Limits] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def limits(clock: Clock, shared: str = "", **most: int) -> Limits:
    _opened.append(Limits(LimitSettings(**most), longest_query=600, shared=shared, clock=clock))
    return _opened[-1]


async def call(made: Limits, who: str = "a", *, query: bool = False) -> None:
    async with made.admitted(who, query=query):
        pass


async def test_calls_a_minute_come_back_as_time_passes() -> None:
    clock = Clock()
    made = limits(clock, calls_per_minute=6)
    for _ in range(6):
        await call(made)
    with pytest.raises(LimitReached) as refused:
        await call(made)
    assert "6 calls a minute" in str(refused.value)
    await call(made, "b")
    clock.now += refused.value.retry_after - 1.6
    with pytest.raises(LimitReached):
        await call(made)
    clock.now += 1.6
    await call(made)
    clock.now += 3600
    for _ in range(6):
        await call(made)
    with pytest.raises(LimitReached):
        await call(made)


async def test_calls_at_once() -> None:
    made = limits(Clock(), concurrent_calls=2)
    async with made.admitted("a"), made.admitted("a"):
        with pytest.raises(LimitReached, match="2 calls at once"):
            await call(made)
        await call(made, "b")
    await call(made)


async def test_queries_at_once_count_those_that_were_left_running() -> None:
    clock = Clock()
    made = limits(clock, queries_at_once=2)
    await made.query_is("a", "one", "RUNNING")
    async with made.admitted("a", query=True):
        with pytest.raises(LimitReached, match="2 queries at once"):
            await call(made, query=True)
        await call(made)
    await made.query_is("a", "two", "QUEUED")
    await made.query_is("a", "two", "RUNNING")
    with pytest.raises(LimitReached) as refused:
        await call(made, query=True)
    assert "cancel_query" in refused.value.hint
    assert refused.value.retry_after == 60
    await call(made, "b", query=True)
    await made.query_is("a", "two", "CANCELLED")
    await call(made, query=True)
    await made.query_is("a", "three", "RUNNING")
    clock.now += 601
    await call(made, query=True)


async def test_a_query_that_ended_unasked_leaves_its_place_to_the_next(tmp_path: Path) -> None:
    ended: set[str] = set()
    shared = str(tmp_path / "limits.db")
    one, other = (
        Limits(
            LimitSettings(queries_at_once=2), longest_query=600, shared=shared, clock=Clock(), ended=ended.__contains__
        )
        for _ in range(2)
    )
    _opened.extend((one, other))
    await one.query_is("a", "first", "RUNNING")
    await one.query_is("a", "second", "QUEUED")
    with pytest.raises(LimitReached):
        await call(other, query=True)
    ended.add("second")
    await call(other, query=True)
    await other.query_is("a", "third", "RUNNING")
    with pytest.raises(LimitReached):
        await call(one, query=True)


async def test_a_clouds_query_counts_no_longer_than_it_may_be_unknown() -> None:
    clock = Clock()
    made = limits(clock, queries_at_once=1)
    await made.query_is("a", "cloud", "RUNNING", longest=120)
    with pytest.raises(LimitReached):
        await call(made, query=True)
    clock.now += 121
    await call(made, query=True)


def _finished(folder: Path) -> int:
    return sum('"FINISHED"' in one.read_text() for one in folder.rglob("status.json"))


async def test_queries_that_ended_by_themselves_lock_nobody_out(tmp_path: Path) -> None:
    """None of them is asked after: what counts is that they have ended."""
    rules = ({"who": ["*"], "accounts": ["*"]},)
    async with as_(Principal(subject="1"), tmp_path, rules, limits={"queries_at_once": 1}) as client:
        for number in range(3):
            answer = await client.call_tool("lake_query", {"sql": f"SELECT {number}", "wait_for_completion": False})
            assert not answer.is_error, text_of(answer)
            with anyio.fail_after(PATIENCE):
                while _finished(tmp_path) <= number:  # noqa: ASYNC110 - there is no event to wait for
                    await anyio.sleep(0.02)


async def test_a_clouds_query_that_ended_gives_its_place_back_at_once(aws: LiveAws) -> None:
    """Nobody asked after it: whoever needs the place has it looked for."""
    aws.keys_account(PROD, "prod")
    account = aws.world.accounts[PROD]
    asked = {
        "sql": f"SELECT 1 FROM {account.add_store('theirs').rpartition('/')[2]}",
        "wait_for_completion": False,
        "engine": "cloudtrail_lake",
    }
    workspace = Workspace(aws.settings(access=({"who": ["*"], "accounts": ["*"]},), limits={"queries_at_once": 1}))
    admission = Always(workspace, Principal(subject="1"))
    async with Client(create_server(workspace, admission)) as client:
        account.outcome.states = ["FAILED"]
        assert not (await client.call_tool("lake_query", asked)).is_error
        account.outcome.states = ["RUNNING"]
        second = await client.call_tool("lake_query", asked)
        assert not second.is_error, text_of(second)
        third = await client.call_tool("lake_query", asked)
        assert "1 queries at once" in text_of(third)
        next(one for one in account.queries.values() if one.states == ["RUNNING"]).states = ["FINISHED"]
        fourth = await client.call_tool("lake_query", asked)
        assert not fourth.is_error, text_of(fourth)
    admission.close()
    await workspace.aclose()


async def test_an_end_that_another_caller_saw_gives_the_place_back() -> None:
    made = limits(Clock(), queries_at_once=1)
    await made.query_is("a", "one", "RUNNING")
    assert await made.in_the_way("a") == ("one",)
    assert await made.in_the_way("b") == ()
    await made.query_is("b", "one", "FINISHED")
    assert await made.in_the_way("a") == ()
    await call(made, "a", query=True)


async def test_what_is_counted_is_bounded_and_the_latest_is_kept(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "limits.db"
    made = limits(clock, calls_per_minute=1, shared=str(file))
    for number in range(12_000):
        clock.now += 0.001
        await call(made, f"p{number}")
    with pytest.raises(LimitReached):
        await call(made, "p11999")
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT count(*) FROM used").fetchone() == (10_000,)
        assert database.execute("SELECT count(*) FROM running").fetchone() == (0,)
    assert b"p11999" not in file.read_bytes()


async def test_processes_count_together(tmp_path: Path) -> None:
    clock, shared = Clock(), str(tmp_path / "limits.db")
    one, other = (
        limits(clock, shared=shared, calls_per_minute=6, concurrent_calls=2, queries_at_once=1) for _ in range(2)
    )
    async with one.admitted("a"), other.admitted("a"):
        for made in (one, other):
            with pytest.raises(LimitReached, match="2 calls at once"):
                await call(made)
            await call(made, "b")
    await one.query_is("a", "q", "RUNNING")
    with pytest.raises(LimitReached, match="1 queries at once"):
        await call(other, query=True)
    await other.query_is("a", "q", "FINISHED")
    for made in (one, other, one, other):
        await call(made)
    for made in (one, other):
        with pytest.raises(LimitReached, match="6 calls a minute"):
            await call(made)


async def _hold(shared: str) -> None:
    async with Limits(LimitSettings(concurrent_calls=1), longest_query=600, shared=shared).admitted("a"):
        os.kill(os.getpid(), signal.SIGKILL)


async def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    shared = str(tmp_path / "limits.db")
    killed = multiprocessing.get_context("spawn").Process(target=anyio.run, args=(_hold, shared))
    killed.start()
    killed.join(300)
    assert killed.exitcode == -signal.SIGKILL
    made = Limits(LimitSettings(concurrent_calls=1), longest_query=600, shared=shared)
    async with made.admitted("a"):
        with pytest.raises(LimitReached, match="1 calls at once"):
            await call(made)
    made.close()


async def test_the_event_loop_goes_on_while_another_process_counts(tmp_path: Path) -> None:
    file = tmp_path / "limits.db"
    made = limits(Clock(), shared=str(file), concurrent_calls=1)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as calls:
            calls.start_soon(call, made)
            for _ in range(10):
                await anyio.sleep(0.001)
            other.execute("COMMIT")
        entered = anyio.Event()

        async def hold() -> None:
            async with made.admitted("a"):
                entered.set()
                await anyio.sleep_forever()

        async with anyio.create_task_group() as calls:
            calls.start_soon(hold)
            await entered.wait()
            other.execute("BEGIN IMMEDIATE")
            asyncio.get_running_loop().call_later(0.02, other.execute, "COMMIT")
            calls.cancel_scope.cancel()
    await call(made)  # the cancelled call gave its place back


async def test_what_cannot_be_counted_is_not_let_in(tmp_path: Path) -> None:
    file = tmp_path / "limits.db"
    made = limits(Clock(), shared=str(file))
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("DROP TABLE used")
    with pytest.raises(LimitReached, match="what can be counted now"):
        await call(made)


async def test_a_caller_is_told_when_to_come_back(tmp_path: Path) -> None:
    someone = Principal(subject="1")
    rules = ({"who": ["*"], "accounts": ["*"]},)
    async with as_(someone, tmp_path, rules, limits={"calls_per_minute": 2}) as client:
        for _ in range(2):
            assert "3 accounts" in text_of(await client.call_tool("list_accounts", {}))
        late = await client.call_tool("list_accounts", {})
        unknown = await client.call_tool("no_such_tool", {})  # guessing names is no way around
    assert late.is_error
    assert text_of(late).startswith("too many calls: the limit is 2 calls a minute for each caller. Ask again in ")
    assert 0 < int(re.findall(r"again in ([0-9]+) s", text_of(late))[0]) <= 30
    assert text_of(unknown).startswith("too many calls")
    assert settings(tmp_path).limits.calls_per_minute == 240
