"""A lake in another place than it was made, an old lake, a lake that nobody may write: read, written, and the original spared."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from copy import copy
from pathlib import Path

import pytest

from audit_logs import ids, log
from conftest import CommandLine
from crosstrail.lake.catalog import CATALOG_FILE
from crosstrail.lake.collector import collect
from crosstrail.lake.ledger import LEDGER_FILE
from crosstrail.lake.schema import first_schema
from crosstrail.lake.table import LakeTable
from postgres_server import PostgresServer

COUNT = "SELECT count(*), count(eventjson) FROM events"
ODD = "it's a läke, 100%25 of it"


def _files(folder: Path) -> dict[str, bytes]:
    """Every file of a lake, but for what readers may write: results of queries."""
    found = (path for path in folder.rglob("*") if path.is_file() and "results" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def _by_pyiceberg(folder: Path) -> int:
    """Rows as PyIceberg's own FileIO finds them, which knows nothing of ours."""
    from pyiceberg.catalog.sql import SqlCatalog

    address = f"sqlite:///{str(folder / 'catalog.sqlite').replace('%', '%25')}"
    with closing(SqlCatalog("crosstrail", uri=address)) as catalog:
        return int(catalog.load_table("crosstrail.events").scan().to_arrow().num_rows)


def _locations(folder: Path) -> set[str]:
    """Every location that the table of that folder names, the ones of old snapshots too."""
    with closing(LakeTable.open(folder, create=True)) as opened:
        table = opened._table
        found = {table.location(), table.metadata_location}
        for entry in table.metadata.metadata_log:
            found.add(entry.metadata_file)
        for snapshot in table.snapshots():
            found.add(snapshot.manifest_list)
            for manifest in snapshot.manifests(table.io):
                found.add(manifest.manifest_path)
                found |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io, False)}
        return found


def _lake(folder: Path, logs: Path, count: int = 3) -> Path:
    for number in range(count):
        collect([log(logs / f"{number}.json", range(10 * number, 10 * number + 12))], folder)
    return folder


def _old_lake(folder: Path, new: Path) -> Path:
    """The same events as `new` has, in a table as older versions made it: its paths have no scheme."""
    from pyiceberg.catalog.sql import SqlCatalog

    shutil.copytree(new / "events/data", folder / "events/data")
    (folder / "events/metadata").mkdir()
    with (
        closing(LakeTable.open(new, create=True)) as opened,
        closing(SqlCatalog("crosstrail", uri=f"sqlite:///{folder / 'catalog.sqlite'}")) as catalog,
    ):
        source = opened._table
        catalog.create_namespace("crosstrail")
        table = catalog.create_table(
            ("crosstrail", "events"),
            first_schema(),
            location=str(folder / "events"),
            partition_spec=source.spec(),
            properties=source.properties,
        )
        with table.update_schema() as update:
            update.union_by_name(source.schema())
        for task in source.scan().plan_files():
            with table.transaction() as transaction, transaction.update_snapshot().fast_append() as added:
                file = copy(task.file)
                file[1] = task.file.file_path.replace(f"file://{new}", str(folder))  # its place in Iceberg's record
                added.append_data_file(file)
    return folder


def test_every_location_is_a_uri_that_other_readers_open(tmp_path: Path) -> None:
    lake = _lake(tmp_path / ODD, tmp_path / "logs")
    assert {location.split(f"{ODD}/")[0] for location in _locations(lake)} == {f"file://{tmp_path}/"}
    assert _by_pyiceberg(lake) == len(ids(lake)) == 32


@pytest.mark.parametrize("way", ["copy", "move"])
def test_a_lake_in_another_place_is_read_and_written_there(way: str, tmp_path: Path, crosstrail: CommandLine) -> None:
    original = _lake(tmp_path / "original", tmp_path / "logs")
    before, other = _files(original), tmp_path / "elsewhere" / "#1 ?"
    shutil.copytree(original, other)
    if way == "move":
        shutil.rmtree(original)
    else:
        for path in (original / "events").rglob("*.parquet"):
            path.write_bytes(b"the original's: a copy must not read it")
        spoiled = _files(original)
    assert crosstrail("query", COUNT, "--lake", str(other), "--format", "csv").stdout.split() == [
        "_col0,_col1",
        "32,32",
    ]
    assert _files(other) == before
    report = collect([log(tmp_path / "more.json", range(30, 40))], other)
    assert (report.new, report.known, len(ids(other))) == (8, 2, 40)
    assert {location.split("/events")[0] for location in _locations(other)} == {f"file://{other}"}
    if way == "copy":
        assert _files(original) == spoiled
    else:
        assert not original.exists()


def test_a_moved_lake_is_named_anew_by_a_command(tmp_path: Path, crosstrail: CommandLine) -> None:
    _lake(tmp_path / "original", tmp_path / "logs").rename(tmp_path / "moved")
    done = crosstrail("lake", "move", "--lake", str(tmp_path / "moved"))
    assert done.stdout.startswith("Its files are named where they are now")
    assert _by_pyiceberg(tmp_path / "moved") == 32
    assert crosstrail("lake", "move", "--lake", str(tmp_path / "moved")).stdout.startswith("Nothing to do")
    failed = crosstrail("lake", "move", "--lake", str(tmp_path / "none"))
    assert (failed.returncode, "there is no lake" in failed.stderr) == (1, True)
    assert not (tmp_path / "none").exists()


