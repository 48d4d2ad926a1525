"""Each event once: in any order, by several processes at once, and after a kill at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit_logs import ids, record, rows, write
from crosstrail.errors import LakeError
from crosstrail.lake.collector import collect
from crosstrail.lake.schema import ARROW_SCHEMA
from crosstrail.lake.stage import write_parquet
from crosstrail.lake.table import LakeTable

FILES = 24
EVENTS_A_FILE = 50
COPIES = 8


def _pad(number: int) -> str:
    """Text that does not compress, so that few events make work for several processes and several jobs."""
    return "".join(hashlib.sha256(f"{number}.{part}".encode()).hexdigest() for part in range(100))


@pytest.fixture(scope="module")
def overlapping_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in which every event stands twice, in two different files."""
    folder = tmp_path_factory.mktemp("logs")
    for file in range(FILES):
        numbers = range(file * EVENTS_A_FILE // 2, file * EVENTS_A_FILE // 2 + EVENTS_A_FILE)
        records = [record(number * 37, userAgent=_pad(number)) for number in numbers]
        write(folder / f"{file:03d}.json.gz", {"Records": records})
    return folder


@pytest.fixture(scope="module")
def many_logs(overlapping_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same under many more names: seconds of reading, for tests that must come while it lasts."""
    folder = tmp_path_factory.mktemp("many")
    for path in overlapping_logs.iterdir():
        for copy in range(COPIES):
            os.link(path, folder / f"{copy:02d}-{path.name}")
    return folder


EXPECTED = sorted(record(number * 37)["eventID"] for number in range((FILES + 1) * EVENTS_A_FILE // 2))


def _command(lake: Path, *paths: Path, workers: int = 2) -> list[str]:
    arguments = ["collect", *map(str, paths), "--lake", str(lake), "--workers", str(workers), "--json"]
    return [sys.executable, "-m", "crosstrail", *arguments]


def _leftovers(lake: Path) -> list[str]:
    """Data files that no snapshot names."""
    with closing(LakeTable.open(lake)) as table:
        named = table.referenced()
        return [str(path) for path in table.data_folder.rglob("*.parquet") if str(path) not in named]


def test_parts_without_rows_leave_a_data_file_its_statistics(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([{"eventtime": None}] * 3, ARROW_SCHEMA)
    table = table.set_column(
        ARROW_SCHEMA.get_field_index("eventtime"),
        ARROW_SCHEMA.field("eventtime"),
        pa.array([1, 2, 3], ARROW_SCHEMA.field("eventtime").type),
    )
    write_parquet([table.slice(0, 0), table, table.slice(3)], tmp_path / "one.parquet", ARROW_SCHEMA)
    about = pq.read_metadata(tmp_path / "one.parquet")
    assert (about.num_rows, about.num_row_groups) == (3, 1)


def test_any_order_gives_the_same_table(tmp_path: Path) -> None:
    source = random.Random(7)  # noqa: S311
    numbers = list(range(60))
    tables = []
    for order in range(3):
        folder, lake = tmp_path / f"logs{order}", tmp_path / f"lake{order}"
        source.shuffle(numbers)
        for start in range(0, 60, 10):
            copies = [*numbers[start : start + 10], *source.sample(range(60), 5)]
            write(folder / f"{start}.json", {"Records": [record(number) for number in copies]})
        for path in source.sample(sorted(folder.iterdir()), 6):
            collect([path], lake)
        assert collect([folder], lake).objects_read == 0
        tables.append(rows(lake, "* EXCLUDE (source_object)"))
    assert tables[0] == tables[1] == tables[2]
    assert len(tables[0]) == 60


def test_a_file_that_repeats_events_of_many_committed_files(tmp_path: Path) -> None:
    """The days are 1,440 numbers apart, so each commit is a file of its own, and most files repeat nothing."""
    lake = tmp_path / "lake"
    for number in range(6):
        write(tmp_path / f"{number}.json", {"Records": [record(number * 1440), record(number * 1440 + 1)]})
        collect([tmp_path / f"{number}.json"], lake)
    forged = record(4 * 1440, sourceIPAddress="192.0.2.1")
    write(tmp_path / "again.json", {"Records": [record(0), record(2 * 1440 + 1), forged, record(9)]})
    report = collect([tmp_path / "again.json"], lake)
    assert (report.new, report.known, report.conflicting) == (1, 3, 1)
    assert len(ids(lake)) == 13


def test_processes_at_once_put_each_event_in_once(overlapping_logs: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    running = [
        subprocess.Popen(
            _command(lake, overlapping_logs, workers=count), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for count in (1, 1, 2)
    ]
    ends = [(process.communicate(timeout=300), process.returncode) for process in running]
    assert [code for _, code in ends] == [0, 0, 0], [streams[1][-500:] for streams, _ in ends]
    reports = [json.loads(streams[0]) for streams, _ in ends]
    assert sum(report["new"] for report in reports) == len(EXPECTED)
    assert ids(lake) == EXPECTED
    assert _leftovers(lake) == []
    assert sum(report["conflicting"] for report in reports) == 0


def test_kills_at_random_moments_lose_nothing_and_double_nothing(overlapping_logs: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    source = random.Random()  # noqa: S311 - another moment every time is the point; the outcome must not depend on it
    killed = 0
    for _ in range(8):
        process = subprocess.Popen(
            _command(lake, overlapping_logs), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=source.uniform(0.2, 3.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        present = ids(lake) if (lake / "catalog.sqlite").is_file() and _has_table(lake) else []
        assert len(present) == len(set(present))
    subprocess.run(_command(lake, overlapping_logs), check=True, capture_output=True, timeout=300)
    assert ids(lake) == EXPECTED
    write(tmp_path / "one-more.json", [record(999_999)])
    subprocess.run(_command(lake, tmp_path / "one-more.json"), check=True, capture_output=True, timeout=300)
    assert _leftovers(lake) == []
    assert killed or len(present) == len(EXPECTED)


def _has_table(lake: Path) -> bool:
    """A kill may come before the table is made."""
    try:
        LakeTable.open(lake).close()
    except LakeError:
        return False
    return True


def _readers(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes in which `process` reads log files."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc to find child processes")
def test_a_reading_process_that_dies_is_an_error_and_no_hang(
    overlapping_logs: Path, many_logs: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(_command(tmp_path / "lake", many_logs), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    readers: list[int] = []
    while not readers and process.poll() is None:
        with suppress(OSError):
            readers = _readers(process)
    for reader in readers:
        with suppress(ProcessLookupError):
            os.kill(reader, signal.SIGKILL)
    try:
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
        with process:  # closes its pipes and waits for its end
            pass
    assert (process.returncode, b"died" in errors, b"Traceback" in errors) == (1, True, False), errors[-800:]
    subprocess.run(_command(tmp_path / "lake", overlapping_logs), check=True, capture_output=True, timeout=300)
    assert ids(tmp_path / "lake") == EXPECTED


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc to find child processes")
def test_readers_do_not_hear_ctrl_c_while_they_start(many_logs: Path, tmp_path: Path) -> None:
    """Nor later: it comes again and again."""
    process = subprocess.Popen(_command(tmp_path / "lake", many_logs), stderr=subprocess.PIPE, start_new_session=True)
    told: set[int] = set()
    while process.poll() is None:
        with suppress(OSError):  # a process that has just ended
            for reader in _readers(process):
                os.kill(reader, signal.SIGINT)
                told.add(reader)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.001)
    with process:
        errors = process.stderr.read() if process.stderr else b""
    assert (process.returncode, errors, len(told)) == (0, b"", 2)


def test_an_interrupted_collection_leaves_no_files_and_ends_with_130(
    overlapping_logs: Path, many_logs: Path, tmp_path: Path
) -> None:
    for attempt in range(20):  # a collection may be over before it is interrupted
        lake = tmp_path / f"lake{attempt}"
        process = subprocess.Popen(
            _command(lake, many_logs), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        while process.poll() is None and not next((lake / "events/data").rglob("*.parquet"), None):
            with suppress(subprocess.TimeoutExpired):  # until it has written a file that no snapshot names yet
                process.wait(timeout=0.01)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=300)
        if process.returncode != 0:
            break
    assert process.returncode == 130, errors[-800:]
    assert b"Traceback" not in errors
    assert _leftovers(lake) == []
    assert set(ids(lake)) <= set(EXPECTED)  # a machine so busy that a part was committed is not interrupted too late
    collect([overlapping_logs], lake)
    assert ids(lake) == EXPECTED


def test_events_of_many_accounts_by_turns_reach_their_partitions(tmp_path: Path) -> None:
    accounts = [f"{1_000_000_000 + number:012d}" for number in range(40)]
    records = [
        record(number * 700, eventID=f"event-{number}", recipientAccountId=accounts[number % len(accounts)])
        for number in range(600)
    ]
    write(tmp_path / "organisation.json", {"Records": records})
    report = collect([tmp_path / "organisation.json"], tmp_path / "lake")
    assert (report.new, report.problem_count) == (600, 0)
    with closing(LakeTable.open(tmp_path / "lake")) as table:
        files = table.snapshot().files
    found = []
    for file in files:
        for row in (
            pq.read_table(file.path, partitioning=None).select(["account", "eventtime", "eventjson"]).to_pylist()
        ):
            assert (row["account"], row["eventtime"].date()) == (file.account, file.day)
            found.append(json.loads(row["eventjson"]))
    assert sorted(found, key=str) == sorted(records, key=str)
