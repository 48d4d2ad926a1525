"""A lake whose catalog is a database server: the same promises, for several machines at once, and no connection kept."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from audit_logs import ACCOUNT, log
from crosstrail.lake.collector import collect
from crosstrail.lake.table import LakeTable
from crosstrail.settings.config import Settings
from lake_workspace import client_of
from postgres_server import PostgresServer


def test_a_postgresql_catalog_made_and_filled_by_processes_at_once(postgres: PostgresServer, tmp_path: Path) -> None:
    catalog = postgres.empty_url("postgresql+psycopg")
    lake = tmp_path / "lake"
    log(tmp_path / "logs/1.json", range(30))
    log(tmp_path / "logs/2.json", range(20, 50))
    program = f"""
from pathlib import Path
from crosstrail.lake.collector import collect
if __name__ == "__main__":
    collect([Path({str(tmp_path / "logs")!r})], Path({str(lake)!r}), catalog={catalog!r})
"""
    running = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for _ in range(2)]
    ends = [(process.communicate(timeout=300)[1], process.returncode) for process in running]
    assert [code for _, code in ends] == [0, 0], ends
    with closing(LakeTable.open(lake, catalog=catalog)) as table:
        assert [summary.events for summary in table.accounts()] == [50]
    log(tmp_path / "logs/3.json", range(49, 60))
    report = collect([tmp_path / "logs"], lake, catalog=catalog)
    assert (report.objects_known, report.new, report.known) == (2, 10, 1)


def _connections(watching: psycopg.Connection) -> int:
    """All but this one."""
    found = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    row = watching.execute(found).fetchone()
    assert row
    return int(row[0])


def _soon(holds: Callable[[], bool]) -> bool:
    """PostgreSQL's processes end a moment after their clients."""
    until = time.monotonic() + 30
    while not (now := holds()) and time.monotonic() < until:
        time.sleep(0.05)
    return now


@pytest.mark.anyio
async def test_a_server_keeps_no_connection_of_questions_that_ended(postgres: PostgresServer, tmp_path: Path) -> None:
    catalog = postgres.empty_url("postgresql+psycopg")
    collect([log(tmp_path / "1.json", range(3))], tmp_path / "lake", catalog=catalog)
    given = {"accounts": [{"id": ACCOUNT}], "lake": {"path": str(tmp_path / "lake"), "catalog": catalog}}
    gc.disable()  # a server looks for garbage seldom
    try:
        with psycopg.connect(postgres.url(), autocommit=True) as watching:
            before = _connections(watching)
            async with client_of(Settings.model_validate(given)) as client:
                for _ in range(5):
                    for tool, asked in (("lake_query", {"sql": "SELECT eventid FROM events"}), ("lookup_events", {})):
                        assert not (await client.call_tool(tool, asked)).is_error
            assert _soon(lambda: _connections(watching) <= before)
    finally:
        gc.enable()
