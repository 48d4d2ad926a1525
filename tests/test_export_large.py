"""Exports of many records: memory that does not grow with them, killed in the middle, a disk that takes no more."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from conftest import CommandLine
from lake_workspace import NOON, PROD, collect, record
from running_server import PATIENCE

COUNT = 60_000
ALL = "SELECT eventid FROM events"
NUMBER = "987654321012"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large-export")
    (folder / "logs").mkdir()
    text = json.dumps(record(PROD, int(NUMBER), NOON, userAgent="x" * 700, requestID=""))
    assert text.count(NUMBER) == 2
    for file in range(4):
        numbers = range(file * COUNT // 4, (file + 1) * COUNT // 4)
        records = ",".join(text.replace(NUMBER, f"{number:012d}") for number in numbers)
        (folder / "logs" / f"{file}.json.gz").write_bytes(gzip.compress(f'{{"Records": [{records}]}}'.encode(), 1))
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


def start(lake: Path, data: Path, sql: str = ALL) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "crosstrail", "export", sql, "-o", str(data), "--lake", str(lake)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def running(process: subprocess.Popen[bytes]) -> bool:
    """Waits a moment for its end."""
    try:
        process.wait(timeout=0.01)
    except subprocess.TimeoutExpired:
        return True
    return False


def family(pid: int) -> list[int]:
    """The process and all below it."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in below for one in family(int(child)))]


def peak(pid: int) -> int:
    """Most resident bytes of the process so far."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def order_of(data: Path) -> str | None:
    found: str | None = json.loads(data.with_name(f"{data.name}.manifest.json").read_text())["order"]
    return found


def measured(lake: Path, data: Path, sql: str) -> int:
    """Exports; the most memory that one of its processes took."""
    most = 0
    with start(lake, data, sql) as process:
        while running(process):
            most = max([most, *map(peak, family(process.pid))])
        assert process.returncode == 0
    return most


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_number_of_records(
    lake: Path, crosstrail: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSTRAIL_QUERY_MEMORY_LIMIT", "60MB")
    few = measured(lake, tmp_path / "few.jsonl", f"{ALL} LIMIT 5000")
    many = measured(lake, tmp_path / "many.jsonl", ALL)
    size = (tmp_path / "many.jsonl").stat().st_size
    assert size > 78_000_000
    assert (order_of(tmp_path / "few.jsonl"), order_of(tmp_path / "many.jsonl")) == ("eventtime", None)
    assert many - few < size * 2 / 3
    done = crosstrail("export", "--check", tmp_path / "many.jsonl.manifest.json")
    assert done.returncode == 0, done.stdout
    assert f"{COUNT:,} records" in done.stderr


def written(folder: Path, at_least: int) -> bool:
    """Whether an export under way has so many bytes of records on the disk."""
    return any(path.stat().st_size >= at_least for path in folder.glob(".*.partial/export.data*"))


@pytest.mark.parametrize("at_least", [1, 36_000_000])
def test_a_killed_export_leaves_nothing_that_the_check_accepts(
    lake: Path, crosstrail: CommandLine, tmp_path: Path, at_least: int
) -> None:
    data = tmp_path / "evidence.jsonl"
    process = start(lake, data)
    while running(process) and not written(tmp_path, at_least):
        pass
    workers = family(process.pid)[1:]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    assert crosstrail("export", "--check", f"{data}.manifest.json").returncode == 1
    while any(peak(worker) for worker in workers):  # each ends with the process that started it
        os.sched_yield()
    done = crosstrail("export", f"{ALL} LIMIT 3", "-o", data, "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert crosstrail("export", "--check", f"{data}.manifest.json").returncode == 0
    assert not list(tmp_path.glob(".*"))


def test_a_disk_that_takes_no_more_leaves_nothing(lake: Path, tmp_path: Path) -> None:
    """The kernel's limit of a file's size stands for a full disk."""
    program = f"""
        import resource, signal, sys
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))
        from crosstrail.__main__ import main
        sys.argv = ["crosstrail", "export", {ALL!r}, "-o", {str(tmp_path / "evidence.jsonl")!r}, "--lake", {str(lake)!r}]
        main()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1
    assert "its result cannot be written" in done.stderr
    assert list(tmp_path.iterdir()) == []
