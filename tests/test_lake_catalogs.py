"""A lake whose catalog is a database server: the same promises, for several machines at once."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from audit_logs import log
from crosstrail.lake.collector import collect
from crosstrail.lake.table import LakeTable
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
    ends = [(process.communicate(timeout=120)[1], process.returncode) for process in running]
    assert [code for _, code in ends] == [0, 0], ends
    with closing(LakeTable.open(lake, catalog=catalog)) as table:
        assert [summary.events for summary in table.accounts()] == [50]
    log(tmp_path / "logs/3.json", range(49, 60))
    report = collect([tmp_path / "logs"], lake, catalog=catalog)
    assert (report.objects_known, report.new, report.known) == (2, 10, 1)
