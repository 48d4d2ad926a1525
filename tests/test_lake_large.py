"""What is different over a lake of many data files: it changes no answer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from audit_logs import ACCOUNT, ids, log, record, write
from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.lake import list_cache, metadata, snapshot
from crosstrail.lake.collector import collect
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account
from running_server import PATIENCE

OTHER = "222222222222"
A_DAY = 1440


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two accounts, three days."""
    for day in range(3):
        log(tmp_path / f"logs/{day}.json", range(day * A_DAY, day * A_DAY + 4))
    write(tmp_path / "logs/other.json", [record(number, recipientAccountId=OTHER) for number in range(5000, 5002)])
    collect([tmp_path / "logs"], tmp_path / "lake")
    return tmp_path / "lake"


STATEMENTS = [
    "SELECT count(*) FROM events",
    "SELECT count(*) AS n, 'x' FROM events",
    "SELECT account, count(*) FROM events GROUP BY account ORDER BY account",
    f"SELECT count(*) FROM events WHERE account = '{OTHER}'",
    "SELECT (SELECT count(*) FROM events) - count(*) FROM events WHERE cloud = 'aws'",
    "SELECT count(*) FROM (SELECT 1 FROM events LIMIT 5)",
    "SELECT count(eventname) FROM events",
    "SELECT eventname, count(*) FROM events GROUP BY 1",
    "SELECT count(*) FROM events WHERE eventtime >= '2026-03-02 00:00:00' AND eventtime < '2026-03-03 00:00:00'",
    "SELECT count(*) FROM events a JOIN events b ON a.eventid = b.eventid",
    "SELECT account, eventid FROM events ORDER BY eventid LIMIT 2",
]


def test_what_is_counted_without_opening_files_is_the_same(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answers() -> list[Sequence[Sequence[str | None]]]:
        async def ask() -> list[Sequence[Sequence[str | None]]]:
            engine = LakeEngine(lake)
            scope = QueryScope((Account(id=ACCOUNT), Account(id=OTHER)))
            try:
                return [(await run(engine, sql, scope, limit=50, wait_seconds=PATIENCE)).rows for sql in STATEMENTS]
            finally:
                await engine.aclose()

        return anyio.run(ask)

    opened = answers()
    monkeypatch.setattr(snapshot, "MANY_FILES", 0)
    assert answers() == opened
    assert opened[0] == (("14",),)
    for path in lake.rglob("*.parquet"):  # and no file is opened for it
        path.write_bytes(b"")
    monkeypatch.setitem(globals(), "STATEMENTS", STATEMENTS[:5])
    assert answers() == opened[:5]


def test_lists_that_were_kept_are_what_the_table_says(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made, used, missing, damaged, of another table, of a lake that was copied: always the same files."""
    monkeypatch.setattr(list_cache, "MANY_FILES", 0)

    def files(folder: Path) -> list[str]:
        metadata._newest.clear()  # as another process
        with closing(LakeTable.open(folder)) as table:
            return sorted(os.path.relpath(path, folder) for path in table.plan(None))

    kept = lake / list_cache.CACHE_FILE
    kept.unlink(missing_ok=True)
    expected = files(lake)
    assert len(expected) == 4
    assert kept.stat().st_mode & 0o777 == 0o600
    with monkeypatch.context() as patch:
        patch.setattr(metadata, "_files", None)  # nothing else is read
        assert files(lake) == expected
    content = kept.read_bytes()
    for damaged in (b"", content[:-1], content[:40] + bytes([content[40] ^ 1]) + content[41:]):
        kept.write_bytes(damaged)
        assert files(lake) == expected
    copy = lake.parent / "copy"
    shutil.copytree(lake, copy)
    assert files(copy) == expected
    collect([log(lake.parent / "more.json", [9000])], copy)
    assert len(files(copy)) == 5
    shutil.copy(copy / list_cache.CACHE_FILE, kept)
    assert files(lake) == expected
    assert len(ids(copy)) == 15
