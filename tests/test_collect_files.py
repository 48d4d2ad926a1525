"""What becomes of files that hold no event, that change while they are read, and that are no files."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
import socket
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from audit_logs import ids, log, record, write
from conftest import CommandLine
from crosstrail.lake.collector import collect
from crosstrail.lake.containers import entries
from crosstrail.lake.sources.files import find

_FINDING = {"schemaVersion": "2.0", "accountId": "012345678901", "type": "Recon:EC2/PortProbe", "id": "x"}


def _noise(size: int) -> str:
    return random.Random(1).randbytes(size // 2).hex()  # noqa: S311 - the same every time is the point


def _zip(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def _zstd(data: bytes) -> bytes:
    made = pa.BufferOutputStream()
    with pa.CompressedOutputStream(made, "zstd") as packed:
        packed.write(data)
    return bytes(made.getvalue())


_CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "a.zip": lambda data: _zip({"one.json": data, "two.json": data}),
    "a.tar": lambda data: _tar({"one.json": data, "two.json": data}),
    "a.tar.gz": lambda data: gzip.compress(_tar({"one.json": data})),
    "a.json.zst": _zstd,
    "a.json.bz2": bz2.compress,
    "a.json.gz": gzip.compress,
    "a.json.gz.gz": lambda data: gzip.compress(gzip.compress(data)),
}


@pytest.mark.parametrize("size", [100, 6_000_000])
@pytest.mark.parametrize("name", _CONTAINERS)
def test_a_named_container_without_events_is_a_problem(tmp_path: Path, name: str, size: int) -> None:
    data = json.dumps({"name": "other", "pad": _noise(size)}).encode()
    path = write(tmp_path / "in" / "x", _CONTAINERS[name](data)).rename(tmp_path / "in" / name)
    for _ in range(2):  # also when it was read before
        report = collect([path], tmp_path / "lake", workers=1)
        assert [problem.reason for problem in report.problems] == ["holds no audit events: other JSON"]
        assert (report.objects_failed, report.problem_count) == (1, 1)
    assert collect([tmp_path / "in"], tmp_path / "lake2", workers=1).problems == []


@pytest.mark.parametrize("data", [_zip({}), _tar({}), gzip.compress(_tar({}))], ids=["zip", "tar", "tar.gz"])
def test_a_named_archive_without_files_is_a_problem(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "empty.tar", data)
    report = collect([path], tmp_path / "lake")
    assert len(report.problems) == 1


def test_a_big_zip_with_events_in_one_part_only_is_none(tmp_path: Path) -> None:
    files = {f"{number}.json": json.dumps({"pad": _noise(20_000), "n": number}).encode() for number in range(300)}
    files["events.json"] = json.dumps({"Records": [record(1)]}).encode()
    path = tmp_path / "a.zip"
    path.write_bytes(_zip(files))
    assert path.stat().st_size > 2 * 1024 * 1024
    report = collect([path], tmp_path / "lake", workers=1)
    assert (report.new, report.problems) == (1, [])
    assert collect([path], tmp_path / "lake", workers=1).objects_known > 1


@pytest.mark.parametrize("name", _CONTAINERS)
def test_damage_in_the_log_of_another_service_is_named(tmp_path: Path, name: str) -> None:
    """Behind it, or in it, there may be events."""
    data = "\n".join([json.dumps(_FINDING)] * 3 + ['{"eventVersion": "1.08", "eventTi']).encode()
    path = write(tmp_path / "in" / "x", _CONTAINERS[name](data)).rename(tmp_path / "in" / name)
    report = collect([tmp_path / "in"], tmp_path / "lake")
    assert {problem.reason for problem in report.problems} == {"cut short"}
    assert list(report.left_out) == ["GuardDuty finding"]
    assert report.objects_failed == (2 if path.suffix in (".zip", ".tar") else 1)


def test_a_text_with_brackets_is_no_damaged_log(tmp_path: Path) -> None:
    write(tmp_path / "in/app.log", "2026-01-01 [main] INFO {started\n[2026] {x} [\n")
    report = collect([tmp_path / "in"], tmp_path / "lake")
    assert report.problems == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "is written over"])
def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.json"
    path.write_text("\n".join(json.dumps(record(number)) for number in range(3_000)))
    [[found]] = find([path], tmp_path / "lake").batches
    reading = entries(found, 1 << 40)
    entry = next(reading)
    next(entry.chunks)
    with path.open("r+") as file:
        if change == "shrinks":
            file.truncate(300_000)
        else:
            file.seek(0, 2 if change == "grows" else 0)
            file.write(json.dumps(record(5_000)) + "\n")
    for _ in entry.chunks:
        pass
    with pytest.raises(OSError, match="changed while it was read"):
        next(reading)
    [[again]] = find([path], tmp_path / "lake").batches
    assert again.stamp != found.stamp


def test_a_file_whose_name_is_gone_is_read_to_its_end(tmp_path: Path) -> None:
    path = log(tmp_path / "a.json", range(3_000))
    [[found]] = find([path], tmp_path / "lake").batches
    reading = entries(found, 1 << 40)
    entry = next(reading)
    path.unlink()
    assert json.loads(b"".join(entry.chunks))["Records"][-1] == record(2_999)
    assert list(reading) == []
    with pytest.raises(FileNotFoundError):
        next(entries(found, 1 << 40))


def test_a_file_that_became_a_pipe_ends_no_collection(tmp_path: Path) -> None:
    path = log(tmp_path / "a.json", [1])
    [[found]] = find([path], tmp_path / "lake").batches
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="no regular file any more"):
        next(entries(found, 1 << 40))


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    log(tmp_path / "logs/a.json", [1])
    assert collect([tmp_path / "logs"], tmp_path / "lake").new == 1
    log(tmp_path / "b.json", [2]).rename(tmp_path / "logs/a.json")
    assert collect([tmp_path / "logs"], tmp_path / "lake").new == 1
    assert len(ids(tmp_path / "lake")) == 2


def test_what_is_no_file_is_named_and_nothing_waits(tmp_path: Path, crosstrail: CommandLine) -> None:
    logs = tmp_path / "logs"
    log(logs / "good.json.gz", [1])
    os.mkfifo(logs / "pipe.json.gz")
    (logs / "folder.json.gz").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(logs)  # the path of a socket is 108 bytes at most
        listening.bind("socket.json.gz")
        os.chdir(here)
        done = crosstrail("collect", logs, "--lake", tmp_path / "lake", "--json")
        report = json.loads(done.stdout)
        assert (done.returncode, report["new"]) == (0, 1)
        assert report["left_out"]["pipe, socket or device"]["files"] == 2
        for named in ("pipe.json.gz", "socket.json.gz"):
            done = crosstrail("collect", logs / named, "--lake", tmp_path / "lake")
            assert done.returncode != 0
            assert named in done.stderr
            assert "pipe, socket or device" in done.stderr
    done = crosstrail("collect", "/dev/null", "--lake", tmp_path / "lake")
    assert done.returncode != 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    log(tmp_path / "logs/good.json", [1])
    log(tmp_path / "logs/secret.json", [2]).chmod(0)
    report = collect([tmp_path / "logs"], tmp_path / "lake")
    assert [Path(problem.path).name for problem in report.problems] == ["secret.json"]
    (tmp_path / "logs/secret.json").chmod(0o600)
    assert collect([tmp_path / "logs"], tmp_path / "lake").new == 1


@pytest.mark.parametrize(
    ("content", "events", "problems"),
    [
        pytest.param(
            lambda: {"Records": [record(n, eventTime="never") for n in range(20_000)]}, 0, 20_000, id="no time"
        ),
        pytest.param(lambda: record(1, userAgent="a" * 9_000_000), 0, 1, id="one event of 9 MB"),
        pytest.param(lambda: "\n".join(['{"a":1}'] * 50_000 + [json.dumps(record(1))]), 1, 0, id="tiny values"),
        pytest.param(lambda: "[" + '{"a":1},' * 50_000 + json.dumps(record(1)) + "]", 1, 0, id="a list of tiny values"),
    ],
)
def test_hostile_sizes_are_counted_and_cost_no_neighbour(
    tmp_path: Path, content: Callable[[], object], events: int, problems: int
) -> None:
    write(tmp_path / "logs/hostile.json", content())
    log(tmp_path / "logs/good.json", [7])
    report = collect([tmp_path / "logs"], tmp_path / "lake", workers=1)
    assert (report.new, report.problem_count) == (events + 1, problems)
    assert len(report.problems) == min(problems, 100)
