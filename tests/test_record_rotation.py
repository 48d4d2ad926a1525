"""Files of the record that are put away: compressed, deleted in time, and complete whatever is killed meanwhile."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crosstrail.accounts.policy import Principal
from crosstrail.call_context import CallContext
from crosstrail.record.files import record_files, rotated_files
from crosstrail.server.access.audit import AuditLog
from crosstrail.server.access.rotation import RotatedFiles
from crosstrail.settings.audit_settings import AuditSettings
from record_lines import lines_of
from running_server import PATIENCE, post, serving, write_config

_WRITER = """
import sys
from crosstrail.accounts.policy import Principal
from crosstrail.call_context import CallContext
from crosstrail.server.access.audit import AuditLog
from crosstrail.settings.audit_settings import AuditSettings
record = AuditLog(AuditSettings(to=sys.argv[1], max_bytes=10_000))
for number in range(100_000):
    line = record.call(
        Principal(subject="w"), "t", {}, request_id=f"{sys.argv[2]}-{number}", outcome="done", seconds=0, caller=CallContext()
    )
    while line.written is None:  # the other one has its turn
        pass
    print(number, flush=True)
"""


def until(found: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not found():
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.01)


def write(record: AuditLog, count: int, accounts: list[str] | None = None) -> None:
    for number in range(count):
        record.call(
            Principal(subject="ann"),
            "t",
            {},
            request_id=str(number),
            outcome="done",
            seconds=0,
            caller=CallContext(),
            asked=(accounts or [], []),
        )


def put_away(audit: Path, age: timedelta, size: int = 100) -> Path:
    """A file of that age, and of that size compressed."""
    name = f"{audit.name}.{(datetime.now(UTC) - age).strftime('%Y%m%dT%H%M%S%fZ')}.gz"
    file = audit.with_name(name)
    file.write_bytes(b"x" * size)
    return file


def test_a_file_that_is_full_is_compressed_under_a_name_of_its_own(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    record = AuditLog(AuditSettings(to=str(audit), max_bytes=10_000))
    write(record, 100)
    record.close()
    rotated = rotated_files(audit)
    assert len(rotated) > 1
    assert all(one.compressed and one.path.stat().st_mode & 0o777 == 0o600 for one in rotated)
    assert audit.stat().st_size <= 10_000
    assert [one["request_id"] for one in lines_of(audit)] == [str(number) for number in range(100)]


def test_two_that_begin_a_record_at_once_both_write_it(tmp_path: Path) -> None:
    """Whoever finds a file that the other one has just made can read its last byte back, as each line asks."""
    for turn in range(400):
        audit, ready = tmp_path / f"audit-{turn}.jsonl", threading.Barrier(2)
        records: list[AuditLog] = []

        def begin(audit: Path = audit, ready: threading.Barrier = ready, records: list[AuditLog] = records) -> None:
            ready.wait()
            records.append(AuditLog(AuditSettings(to=str(audit))))

        threads = [threading.Thread(target=begin) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, record in enumerate(records):
            caller = CallContext()
            record.call(
                Principal(subject="w"), "t", {}, request_id=f"{number}", outcome="done", seconds=0, caller=caller
            )
            record.close()
        assert [one["request_id"] for one in lines_of(audit)] == ["0", "1"], turn


def test_whoever_is_killed_between_two_steps_loses_and_doubles_no_line(tmp_path: Path) -> None:
    """Two writers, one killed again and again while lines are written, put away and compressed: what each said that it wrote is
    there, once."""
    audit = tmp_path / "audit.jsonl"
    said: dict[str, int] = {}
    for turn in range(6):
        writers = {
            f"{turn}{name}": subprocess.Popen(
                [sys.executable, "-c", _WRITER, audit, f"{turn}{name}"], stdout=subprocess.PIPE, text=True
            )
            for name in "ab"
        }
        for name, one in writers.items():
            assert one.stdout
            for _ in range(40 + 37 * turn):
                said[name] = int(one.stdout.readline())
            one.send_signal(signal.SIGKILL)
            for line in one.stdout:
                if line.endswith("\n"):
                    said[name] = int(line)
            one.wait()
            one.stdout.close()
    AuditLog(AuditSettings(to=str(audit))).close()  # the next start finishes what was left
    until(lambda: all(one.compressed for one in rotated_files(audit)))
    found = [one["request_id"] for one in lines_of(audit)]
    assert len(found) == len(set(found))
    assert {f"{name}-{number}" for name, last in said.items() for number in range(last + 1)} <= set(found)
    assert not list(tmp_path.glob("*.part"))


def test_what_a_kill_left_of_a_compression_is_done_again(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    record = AuditLog(AuditSettings(to=str(audit), max_bytes=10_000))
    write(record, 100)
    record.close()
    before = lines_of(audit)
    first, second, *_ = (one.path for one in rotated_files(audit))
    plain = first.with_suffix("")
    plain.write_bytes(gzip.decompress(first.read_bytes()))  # compressed, and not yet deleted
    unfinished = second.with_suffix("")
    unfinished.write_bytes(gzip.decompress(second.read_bytes()))
    second.rename(second.with_name(f"{second.name}.part"))
    second.with_name(f"{second.name}.part").write_bytes(b"half")
    assert plain not in record_files(audit)
    assert lines_of(audit) == before
    AuditLog(AuditSettings(to=str(audit))).close()
    until(lambda: not unfinished.exists() and not plain.exists())
    assert lines_of(audit) == before
    assert not list(tmp_path.glob("*.part"))


def test_a_file_into_which_somebody_still_writes_is_not_compressed(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    name = put_away(audit, timedelta(hours=1)).rename(tmp_path / "audit.jsonl.20261120T090000000000Z")
    files = RotatedFiles(audit, keep_days=100_000, max_total=1_000_000)
    with name.open("ab") as writing:
        fcntl.flock(writing, fcntl.LOCK_SH)
        files.tidy_soon()
        files.close()
        assert [one.path for one in rotated_files(audit)] == [name]
    files.tidy_soon()
    files.close()
    assert [one.compressed for one in rotated_files(audit)] == [True]


def test_files_go_when_their_days_are_over_and_before_only_for_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    audit = tmp_path / "audit.jsonl"
    old, *others = [put_away(audit, timedelta(days=days), 10_000) for days in (91, 89, 50, 2)]
    foreign = tmp_path / "audit.jsonl.1"
    foreign.write_text("")
    os.utime(foreign, (0, 0))
    AuditLog(AuditSettings(to=str(audit))).close()
    assert (old.exists(), [one.exists() for one in others], foreign.exists()) == (False, [True] * 3, True)
    assert caplog.messages == []
    record = AuditLog(AuditSettings(to=str(audit), max_total=25_000, max_bytes=10_000))
    record.close()
    assert [one.exists() for one in others] == [False, True, True]
    record = AuditLog(AuditSettings(to=str(audit), max_total=20_000, max_bytes=10_000))
    write(record, 100)
    record.close()
    [first, again] = caplog.messages
    assert first.startswith("the record is deleted after 89.0 days where audit.keep_days asks for 90")
    assert again.startswith("the record is deleted after")
    assert sum(file.stat().st_size for file in record_files(audit)) <= 20_000


def test_the_server_says_what_stays(tmp_path: Path) -> None:
    config = write_config(tmp_path, lake={"path": "lake"})
    with serving(config) as server:
        assert server.lines[0] == (
            f"record of calls: {server.audit}, 90 days or 5 GB, whichever is less; a call that cannot be recorded is refused\n"
        )
        assert post(server.url).status_code == 200
    with serving(config, "--audit", "stderr") as server:
        assert server.lines[0] == "record of calls: stderr\n"


def test_a_set_of_accounts_is_defined_once_in_each_file_that_names_it(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    accounts = [f"{number:012d}" for number in range(200)]
    record = AuditLog(AuditSettings(to=str(audit), max_bytes=12_000))
    write(record, 100, accounts)
    record.close()
    files = [audit, *(one.path for one in rotated_files(audit))]
    assert len(files) > 2
    for file in files:
        text = file.read_text() if file == audit else gzip.decompress(file.read_bytes()).decode()
        first, *rest = map(json.loads, text.splitlines())
        assert (first["kind"], first["accounts"]) == ("accounts", accounts)
        assert {(one["kind"], one["account_set"], one["account_count"]) for one in rest} == {
            ("call", first["account_set"], 200)
        }
