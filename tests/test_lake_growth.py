"""What a lake keeps beside its events stays bounded: lists of files, snapshots, rows of the ledger."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

import pytest

from audit_logs import ids, log
from crosstrail.errors import LakeError
from crosstrail.lake import table as lake_table
from crosstrail.lake.collector import collect
from crosstrail.lake.table import LakeTable
from history_workspace import HistoryWorkspace, history_workspace
from live_aws import PROD

COMMITS = 18
"""More than are small files before a compaction."""


def _lists(lake: Path) -> set[str]:
    return {path.name for path in (lake / "events/metadata").glob("*.avro")}


def _filled(folder: Path, commits: int) -> Path:
    for number in range(commits):
        collect([log(folder / f"{number}.json", range(number * 3, number * 3 + 3))], folder / "lake")
    return folder / "lake"


def _named(table: LakeTable) -> set[str]:
    snapshots = table._table.snapshots()
    lists = {one.manifest_path for each in snapshots for one in each.manifests(table._table.io)}
    return {PurePath(path).name for path in (*lists, *(one.manifest_list for one in snapshots))}


def test_lists_of_expired_snapshots_go_and_no_others(tmp_path: Path) -> None:
    lake = _filled(tmp_path, COMMITS)
    before = ids(lake)
    assert len(_lists(lake)) > 2 * COMMITS
    metadata = lake / "events/metadata"
    abandoned, under_way, foreign = (metadata / name for name in ("old.avro", "new.avro", "notes.txt"))
    for path in (abandoned, under_way, foreign):
        path.write_bytes(b"of a commit that was killed")
        os.utime(path, (0, 0))
    os.utime(under_way, (2**31, 2**31))
    with closing(LakeTable.open(lake, create=True)) as table:
        compacted = next(
            at for at, one in enumerate(table._table.snapshots()) if one.summary and one.summary["deleted-data-files"]
        )
        table.expire(table.history()[compacted][1])
        assert len(table.history()) == COMMITS + 1 - compacted
        assert _lists(lake) == _named(table) | {under_way.name}
        assert (abandoned.exists(), foreign.exists()) == (False, True)
    assert ids(lake) == before
    collect([log(tmp_path / "more.json", range(1000, 1003))], lake)
    assert len(ids(lake)) == len(before) + 3


def test_snapshots_that_only_added_events_go_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_table, "_MANY_SNAPSHOTS", 5)
    lake = _filled(tmp_path, 6)
    with closing(LakeTable.open(lake, create=True)) as table:
        table.expire(table.history()[3][1])  # three of them are replaced by then
        assert len(table.history()) == 6
        table.expire(datetime.now(UTC) + timedelta(seconds=1))
        assert len(table.history()) == 1
        assert _lists(lake) == _named(table)
    assert len(ids(lake)) == 18


def test_where_a_list_cannot_be_read_none_is_deleted(tmp_path: Path) -> None:
    lake = _filled(tmp_path, COMMITS)
    with closing(LakeTable.open(lake, create=True)) as table:
        kept = table._table.snapshots()[-2].manifest_list
        last = datetime.fromtimestamp(table._table.snapshots()[-2].timestamp_ms / 1000, UTC)
        Path(kept.removeprefix("file://")).write_bytes(b"damaged")
        before = _lists(lake)
        with pytest.raises(LakeError):
            table.expire(last)
        assert _lists(lake) == before


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryWorkspace]:
    with history_workspace(tmp_path, monkeypatch) as found:
        yield found


def test_the_ledger_keeps_no_row_of_what_windows_say(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", region="us-east-1", regions=["us-east-1"])
    old = live.log(PROD, 5)
    live.collect("--account", "prod")
    ledger = sqlite3.connect(live.lake / "ledger.sqlite")
    with closing(ledger):
        assert ledger.execute("SELECT name FROM objects").fetchall() == []
        for name, at in (("lookup-events://aws/1/x/0/1", 0), ("lookup-events://aws/1/x/1/2", 2**40), ("s3://a/b", 0)):
            ledger.execute("INSERT INTO objects (name, stamp, events, at) VALUES (?, '', 1, ?)", (name, at))
        ledger.commit()
        live.log(PROD, 2, age=timedelta(minutes=1), apart=1)
        assert live.collect("--account", "prod")["collection"]["new"] == 2
        names = [name for (name,) in ledger.execute("SELECT name FROM objects ORDER BY 1")]
    assert names == ["lookup-events://aws/1/x/1/2", "s3://a/b"]
    assert len(live.rows()) == len(old) + 2