def test_an_old_lake_gets_uris_and_keeps_its_data_files(tmp_path: Path, crosstrail: CommandLine) -> None:
    old = _old_lake(tmp_path / "old", _lake(tmp_path / "new", tmp_path / "logs"))
    data = {name: content for name, content in _files(old).items() if name.endswith(".parquet")}
    assert len(ids(old)) == 32
    assert crosstrail("lake", "migrate", "--lake", str(old)).stdout.startswith("Its files are named")
    assert {location[: len(f"file://{old}")] for location in _locations(old)} == {f"file://{old}"}
    assert {name: content for name, content in _files(old).items() if name.endswith(".parquet")} == data
    assert len(ids(old)) == _by_pyiceberg(old) == 32
    assert collect([log(tmp_path / "more.json", range(30, 40))], old).new == 8


def test_collect_brings_an_old_lake_up_to_date(tmp_path: Path) -> None:
    old = _old_lake(tmp_path / "old", _lake(tmp_path / "new", tmp_path / "logs"))
    assert collect([log(tmp_path / "more.json", range(30, 40))], old).new == 8
    assert {location[: len(f"file://{old}")] for location in _locations(old)} == {f"file://{old}"}
    assert len(ids(old)) == _by_pyiceberg(old) == 40


def _until(process: subprocess.Popen[bytes], folder: Path, files: int) -> None:
    """Waits until that many files are in the folder, or the process ends."""
    while process.poll() is None and len(list(folder.iterdir())) < files:
        time.sleep(0.002)


def test_a_move_that_was_killed_leaves_the_lake_as_it_was(tmp_path: Path, crosstrail: CommandLine) -> None:
    _lake(tmp_path / "original", tmp_path / "logs", 5).rename(tmp_path / "moved")
    lake = tmp_path / "moved"
    metadata, killed = lake / "events/metadata", 0
    for written in (1, 4, 9):
        had = len(list(metadata.iterdir()))
        command = [sys.executable, "-m", "crosstrail", "lake", "move", "--lake", str(lake)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _until(process, metadata, had + written)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert len(ids(lake)) == 52
    assert killed
    assert "error" not in crosstrail("lake", "move", "--lake", str(lake)).stderr
    assert len(ids(lake)) == _by_pyiceberg(lake) == 52


_KILLED_WRITING = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN IMMEDIATE")
db.execute("CREATE TABLE half (written)")
db.executemany("INSERT INTO half VALUES (?)", [("x" * 4000,)] * 500)
os.kill(os.getpid(), signal.SIGKILL)
"""
"""Kills itself with a transaction half in the file, and the rest of it in SQLite's journal."""


@pytest.mark.parametrize("name", [CATALOG_FILE, LEDGER_FILE])
def test_what_a_killed_writer_left_is_rolled_back_by_whoever_reads(
    tmp_path: Path, crosstrail: CommandLine, name: str
) -> None:
    _lake(tmp_path / "original", tmp_path / "logs", 2).rename(lake := tmp_path / "moved")
    subprocess.run([sys.executable, "-c", _KILLED_WRITING, str(lake / name)], check=False)
    assert (lake / f"{name}-journal").stat().st_size
    counted = crosstrail("query", "SELECT count(*) FROM events", "--lake", str(lake), "--format", "csv")
    days = crosstrail("coverage", "--lake", str(lake), "--json")
    assert (counted.returncode, counted.stdout.split()[-1]) == (0, "22"), counted.stderr
    assert days.returncode == 0, days.stderr


def test_a_catalog_server_is_told_of_a_move_but_not_of_a_copy(
    tmp_path: Path, postgres: PostgresServer, crosstrail: CommandLine
) -> None:
    catalog = postgres.empty_url("postgresql+psycopg")
    collect([log(tmp_path / "1.json", range(5))], tmp_path / "original", catalog=catalog)
    shutil.copytree(tmp_path / "original", tmp_path / "moved")
    config = tmp_path / "crosstrail.yaml"
    config.write_text(f"lake: {{catalog: '{catalog}', path: '{tmp_path / 'moved'}'}}\n")
    refused = crosstrail("lake", "move", "--config", str(config))
    assert (refused.returncode, "still where they were made" in refused.stderr) == (1, True)
    shutil.rmtree(tmp_path / "original")
    assert crosstrail("lake", "move", "--config", str(config)).stdout.startswith("Its files are named")
    with closing(LakeTable.open(tmp_path / "moved", catalog=catalog)) as table:
        assert [one.events for one in table.accounts()] == [5]
        assert all(path.startswith(str(tmp_path / "moved")) for path in table.plan(None))


def test_a_lake_on_a_read_only_medium_in_another_place_answers(tmp_path: Path, crosstrail: CommandLine) -> None:
    medium = tmp_path / "medium"
    _lake(tmp_path / "original", tmp_path / "logs").rename(medium)
    place = tmp_path / "mounted"
    place.mkdir()
    program = 'mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" && shift 2 && exec "$@"'
    inside = ["unshare", "--mount", "sh", "-c", program, "sh", str(medium), str(place)]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system read-only")
    before = _files(medium)

    def there(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*inside, sys.executable, "-m", "crosstrail", *words, "--lake", str(place)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert there("query", COUNT, "--format", "csv").stdout.split() == ["_col0,_col1", "32,32"]
    assert "event-00000031" in there("lookup", "--account", "*", "--json").stdout
    refused = there("collect", str(log(tmp_path / "more.json", [99])))
    assert refused.returncode == 1
    assert "read-only" in refused.stderr
    assert _files(medium) == before
