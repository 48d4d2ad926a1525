"""Several processes that serve one address: one record of all their calls, and one end."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crosstrail.accounts.policy import Principal
from crosstrail.call_context import CallContext
from crosstrail.server.access.audit import AuditLog
from crosstrail.settings.audit_settings import AuditSettings
from ports import free_port
from record_lines import lines_of
from running_server import post, serving, write_config


def _write(settings: AuditSettings, who: str, count: int) -> None:
    record = AuditLog(settings)
    for number in range(count):
        record.call(
            Principal(subject=who),
            "t",
            {},
            request_id=f"{who}-{number}",
            outcome="done",
            seconds=0,
            caller=CallContext(),
        )
    record.close()


def test_processes_that_rotate_one_file_lose_no_line(tmp_path: Path) -> None:
    settings = AuditSettings(to=str(tmp_path / "audit.jsonl"), max_bytes=10_000)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(settings, f"w{number}", 1000)) for number in range(3)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(300)
        assert one.exitcode == 0
    found = [one["request_id"] for one in lines_of(tmp_path / "audit.jsonl")]
    assert sorted(found) == sorted(f"w{who}-{number}" for who in range(3) for number in range(1000))
    assert len(list(tmp_path.glob("audit.jsonl.[0-9]*"))) > 30


def test_a_stopped_process_with_the_lock_holds_nobody(tmp_path: Path) -> None:
    """Lines are added meanwhile, and none of them is lost; the file is rotated again once the lock is free."""
    path = tmp_path / "audit.jsonl"
    settings = AuditSettings(to=str(path), max_bytes=10_000)
    path.touch()
    with open(f"{path}.lock", "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _write(settings, "held", 100)
        assert path.stat().st_size > 10_000
    _write(settings, "free", 100)
    assert path.stat().st_size <= 10_000
    assert len({one["request_id"] for one in lines_of(path)}) == 200


def test_a_record_moved_away_by_somebody_else_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    record = AuditLog(AuditSettings(to=str(file)))
    for number in range(3):
        record.refused(401, method="", path=str(number), address="")
        file.rename(tmp_path / f"moved.{number}")
    record.close()
    assert ["".join(json.loads(path.read_text())["path"]) for path in sorted(tmp_path.glob("moved.*"))] == list("012")


def test_a_device_is_written_and_never_moved(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (tmp_path / "out").open("wb") as out:
        script = (
            "from crosstrail.server.access.audit import AuditLog; from crosstrail.settings.audit_settings import AuditSettings;"
            "record = AuditLog(AuditSettings(to='/dev/stdout', max_bytes=10_000));"
            "[record.refused(401, method='', path='x' * 150, address='') for _ in range(200)]; record.close()"
        )
        subprocess.run([sys.executable, "-c", script], stdout=out, check=True)
    assert len((tmp_path / "out").read_text().splitlines()) == 200
    assert not Path("/dev/stdout.lock").exists()
    full = AuditLog(AuditSettings(to="/dev/full"))  # a disk without room stops no call
    full.refused(401, method="", path="", address="")
    full.close()
    assert caplog.messages == [
        "the record of calls cannot be written: No space left on device",
        "lines of the record that are lost, because they could not be written: 1",
    ]


def test_workers_write_one_record(tmp_path: Path) -> None:
    config = write_config(tmp_path, lake={"path": "lake"}, audit={"max_bytes": 10_000})
    with serving(config, "--workers", "2", "--port", str(free_port())) as made:

        def called(number: int) -> int:
            params = {"name": "list_accounts", "arguments": {"selector": f"none-{number}"}}
            return post(made.url, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).status_code

        with ThreadPoolExecutor(8) as many:
            assert set(many.map(called, range(300))) == {200}
        assert made.stop() == 0
        found = lines_of(made.audit)
    asked = [one["asked"]["account"] for one in found if one["kind"] == "call"]
    assert sorted(asked) == sorted(f"none-{number}" for number in range(300))
    assert len(list(tmp_path.glob("audit.jsonl.[0-9]*"))) > 5


def test_workers_count_calls_together(tmp_path: Path) -> None:
    config = write_config(tmp_path, lake={"path": "lake"}, limits={"calls_per_minute": 20})
    place = tmp_path / "tmp"
    place.mkdir()
    arguments = ("--workers", "2", "--port", str(free_port()))
    with serving(config, *arguments, environ={"TMPDIR": str(place)}) as made:
        params = {"name": "list_accounts", "arguments": {}}

        def called(_: int) -> str:
            return post(made.url, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).text

        began = time.monotonic()
        with ThreadPoolExecutor(8) as many:
            limited = sum("20 calls a minute" in text for text in many.map(called, range(60)))
        more = (time.monotonic() - began) / 3 + 1  # one is let in every 3 s
        assert [one.name for one in place.glob("*/*.db")] == ["limits.db"]
        assert made.stop() == 0
    assert 40 - more <= limited <= 40  # each worker alone would let in 20 and as many more
    assert list(place.iterdir()) == []
