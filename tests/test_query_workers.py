"""Statements are compiled and run in processes that can be killed: memory, deadlines, hang-ups, dead servers, idle workers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import pytest

from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.duckdb import LakeEngine, QueryLimits
from crosstrail.engines.messages import PageRequest
from crosstrail.engines.workers import QueryWorkers, Ticket, WorkerDied, WorkerStopped
from crosstrail.errors import InvalidRequest, QueryFailed, QueryTimedOut
from crosstrail.models import QueryRef, QueryState, QueryStatus
from ports import free_port
from preloaded import REAL_CHILDREN
from running_server import JSON, PATIENCE, Server, serving, write_config

NOBODY = QueryScope(())
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
ENDLESS = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y), UNNEST(sequence(1, 10000)) c(z) WHERE x + y * z = -1"
_CORRELATED = ", ".join(f"(SELECT max(x{n}) FROM (VALUES 1, 2) t{n}(x{n}) WHERE x{n} < y)" for n in range(48))
SLOW_TO_PLAN = f"SELECT {_CORRELATED} FROM (VALUES 1, 2) u(y)"
"""DuckDB's planner takes seconds for it, and no interrupt."""
WIDENING = ", ".join(["reduce(ARRAY[BIGINT '1'], 0, (s, x) -> s + x + " * 10 + "1" + ", s -> s)" * 10] * 12)
SLOW_TO_COMPILE = f"SELECT {WIDENING}"
TEXTS = "SELECT sum(length(x)) FROM (SELECT array_join(transform(sequence(1, 3000), n -> replace(rpad('x', 10000, 'x'), 'x', rpad('y', 100, 'y'))), '') x)"


_earlier: set[int] = set()
"""Workers that other tests of this process have left warm."""


def _engine(folder: Path, body: Callable[[LakeEngine], Awaitable[None]], **limits: float | str) -> None:
    async def limited() -> None:
        _earlier.update(_workers(os.getpid()))
        idle = float(limits.pop("idle", 61.0))
        engine = LakeEngine(folder, limits=QueryLimits(**limits), idle_seconds=idle)  # type: ignore[arg-type]
        try:
            with anyio.fail_after(5 * PATIENCE):
                await body(engine)
        finally:
            await engine.aclose()

    anyio.run(limited)


async def _end(engine: LakeEngine, ref: QueryRef) -> QueryStatus:
    while not (status := await engine.status(ref, NOBODY)).state.ended:  # noqa: ASYNC110 - there is no event to wait for
        await anyio.sleep(0.02)
    return status


async def _one(engine: LakeEngine) -> None:
    page = await run(engine, "SELECT 1", NOBODY, limit=1, wait_seconds=PATIENCE)
    assert page.rows == (("1",),)


def _workers(parent: int) -> list[int]:
    """The worker processes below a process."""
    found, waiting = [], [parent]
    while waiting:
        pid = waiting.pop()
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(one) for one in (task / "children").read_text().split()]
            if b"crosstrail.engines.worker" in Path(f"/proc/{pid}/cmdline").read_bytes() and pid not in (
                parent,
                *_earlier,
            ):
                found.append(pid)
        except OSError:
            continue
    return found


def _wait(met: Callable[[], object]) -> None:
    late = time.monotonic() + 2 * PATIENCE
    while not met():
        assert time.monotonic() < late, "it never came to be so"
        time.sleep(0.02)


