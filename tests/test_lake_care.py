"""`crosstrail lake`: what it says of a lake, that it finds every damage, and that what it changes is no event."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_logs import ACCOUNT, ids, log, record, write
from conftest import CommandLine
from crosstrail.lake.collector import collect
from crosstrail.lake.table import LakeTable

DAYS = 12
A_DAY = 1440
"""Of `record`'s numbers, each a minute later than the one before."""


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Twelve days of ten events, a data file and a log file each."""
    for day in range(DAYS):
        log(tmp_path / f"logs/AWSLogs/{day}.json", range(day * A_DAY, day * A_DAY + 10))
    collect([tmp_path / "logs"], tmp_path / "lake")
    return tmp_path / "lake"


def _json(crosstrail: CommandLine, *arguments: object, status: int = 0) -> dict[str, Any]:
    done = crosstrail(*arguments, "--json")
    assert done.returncode == status, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _files(lake: Path) -> list[Path]:
    with closing(LakeTable.open(lake)) as table:
        return sorted(map(Path, table.plan(None)))


def _flip(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)


def test_every_flipped_bit_and_missing_file_is_named_and_nothing_else(lake: Path, crosstrail: CommandLine) -> None:
    files = _files(lake)
    sound = _json(crosstrail, "lake", "verify", "--lake", lake)
    assert (sound["sound"], sound["files"], sound["unhashed"], sound["events"]) == (True, DAYS, 0, DAYS * 10)
    damaged = files[:-2]
    for number, path in enumerate(damaged):
        _flip(path, number / (len(damaged) - 1))  # from the first byte to the last
    files[-1].unlink()
    found = _json(crosstrail, "lake", "verify", "--lake", lake, status=1)
    assert {one["path"] for one in found["damaged"]} == {str(path.relative_to(lake)) for path in [*damaged, files[-1]]}
    assert {(one["account"], one["rows"]) for one in found["damaged"]} == {(ACCOUNT, 10)}
    assert [one["reason"] for one in found["damaged"] if one["path"].endswith(files[-1].name)] == ["is missing"]
    readable = [one["sources"] for one in found["damaged"] if one["sources"]]
    assert readable
    assert all(source.startswith("AWSLogs/") for sources in readable for source in sources)
    told = crosstrail("lake", "verify", "--lake", lake)
    assert told.returncode == 1
    assert "1 of 12 sound" in told.stdout
    assert told.stderr.count("damaged: events/data/aws/") == 11


def test_a_list_that_names_too_few_events_is_damage(lake: Path, crosstrail: CommandLine) -> None:
    with closing(LakeTable.open(lake)) as table:
        newest = Path(table._table.metadata_location.removeprefix("file://"))
    text = newest.read_text()
    newest.write_text(text.replace(f'"total-records":"{DAYS * 10}"', '"total-records":"121"'))
    assert newest.read_text() != text
    found = _json(crosstrail, "lake", "verify", "--lake", lake, status=1)
    assert "121" in found["list_damage"]


def test_whatever_writes_data_files_names_them_by_their_hash(tmp_path: Path, crosstrail: CommandLine) -> None:
    """A first collection, one with repeats, one with a conflict, and a compaction."""
    lake = tmp_path / "lake"
    collect([log(tmp_path / "1.json", range(5))], lake)
    assert collect([log(tmp_path / "2.json", range(3, 9))], lake).known == 2
    assert collect([write(tmp_path / "3.json", [record(1, sourceIPAddress="203.0.113.66")])], lake).conflicting == 1
    assert len(_files(lake)) == 2
    done = _json(crosstrail, "lake", "compact", "--lake", lake)
    assert (done["replaced"], done["files_after"], done["given_hashes"]) == (2, 1, 0)
    assert len(ids(lake)) == 9
    found = _json(crosstrail, "lake", "verify", "--lake", lake)
    assert (found["sound"], found["files"], found["unhashed"]) == (True, 1, 0)


def test_files_of_an_older_version_are_told_and_given_hashes(lake: Path, crosstrail: CommandLine) -> None:
    before = ids(lake)
    with closing(LakeTable.open(lake)) as table:
        base = table.snapshot()
        paths = [Path(file.path) for file in base.files]
        old = [path.with_name(f"old-{number}.parquet") for number, path in enumerate(paths)]
        for path, copy in zip(paths, old, strict=True):
            shutil.copy(path, copy)
        table.commit(base, old, {str(path) for path in paths})
    found = _json(crosstrail, "lake", "verify", "--lake", lake)
    assert (found["sound"], found["unhashed"]) == (True, DAYS)
    sound = old[0].read_bytes()
    _flip(old[0], 0.05)
    damaged = _json(crosstrail, "lake", "verify", "--lake", lake, status=1)
    assert [one["path"] for one in damaged["damaged"]] == [str(old[0].relative_to(lake))]
    told = crosstrail("lake", "compact", "--lake", lake)
    assert told.returncode == 1
    assert "lake verify" in told.stderr
    old[0].write_bytes(sound)
    assert _json(crosstrail, "lake", "compact", "--lake", lake)["given_hashes"] == DAYS
    assert _json(crosstrail, "lake", "verify", "--lake", lake)["unhashed"] == 0
    assert ids(lake) == before


def test_status_tells_lag_gaps_bytes_and_the_verified_share(tmp_path: Path, crosstrail: CommandLine) -> None:
    lake = tmp_path / "lake"
    log(tmp_path / "logs/1.json", range(3))
    log(tmp_path / "logs/2.json", range(4 * A_DAY, 4 * A_DAY + 2))
    collect([tmp_path / "logs"], lake)
    found = _json(crosstrail, "lake", "status", "--lake", lake)
    [account] = found["accounts"]
    assert (found["events"], found["files"], found["partitions"], found["unhashed"]) == (5, 2, 2, 0)
    assert (account["account"], account["days"], account["gaps"]) == (ACCOUNT, 2, [["2026-03-02", "2026-03-04"]])
    assert account["bytes"] == found["bytes"] == sum(path.stat().st_size for path in _files(lake))
    assert found["disk"] > found["bytes"]
    last = datetime.fromisoformat(account["last"])
    assert account["lag"] == pytest.approx((datetime.now(UTC) - last).total_seconds(), abs=600)
    assert found["verified"] == {"valid": 0, "failed": 0, "untried": 5}
    told = crosstrail("lake", "status", "--lake", lake)
    assert told.returncode == 0
    assert "2026-03-02..2026-03-04" in told.stdout
    assert crosstrail("lake", "status", "--lake", tmp_path / "none").returncode == 1


_KILLED = """
import os, runpy, signal, sys
from crosstrail.lake import compact, data_files
at, sealed = int(sys.argv.pop(1)), compact.sealed
def killed(path):
    global at
    at -= 1
    if at == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    found = sealed(path)
    if at == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
