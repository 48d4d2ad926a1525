"""The hashes of the ids that the lake holds: a cache that may be lost, old, damaged or another lake's, and never changes an answer."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from audit_logs import record, rows, write
from crosstrail.lake import event_ids
from crosstrail.lake.collector import collect
from crosstrail.lake.event_ids import IDS_FOLDER, EventIds


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few hashes make several blocks, and several steps of a merge."""
    monkeypatch.setattr(event_ids, "_BLOCK", 16)
    monkeypatch.setattr(event_ids, "_MERGED_AT_ONCE", 64)


def _hashes(values: set[int]) -> pa.Array:
    return pa.array(sorted(values), pa.uint64())


def _file(source: random.Random) -> str:
    return f"/lake/events/data/run-{source.getrandbits(256):064x}.parquet"


def _segments(folder: Path) -> list[Path]:
    return sorted((folder / IDS_FOLDER).iterdir())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(6))
def test_what_was_added_is_known_and_nothing_else(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)  # noqa: S311 - no secret
    ids, stored, files = EventIds(tmp_path), set[int](), list[str]()
    for _ in range(30):
        some = {source.getrandbits(source.choice([5, 64])) for _ in range(source.randrange(1, 90))}
        files.append(_file(source))
        ids.add(_hashes(some), files[-1:])
        stored |= some
        if source.random() < 0.3:
            ids = EventIds(tmp_path)
        new, unsealed = _file(source), "/lake/events/data/run-000001.parquet"
        assert ids.uncovered([*files, new, unsealed]) == [new, unsealed]
        asked = {source.getrandbits(64) for _ in range(9)} | set(source.sample(sorted(stored), min(20, len(stored))))
        known = ids.known(_hashes(asked))
        assert known is not None
        assert sorted(known.to_pylist()) == sorted(asked & stored)
    assert len(_segments(tmp_path)) <= 8


@pytest.mark.usefixtures("small")
def test_a_damaged_segment_is_not_believed(tmp_path: Path) -> None:
    source = random.Random(1)  # noqa: S311 - no secret
    values = {source.getrandbits(64) for _ in range(50)}
    EventIds(tmp_path).add(_hashes(values), [file := _file(source)])
    [segment] = _segments(tmp_path)
    whole = segment.read_bytes()
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        for data in (bytes(damaged), whole[:place]):
            segment.write_bytes(data)
            ids = EventIds(tmp_path)
            if not ids.uncovered([file]):  # its description is as it was: one of its blocks is not
                assert ids.known(_hashes(values)) is None
            assert ids.uncovered([file]) == [file]
            assert not segment.exists()


@pytest.mark.usefixtures("small")
def test_segments_that_another_process_merged_are_looked_for_again(tmp_path: Path) -> None:
    source = random.Random(2)  # noqa: S311 - no secret
    first, second = EventIds(tmp_path), EventIds(tmp_path)
    values, files = {source.getrandbits(64) for _ in range(8)}, [_file(source) for _ in range(8)]
    for value, file in zip(sorted(values), files, strict=True):
        first.uncovered(files)
        second.add(_hashes({value}), [file])
    assert len(_segments(tmp_path)) == 1
    assert first.known(_hashes(values)) is None
    assert first.uncovered(files) == []
    known = first.known(_hashes(values))
    assert known is not None
    assert set(known.to_pylist()) == values


def _write(path: Path, numbers: range) -> Path:
    write(path, {"Records": [record(number * 100) for number in numbers]})
    return path


@pytest.mark.parametrize("fate", ["stays", "is deleted", "is another lake's", "cannot be written"])
def test_events_go_in_once_whatever_becomes_of_the_hashes(tmp_path: Path, fate: str) -> None:
    lake = tmp_path / "lake"
    collect([_write(tmp_path / "first.json", range(40))], lake)
    assert _segments(lake)
    collect([_write(tmp_path / "unlike.json", range(80, 90))], tmp_path / "other")
    if fate != "stays":
        shutil.rmtree(lake / IDS_FOLDER)
    if fate == "cannot be written":
        (lake / IDS_FOLDER).touch()
    if fate == "is another lake's":
        shutil.copytree(tmp_path / "other" / IDS_FOLDER, lake / IDS_FOLDER)
    corrected = record(300, addendum={"reason": "UPDATED_DATA"})
    moved = record(500, eventTime="2026-05-01T00:00:00Z")
    write(tmp_path / "later.json", {"Records": [corrected, moved, *(record(number * 100) for number in range(20, 60))]})
    report = collect([tmp_path / "later.json"], lake)
    assert (report.new, report.known, report.conflicting) == (20, 22, 1)
    assert [row["eventid"] for row in rows(lake, "eventid")] == [
        record(number * 100)["eventID"] for number in range(60)
    ]


def test_events_that_were_taken_out_go_in_again(tmp_path: Path) -> None:
    """Their hashes are there still."""
    lake, log = tmp_path / "lake", _write(tmp_path / "first.json", range(10))
    collect([log], lake)
    shutil.move(lake / IDS_FOLDER, tmp_path / "kept")
    shutil.rmtree(lake)
    lake.mkdir()
    shutil.move(tmp_path / "kept", lake / IDS_FOLDER)
    assert collect([log], lake).new == 10
    assert collect([_write(tmp_path / "again.json", range(10))], lake).known == 10