def _ticks(pid: int) -> int:
    """Processor time that a process has used; it never shrinks."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _at_work(parent: int) -> None:
    """Waits until a worker has used more processor time than any start takes."""
    _wait(lambda: any(_ticks(pid) > 3 * os.sysconf("SC_CLK_TCK") for pid in _workers(parent)))


@linux
def test_texts_made_inside_one_vector_are_bounded_by_the_kernel(tmp_path: Path) -> None:
    async def body(engine: LakeEngine) -> None:
        with pytest.raises(QueryFailed, match="more memory than 256MB"):
            await run(engine, TEXTS, NOBODY, limit=1, wait_seconds=PATIENCE)
        await _one(engine)

    _engine(tmp_path, body, memory="256MB")


def test_what_cannot_be_interrupted_is_killed_at_its_deadline(tmp_path: Path) -> None:
    async def body(engine: LakeEngine) -> None:
        with pytest.raises((QueryTimedOut, QueryFailed), match=r"limit of 1 s|more memory"):
            await run(engine, SLOW_TO_PLAN, NOBODY, limit=1, wait_seconds=PATIENCE)
        await _one(engine)

    _engine(tmp_path, body, seconds=1.0)


@linux
@pytest.mark.parametrize("sql", [ENDLESS, SLOW_TO_PLAN])
def test_a_cancelled_query_leaves_no_process_at_work(tmp_path: Path, sql: str) -> None:
    async def body(engine: LakeEngine) -> None:
        ref = await engine.start(sql, NOBODY)
        await anyio.to_thread.run_sync(lambda: _at_work(os.getpid()))
        await engine.cancel(ref, NOBODY)
        await anyio.to_thread.run_sync(lambda: _wait(lambda: not _workers(os.getpid())))
        status = await _end(engine, ref)
        assert status.state is QueryState.CANCELLED
        await _one(engine)

    _engine(tmp_path, body)


@linux
def test_a_worker_that_dies_is_a_failed_query_and_is_replaced(tmp_path: Path) -> None:
    async def body(engine: LakeEngine) -> None:
        ref = await engine.start(ENDLESS, NOBODY)
        await anyio.to_thread.run_sync(lambda: _at_work(os.getpid()))
        for pid in _workers(os.getpid()):
            os.kill(pid, signal.SIGSEGV)
        status = await _end(engine, ref)
        assert status.state is QueryState.FAILED
        assert "process that ran it failed" in status.error
        await _one(engine)

    _engine(tmp_path, body)
    assert not list(tmp_path.rglob("*.partial"))


@linux
def test_a_worker_nobody_needs_ends_and_the_next_query_starts_another(tmp_path: Path) -> None:
    async def body(engine: LakeEngine) -> None:
        await _one(engine)
        await anyio.to_thread.run_sync(lambda: _wait(lambda: not _workers(os.getpid())))
        await _one(engine)

    _engine(tmp_path, body, idle=0.2)


@linux
def test_a_worker_knows_no_secret_of_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-server")

    async def body(engine: LakeEngine) -> None:
        await _one(engine)
        (pid,) = _workers(os.getpid())
        with open(f"/proc/{pid}/environ", "rb") as environ:  # noqa: ASYNC230 - of the kernel
            assert b"a-secret-of-the-server" not in environ.read()
        assert os.readlink(f"/proc/{pid}/cwd") == "/"

    _engine(tmp_path, body)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@contextmanager
def _serving(folder: Path, *arguments: str, **settings: object) -> Iterator[Server]:
    accounts = [{"id": "111111111111", "alias": "prod", "archive": "logs"}]
    (folder / "logs").mkdir()
    with serving(
        write_config(folder, lake={"path": "lake"}, accounts=accounts, **settings), *arguments, environ=REAL_CHILDREN
    ) as made:
        yield made


@contextmanager
def _asking(server: Server, sql: str) -> Iterator[socket.socket]:
    """A connection on which lake_query was asked, until the block ends."""
    params = {"name": "lake_query", "arguments": {"sql": sql}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    host = urlsplit(server.url)
    head = [
        f"POST /mcp HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n"
    ]
    head.append(f"Accept: {JSON['Accept']}, text/event-stream\r\n\r\n")
    with socket.create_connection((host.hostname or "", host.port or 0), timeout=PATIENCE) as connection:
        connection.sendall("".join(head).encode() + body)
        yield connection


def _answered(connection: socket.socket) -> str:
    found = b""
    while b'"result"' not in found:
        part = connection.recv(1 << 16)
        assert part, found
        found += part
    return found.decode()


@linux
@pytest.mark.parametrize("sql", [ENDLESS, SLOW_TO_PLAN, SLOW_TO_COMPILE], ids=["running", "planned", "compiled"])
def test_after_a_client_hangs_up_nothing_runs_on(tmp_path: Path, sql: str) -> None:
    with _serving(tmp_path) as server:
        with _asking(server, "SELECT 1") as warm:
            _answered(warm)
        (idle,) = _workers(server.process.pid)
        before = _ticks(idle)
        with _asking(server, sql):
            _wait(lambda: _ticks(idle) > before + 2)
        _wait(lambda: idle not in _workers(server.process.pid))


@linux
@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_a_killed_server_leaves_no_worker(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    port = ("--port", str(free_port())) if arguments else ()
    with _serving(tmp_path, *arguments, *port) as server, _asking(server, ENDLESS):
        _at_work(server.process.pid)
        running = _workers(server.process.pid)
        below = [
            int(one)
            for one in Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        ]
        for pid in (server.process.pid, *(one for one in below if one not in running)):
            os.kill(pid, signal.SIGKILL)
        _wait(lambda: all(_state(pid) in ("", "Z") for pid in running))


def test_a_request_given_up_while_its_worker_starts_leaves_no_pipe_open(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket, started = Ticket(), []

    class GivenUp(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            started.append(self)
            ticket.stop()

    monkeypatch.setattr(subprocess, "Popen", GivenUp)
    of_test = QueryWorkers(1, idle_seconds=1.0)
    with pytest.raises(WorkerStopped):
        of_test.ask(_A_PAGE, ticket, seconds=PATIENCE)
    assert [_open_pipes(process) for process in started] == [0]


def test_a_worker_that_ended_before_its_first_request_leaves_no_pipe_open(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Ended(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            started.append(self)
            self.kill()
            self.wait()

    monkeypatch.setattr(subprocess, "Popen", Ended)
    of_test = QueryWorkers(1, idle_seconds=1.0)
    of_test.start_early()
    with pytest.raises(WorkerDied):
        of_test.ask(_A_PAGE, Ticket(), seconds=PATIENCE)
    assert {_open_pipes(process) for process in started} == {0}


_A_PAGE: PageRequest = {"work": "page", "path": "/nowhere", "types": [], "offset": 0, "limit": 1, "seconds": 1.0}


def _open_pipes(process: subprocess.Popen[bytes]) -> int:
    return sum(pipe is not None and not pipe.closed for pipe in (process.stdin, process.stdout, process.stderr))


async def _left_alone(engine: LakeEngine, folder: Path) -> None:
    """Starts a query, and is cancelled as soon as its status is written: before, while or after `start` returns its id."""
    async with anyio.create_task_group() as group:
        group.start_soon(engine.start, ENDLESS, NOBODY)
        while not _queries(folder):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()


def _queries(folder: Path) -> list[str]:
    return [path.parent.name for path in folder.glob("results/*/status.json")]


def test_a_query_whose_caller_left_before_it_had_its_id_is_cancelled(tmp_path: Path) -> None:
    async def body(engine: LakeEngine) -> None:
        await _left_alone(engine, tmp_path)
        for query in _queries(tmp_path):
            with suppress(InvalidRequest):  # given up before it was queued: then nothing is left of it
                status = await _end(engine, QueryRef("lake", "*", "", query))
                assert status.state is QueryState.CANCELLED

    _engine(tmp_path, body)