compact.sealed = killed
sys.argv[0] = "crosstrail"
runpy.run_module("crosstrail", run_name="__main__")
"""


def test_a_killed_compaction_leaves_a_right_table(tmp_path: Path, crosstrail: CommandLine) -> None:
    """Before a merged file has its name, after, and before the next one."""
    lake = tmp_path / "lake"
    for part in range(2):
        for day in range(2):
            log(tmp_path / f"logs/{part}/{day}.json", range(day * A_DAY + part * 10, day * A_DAY + part * 10 + 5))
        collect([tmp_path / f"logs/{part}"], lake)
    before = ids(lake)
    for moment in (1, 2, 3):
        arguments = [sys.executable, "-c", _KILLED, str(moment), "lake", "compact", "--lake", str(lake)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert ids(lake) == before
    assert _json(crosstrail, "lake", "verify", "--lake", lake)["sound"]
    assert _json(crosstrail, "lake", "compact", "--lake", lake)["files_after"] == 2
    assert ids(lake) == before
    with closing(LakeTable.open(lake)) as table:
        assert {str(path) for path in table.data_folder.rglob("*.parquet")} == table.referenced()


def _with_retention(tmp_path: Path, **lake: object) -> list[object]:
    """The options of a configuration with these settings of the lake."""
    config = tmp_path / "crosstrail.yaml"
    config.write_text(json.dumps({"lake": {"path": str(tmp_path / "lake"), **lake}}))
    return ["--config", config]


def _aged(number: int, days: int) -> dict[str, Any]:
    moment = datetime.now(UTC) - timedelta(days=days)
    return record(number, eventTime=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


OTHER = "222222222222"


def test_expired_days_go_and_no_collection_brings_them_back(tmp_path: Path, crosstrail: CommandLine) -> None:
    lake = tmp_path / "lake"
    records = [_aged(number, days) for number, days in enumerate((1, 8, 9, 11, 500))]
    records += [{**_aged(10 + days, days), "recipientAccountId": OTHER} for days in (1, 500)]
    logs = write(tmp_path / "1.json", records)
    collect([logs], lake)
    options = _with_retention(tmp_path, retention="10d", account_retention={OTHER: "forever"})
    planned = _json(crosstrail, "lake", "expire", "--plan", *options)
    assert [(one["account"], one["days"], one["events"]) for one in planned["dropped"]] == [(ACCOUNT, 2, 2)]
    assert len(ids(lake)) == 7
    assert _json(crosstrail, "lake", "expire", *options)["dropped"] == planned["dropped"]
    kept = ids(lake)
    assert kept == ["event-00000000", "event-00000001", "event-00000002", "event-00000011", "event-00000510"]
    copy = write(tmp_path / "2.json", [*records, _aged(100, 2), _aged(101, 30)])
    report = _json(crosstrail, "collect", copy, *options)
    assert (report["new"], report["known"], report["expired"]) == (1, 5, 3)
    assert len(ids(lake)) == 6
    with closing(LakeTable.open(lake)) as table:  # and nothing lies about that no snapshot names
        assert {str(path) for path in table.data_folder.rglob("*.parquet")} == table.referenced()
    assert _json(crosstrail, "lake", "expire", *options)["dropped"] == []


def test_expiring_deletes_nothing_that_a_query_may_read(tmp_path: Path, crosstrail: CommandLine) -> None:
    lake = tmp_path / "lake"
    collect([write(tmp_path / "1.json", [_aged(1, 1), _aged(2, 30)])], lake)
    planned = _files(lake)  # as a query that began before
    options = _with_retention(tmp_path, retention="10d")
    assert len(_json(crosstrail, "lake", "expire", *options)["dropped"]) == 1
    assert all(path.exists() for path in planned)
    assert len(ids(lake)) == 1


@pytest.mark.parametrize(
    ("lake", "words"),
    [
        ({"retention": "ten days"}, "lake.retention"),
        ({"retention": "0d"}, "lake.retention"),
        ({"account_retention": {OTHER: "soon"}}, "lake.account_retention"),
        ({"account_retention": {"prdo": "9d"}, "retention": "1d"}, "there is no account prdo"),
    ],
)
def test_a_retention_that_cannot_be_meant_drops_nothing(
    tmp_path: Path, crosstrail: CommandLine, lake: dict[str, object], words: str
) -> None:
    collect([write(tmp_path / "1.json", [_aged(1, 1), _aged(2, 30)])], tmp_path / "lake")
    told = crosstrail("lake", "expire", *_with_retention(tmp_path, **lake))
    assert told.returncode == 1
    assert words in told.stderr
    assert len(ids(tmp_path / "lake")) == 2


def test_everything_expires_only_where_that_is_meant(tmp_path: Path, crosstrail: CommandLine) -> None:
    collect([write(tmp_path / "1.json", [_aged(1, 20), _aged(2, 30)])], tmp_path / "lake")
    options = _with_retention(tmp_path, retention="10d")
    told = crosstrail("lake", "expire", *options)
    assert told.returncode == 1
    assert "--everything" in told.stderr
    assert len(ids(tmp_path / "lake")) == 2
    assert len(_json(crosstrail, "lake", "expire", "--everything", *options)["dropped"]) == 1
    assert ids(tmp_path / "lake") == []


def test_as_of_answers_as_the_lake_was_for_queries_and_lookups(tmp_path: Path, crosstrail: CommandLine) -> None:
    lake = tmp_path / "lake"
    moments = []
    for number in range(3):
        collect([log(tmp_path / f"{number}.json", [number])], lake)
        with closing(LakeTable.open(lake)) as table:
            moments.append(table.history()[-1][1].isoformat())
    collect([write(tmp_path / "other.json", [record(0, sourceIPAddress="203.0.113.66")])], lake)
    assert crosstrail("lake", "compact", "--lake", lake).returncode == 0
    counted = "SELECT count(*) AS n FROM events"
    for number, moment in enumerate(moments):
        told = crosstrail("query", counted, "--as-of", moment, "--format", "json", "--lake", lake)
        assert (told.returncode, json.loads(told.stdout)) == (0, [{"n": number + 1}]), told.stderr
        assert "as it was at" in told.stderr
        told = crosstrail("lookup", "--account", ACCOUNT, "--as-of", moment, "--json", "--lake", lake)
        assert [json.loads(line)["event"]["eventID"] for line in told.stdout.splitlines()] == ids(lake)[number::-1]
    for time, words in (
        ("2026-01-01", "is not kept"),
        ("2100-01-01", "in the future"),
        ("then", "cannot read the time"),
    ):
        told = crosstrail("query", counted, "--as-of", time, "--lake", lake)
        assert told.returncode == 1
        assert words in told.stderr


def test_as_of_asks_no_live_account(tmp_path: Path, crosstrail: CommandLine) -> None:
    lake = tmp_path / "lake"
    collect([log(tmp_path / "1.json", [1])], lake)
    config = tmp_path / "crosstrail.yaml"
    unreachable = {"type": "role", "role_arn": f"arn:aws:iam::{ACCOUNT}:role/reader"}
    config.write_text(json.dumps({"accounts": [{"id": ACCOUNT, "auth": unreachable}], "lake": {"path": str(lake)}}))
    told = crosstrail("lookup", "--as-of", "0s", "--json", "--config", config)
    assert (told.returncode, len(told.stdout.splitlines())) == (0, 1), told.stderr
