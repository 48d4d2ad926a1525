"""What results may take on disk: one caller's, all callers', and a disk that takes no more."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from crosstrail.call_context import acting_for
from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.engines.results import Quota
from crosstrail.errors import InvalidRequest, QueryFailed
from crosstrail.models import QueryRef
from running_server import PATIENCE

NOBODY = QueryScope(())
MANY = 6_000
LARGE = f"SELECT to_hex(sha256(to_utf8(CAST(x AS varchar)))) || to_hex(sha256(to_utf8(CAST(-x AS varchar)))) FROM UNNEST(sequence(1, {MANY})) t(x)"
"""About 390 KB on disk: digests do not compress."""
ENORMOUS = "SELECT to_hex(sha256(to_utf8(CAST(x * 1000 + y AS varchar)))) FROM UNNEST(sequence(1, 1000)) t(x), UNNEST(sequence(1, 1000)) u(y)"


def _with(folder: Path, quota: Quota, body: Callable[[LakeEngine], Awaitable[None]]) -> None:
    async def limited() -> None:
        engine = LakeEngine(folder, quota=quota)
        try:
            with anyio.fail_after(5 * PATIENCE):
                await body(engine)
        finally:
            await engine.aclose()

    anyio.run(limited)


async def _asked(engine: LakeEngine, who: str, sql: str = LARGE) -> QueryRef:
    with acting_for(who, who):
        return (await run(engine, sql, NOBODY, limit=1, wait_seconds=PATIENCE)).status.ref


async def _kept(engine: LakeEngine, who: str, ref: QueryRef) -> bool:
    with acting_for(who, who):
        try:
            return bool((await engine.results(ref, NOBODY, limit=1)).rows)
        except InvalidRequest:
            return False


def test_a_callers_oldest_results_go_first_and_nobody_elses(tmp_path: Path) -> None:
    async def body(engine: LakeEngine) -> None:
        others = await _asked(engine, "bob")
        mine = [await _asked(engine, "alice") for _ in range(4)]
        assert [await _kept(engine, "alice", ref) for ref in mine] == [False, True, True, True]
        assert await _kept(engine, "bob", others)

    _with(tmp_path, Quota(caller=1_100_000, total=10**9), body)


def test_where_all_results_take_too_much_whoever_has_most_loses_the_oldest(tmp_path: Path) -> None:
    async def body(engine: LakeEngine) -> None:
        first = await _asked(engine, "bob")
        mine = [await _asked(engine, "alice") for _ in range(3)]
        await _asked(engine, "carol", "SELECT 1")
        assert await _kept(engine, "bob", first)
        assert [await _kept(engine, "alice", ref) for ref in mine] == [False, True, True]

    _with(tmp_path, Quota(caller=10**9, total=1_500_000), body)


def test_what_a_running_query_writes_counts_and_is_not_left(tmp_path: Path) -> None:
    async def body(engine: LakeEngine) -> None:
        with pytest.raises(QueryFailed, match=r"query\.results_per_caller"):
            await _asked(engine, "alice", ENORMOUS)
        await _asked(engine, "alice", "SELECT 1")

    _with(tmp_path, Quota(caller=5_000_000, total=10**9), body)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 5_000_000


def test_a_disk_that_takes_no_more_fails_the_query_and_not_the_engine(tmp_path: Path) -> None:
    """The kernel's limit of a file's size stands for a full disk."""
    program = f"""
        import anyio, resource
        from pathlib import Path
        from crosstrail.engines.base import QueryScope, run
        from crosstrail.engines.duckdb import LakeEngine
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        async def main():
            engine = LakeEngine(Path({str(tmp_path)!r}))
            for sql in ({LARGE!r}, "SELECT 7"):
                try:
                    print((await run(engine, sql, QueryScope(()), limit=1, wait_seconds={PATIENCE})).rows[0][0])
                except Exception as error:
                    print(error)
            await engine.aclose()
        anyio.run(main)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    failed, answered = done.stdout.splitlines()
    assert "its result cannot be written" in failed
    assert answered == "7"
    assert not list(tmp_path.rglob("*.partial"))
