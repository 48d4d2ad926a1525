"""`crosstrail lake repair`: what is damaged goes, its events come again, and what cannot be had is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from audit_logs import ACCOUNT, ids, log
from conftest import CommandLine
from crosstrail.lake.collector import collect
from crosstrail.lake.table import LakeTable
from documented_rows import rows_of

DAYS = 4
A_DAY = 1440


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Four days of five events, a data file and a log file each."""
    for day in range(DAYS):
        log(tmp_path / f"logs/AWSLogs/{ACCOUNT}/{day}.json", range(day * A_DAY, day * A_DAY + 5))
    collect([tmp_path / "logs"], tmp_path / "lake")
    return tmp_path / "lake"


def _files(lake: Path) -> list[Path]:
    with closing(LakeTable.open(lake)) as table:
        return sorted(map(Path, table.plan(None)))


def _repair(crosstrail: CommandLine, lake: Path, *options: object, status: int = 0) -> dict[str, Any]:
    done = crosstrail("lake", "repair", "--lake", lake, "--json", *options)
    assert done.returncode == status, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _flip(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)


def test_damaged_and_missing_files_are_collected_again(lake: Path, crosstrail: CommandLine) -> None:
    before = ids(lake)
    files = _files(lake)
    _flip(files[0], 0.001)
    _flip(files[1], 1)  # its footer: nothing of it can be read
    files[2].unlink()
    repaired = _repair(crosstrail, lake)
    assert (len(repaired["taken_out"]), repaired["collected_again"], repaired["lacking"]) == (3, 15, [])
    assert ids(lake) == before
    assert crosstrail("lake", "verify", "--lake", lake).returncode == 0
    assert _repair(crosstrail, lake)["taken_out"] == []
    assert ids(lake) == before


def test_what_was_taken_out_is_rows(lake: Path, tmp_path: Path, crosstrail: CommandLine) -> None:
    _flip(_files(lake)[1], 0.5)
    (tmp_path / f"logs/AWSLogs/{ACCOUNT}/1.json").unlink()
    done = crosstrail("lake", "repair", "--lake", lake, "--format", "json")
    (row,) = rows_of("lake repair", done.stdout)
    assert (done.returncode, row["account"], row["day"], row["events"], row["lacking"]) == (
        *(3, ACCOUNT, "2026-03-02"),
        *(5, 5),
    )
    assert "1 of 4 taken out" in done.stderr


def test_what_cannot_be_had_again_is_named(lake: Path, tmp_path: Path, crosstrail: CommandLine) -> None:
    _flip(_files(lake)[1], 0.5)
    gone = tmp_path / f"logs/AWSLogs/{ACCOUNT}/1.json"
    gone.unlink()
    repaired = _repair(crosstrail, lake, status=3)
    assert repaired["missing_log_files"] == [str(gone)]
    assert repaired["lacking"] == [{"cloud": "aws", "account": ACCOUNT, "day": "2026-03-02", "before": 5, "now": 0}]
    assert len(ids(lake)) == 15


def test_a_copy_of_the_events_elsewhere_is_found(lake: Path, tmp_path: Path, crosstrail: CommandLine) -> None:
    """The file that the events name is gone; another one, whose events were known when it was read, has them."""
    before = ids(lake)
    log(tmp_path / "copy/all.json", range(A_DAY, A_DAY + 5))
    assert collect([tmp_path / "copy"], lake).known == 5
    _flip(_files(lake)[1], 0.001)
    (tmp_path / f"logs/AWSLogs/{ACCOUNT}/1.json").unlink()
    assert _repair(crosstrail, lake)["collected_again"] == 5
    assert ids(lake) == before


def test_an_archive_speaks_for_its_own_accounts_also_in_a_repair(tmp_path: Path, crosstrail: CommandLine) -> None:
    """A configured archive also holds events of an account that it does not speak for: these stay out."""
    from audit_logs import record, write

    lake, config = tmp_path / "lake", tmp_path / "crosstrail.yaml"
    records = [record(number) for number in range(3)] + [record(9, recipientAccountId="222222222222")]
    write(tmp_path / "logs/1.json", records)
    accounts = [{"id": ACCOUNT, "archive": str(tmp_path / "logs")}]
    config.write_text(json.dumps({"accounts": accounts, "lake": {"path": str(lake)}}))
    assert crosstrail("collect", "--config", config).returncode == 0
    before = ids(lake)
    assert len(before) == 3
    _flip(_files(lake)[0], 0.5)
    assert _repair(crosstrail, lake, "--config", config)["collected_again"] == 3
    assert ids(lake) == before


_KILLED = """
import os, runpy, signal, sys
from crosstrail.lake import forgetting, table
at = int(sys.argv.pop(1))
def killed(work, number):
    def call(*given, **named):
        global at
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)
        done = work(*given, **named)
        if number == at - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return call
forgetting.ReadObjects.forget = killed(forgetting.ReadObjects.forget, 1)
table.LakeTable.commit = killed(table.LakeTable.commit, 3)
sys.argv[0] = "crosstrail"
runpy.run_module("crosstrail", run_name="__main__")
"""


def test_a_killed_repair_is_ended_by_the_next(lake: Path, crosstrail: CommandLine) -> None:
    """Before and after the log files are forgotten, before and after the damaged files go."""
    before = ids(lake)
    for moment in (1, 2, 3, 4):
        _flip(_files(lake)[0], 0.001)
        arguments = [sys.executable, "-c", _KILLED, str(moment), "lake", "repair", "--lake", str(lake)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
        assert done.returncode == -signal.SIGKILL, done.stderr
        _repair(crosstrail, lake)
        assert ids(lake) == before
