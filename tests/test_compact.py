"""Compaction: bounded by what files unpack to, never at the cost of a collection, never an event twice or lost."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from audit_logs import ids, log, record, write
from conftest import CommandLine
from crosstrail.lake import compact
from crosstrail.lake.collector import collect
from crosstrail.lake.keeping import Keeping
from crosstrail.lake.table import CommitLost, LakeTable


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LakeTable]:
    """A lake of one day with six files of about 100 KB, which no collection compacted."""
    monkeypatch.setattr(compact, "MAX_FILES", 6)
    for number in range(6):
        records = [record(number * 30 + each, userAgent=f"{each:01000d}") for each in range(30)]
        collect([write(tmp_path / f"logs/{number}.json", records)], tmp_path / "lake")
    monkeypatch.setattr(compact, "MAX_FILES", 3)
    with closing(LakeTable.open(tmp_path / "lake")) as table:
        yield table


def test_merged_files_are_full_and_full_files_stay(many: LakeTable, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids(many.folder)
    size = compact._measured(many.snapshot().files[0]).unpacked
    monkeypatch.setattr(compact, "FULL_BYTES", 2 * size)
    assert compact.compact(many, "run") == 6
    files = many.snapshot().files
    assert len(files) in (2, 3)
    assert ids(many.folder) == before
    assert len(before) == 180
    for one, after in itertools.pairwise(files):
        ordered = sorted((one, after), key=lambda file: file.first)
        assert ordered[0].last <= ordered[1].first
    for file in files:
        times = pq.read_table(file.path, columns=["eventtime"], partitioning=None).column("eventtime").to_pylist()
        assert times == sorted(times)
    assert compact.compact(many, "again") == 0


def test_what_another_process_replaced_is_not_replaced_again(many: LakeTable) -> None:
    before = ids(many.folder)
    stale = many.snapshot().files
    assert compact.compact(many, "first") == 6
    copy = Path(stale[0].path).with_name("late.parquet")
    copy.write_bytes(Path(stale[0].path).read_bytes())
    with pytest.raises(CommitLost):
        many.commit(many.snapshot(), [copy], {stale[0].path})
    assert ids(many.folder) == before


def test_a_compaction_that_fails_fails_no_collection(tmp_path: Path, crosstrail: CommandLine) -> None:
    """A damaged column that only a compaction reads: the new events are in, and the reader is told why files stayed."""
    lake, logs = tmp_path / "lake", tmp_path / "logs"
    for number in range(compact.MAX_FILES):
        log(logs / f"{number}.json", [number])
        collect([logs / f"{number}.json"], lake)
    _damage(next(lake.rglob("*.parquet")), "useragent")
    log(logs / "last.json", [100])
    done = crosstrail("collect", logs / "last.json", "--lake", lake, "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["new"] == 1
    assert report["not_compacted"]
    assert "every event is in" in done.stderr
    with closing(LakeTable.open(lake)) as table:
        assert {str(path) for path in table.data_folder.rglob("*.parquet")} == table.referenced()
        assert len(table.plan(None)) == compact.MAX_FILES + 1
    assert not list((lake / "runs").iterdir())


def _damage(path: Path, column: str) -> None:
    """Overwrites the pages of one column."""
    footer = pq.read_metadata(path)
    group = footer.row_group(0)
    chunk = next(one for one in map(group.column, range(group.num_columns)) if one.path_in_schema == column)
    start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * chunk.total_compressed_size)


_SMALL_FILES = 4
_KILLED = """
import os, signal, sys
from pathlib import Path
from crosstrail.lake import compact
from crosstrail.lake.collector import collect
write = compact._write_one
def killed(files, path):
    write(files, path)
    os.kill(os.getpid(), signal.SIGKILL)
compact._write_one = killed
compact.MAX_FILES = 4
collect([Path(sys.argv[1])], Path(sys.argv[2]), workers=1)
"""
_LITTLE_SPACE = """
import resource, runpy, sys
from crosstrail.lake import compact
compact.MAX_FILES = 4
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
sys.argv[0] = "crosstrail"
runpy.run_module("crosstrail", run_name="__main__")
"""


def _almost_compacted(tmp_path: Path) -> Path:
    """A lake that the next collection compacts: small files of one day, about 100 KB each and hard to pack."""
    source = random.Random(1)  # noqa: S311 - the same every time is the point
    for number in range(_SMALL_FILES):
        records = [record(number * 60 + each, userAgent=source.randbytes(1_500).hex()) for each in range(60)]
        collect([write(tmp_path / f"logs/{number}.json", records)], tmp_path / "lake")
    log(tmp_path / "logs/last.json", [1_000])
    return tmp_path / "lake"


def _check_compacted(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the next collection makes of the lake: all events, fewer files, nothing left over."""
    monkeypatch.setattr(compact, "MAX_FILES", _SMALL_FILES)
    report = collect([log(tmp_path / "logs/more.json", [1_001])], lake)
    assert (report.new, report.not_compacted) == (1, "")
    assert len(ids(lake)) == _SMALL_FILES * 60 + 2
    with closing(LakeTable.open(lake)) as table:
        assert len(table.plan(None)) <= 2
        assert {str(path) for path in table.data_folder.rglob("*.parquet")} == table.referenced()
    assert not list((lake / "runs").iterdir())


def test_a_compaction_that_is_killed_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = _almost_compacted(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, tmp_path / "logs/last.json", lake], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list(lake.rglob("*-compact-*.parquet"))
    assert len(ids(lake)) == _SMALL_FILES * 60 + 1
    _check_compacted(lake, tmp_path, monkeypatch)


def test_a_compaction_without_space_costs_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file would be bigger than what the process may write; the files of the collection are not."""
    lake = _almost_compacted(tmp_path)
    arguments = ["collect", str(tmp_path / "logs/last.json"), "--lake", str(lake), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", _LITTLE_SPACE, *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["new"], bool(report["not_compacted"])) == (1, True)
    assert "every event is in" in done.stderr
    assert len(ids(lake)) == _SMALL_FILES * 60 + 1
    assert not list(lake.rglob("*-compact-*.parquet"))
    _check_compacted(lake, tmp_path, monkeypatch)


def test_what_a_conflict_replaced_goes_without_a_compaction(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    collect([log(tmp_path / "1.json", [1])], lake)
    [old] = lake.rglob("*.parquet")
    assert collect([write(tmp_path / "2.json", [record(1, sourceIPAddress="203.0.113.66")])], lake).conflicting == 1
    collect([log(tmp_path / "3.json", [2])], lake)
    assert old.exists()  # somebody may read it still
    collect([log(tmp_path / "4.json", [3])], lake, keeping=Keeping(snapshots=timedelta(0)))
    assert not old.exists()
    assert len(ids(lake)) == 3


def test_a_flipped_bit_in_a_page_is_not_copied_into_a_new_file(many: LakeTable) -> None:
    """zstd does not notice most of them; a copy would have the right checksum of wrong contents."""
    path = Path(many.snapshot().files[0].path)
    sound, footer = path.read_bytes(), pq.read_metadata(path)
    names = [footer.schema.column(index).path for index in range(footer.num_columns)]
    chunk = footer.row_group(0).column(names.index("eventjson"))
    place = chunk.data_page_offset + chunk.total_compressed_size - 20
    changed = bytearray(sound)
    changed[place] ^= 1
    path.write_bytes(changed)
    with pytest.raises(OSError, match="CRC"):
        compact.compact(many, "run")
    assert path.exists()
    path.write_bytes(sound)
    assert compact.compact(many, "run") == 6
