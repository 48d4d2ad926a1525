"""`crosstrail collect` as a user runs it: what it reads, what it reports, how it leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from audit_logs import ACCOUNT, ids, log, record, rows, write
from conftest import CommandLine


@pytest.mark.parametrize("name", ["invictus", "stratus", "traildiscover"])
def test_real_logs_give_the_counts_made_without_us(
    name: str, shared_data: Path, tmp_path: Path, crosstrail: CommandLine
) -> None:
    golden = json.loads((shared_data / "golden/counts.json").read_text())[name]
    done = crosstrail("collect", shared_data / "aws" / name, "--lake", tmp_path)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path, "eventname, eventsource, errorcode, recipientaccountid, cloud, account, eventid, eventtime")
    assert len(found) == golden["unique_by_eventID"]
    for account, count in golden["recipientAccountId"].items():
        assert sum(row["account"] == account == row["recipientaccountid"] for row in found) == count
    sources = [row["eventsource"] for row in found]
    repeats = golden["events"] - golden["unique_by_eventID"]  # the golden histograms count repeats too
    assert sum(abs(sources.count(source) - count) for source, count in golden["eventSource"].items()) <= repeats
    times = sorted(row["eventtime"] for row in found)
    assert times[0].isoformat() + "Z" == golden["first"]
    assert times[-1].isoformat() + "Z" == golden["last"]


def test_real_logs_of_odd_forms_go_in_whole(shared_data: Path, tmp_path: Path, crosstrail: CommandLine) -> None:
    expected = {"plaso": 6, "otrf": 103, "trailscraper": 3}
    for name, count in expected.items():
        done = crosstrail("collect", shared_data / "aws" / name, "--lake", tmp_path / name, "--json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["new"], report["problem_count"]) == (count, 0), name
    done = crosstrail("collect", shared_data / "aws/umccr", "--lake", tmp_path / "umccr", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["objects_read"], report["objects_failed"]) == (0, 16, 0)


def test_a_second_run_reads_nothing_and_loads_nothing_heavy(tmp_path: Path, crosstrail: CommandLine) -> None:
    logs, lake = tmp_path / "logs", tmp_path / "lake"
    log(logs / "one.json.gz", range(10))
    assert "10 new" in crosstrail("collect", logs, "--lake", lake).stdout
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "crosstrail",
        "collect",
        str(logs),
        "--lake",
        str(lake),
        "--json",
    ]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(again.stdout)
    assert (report["new"], report["known"], report["objects_read"], report["objects_known"]) == (0, 0, 0, 1)
    assert not [
        heavy for heavy in ("pyarrow", "pyiceberg", "duckdb", "sqlalchemy", "boto3") if f" {heavy}\n" in again.stderr
    ]


def test_a_changed_file_is_read_again_and_only_its_new_events_go_in(tmp_path: Path, crosstrail: CommandLine) -> None:
    path, lake = tmp_path / "logs/one.json", tmp_path / "lake"
    log(path, range(3))
    crosstrail("collect", path, "--lake", lake)
    log(path, range(5))
    report = json.loads(crosstrail("collect", path, "--lake", lake, "--json").stdout)
    assert (report["new"], report["known"]) == (2, 3)
    assert len(ids(lake)) == 5


def test_a_ledger_does_not_outlive_its_table(tmp_path: Path, crosstrail: CommandLine) -> None:
    path, lake = log(tmp_path / "one.json", range(3)), tmp_path / "lake"
    crosstrail("collect", path, "--lake", lake)
    (lake / "catalog.sqlite").unlink()
    assert "catalog (catalog.sqlite) is missing" in crosstrail("collect", path, "--lake", lake).stderr
    shutil.rmtree(lake / "events")
    assert "3 new" in crosstrail("collect", path, "--lake", lake).stdout
    assert len(ids(lake)) == 3


def test_s3_trees_zips_and_links(tmp_path: Path, crosstrail: CommandLine) -> None:
    logs, lake = tmp_path / "logs", tmp_path / "lake"
    tail = "CloudTrail/us-east-1/2026/03/01"
    name = f"{ACCOUNT}_CloudTrail_us-east-1_20260301T0000Z_unique{{}}.json.gz"
    log(logs / f"prefix/AWSLogs/o-abc123/{ACCOUNT}/{tail}" / name.format(1), [1])
    log(logs / f"AWSLogs/{ACCOUNT}/{tail}" / name.format(2), [2])
    log(logs / f"{ACCOUNT}/{tail}" / name.format(3), [3])
    log(logs / f"AWSLogs/{ACCOUNT}/CloudTrail-Insight/us-east-1/2026/03/01/insight.json.gz", [4])
    log(logs / f"AWSLogs/{ACCOUNT}/CloudTrail-NetworkActivity/us-east-1/x.json.gz", [5])
    digest = {"awsAccountId": ACCOUNT, "digestS3Object": "x", "logFiles": []}
    write(logs / f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/d.json.gz", digest)
    write(logs / "digest-out-of-place.json", digest)
    write(logs / "README.md", "no log")
    write(logs / "picture.png", b"\x89PNG\r\n\x1a\n")
    write(logs / "package.json", {"name": "other JSON"})
    (logs / "circle").symlink_to(logs, target_is_directory=True)
    os.mkfifo(logs / "pipe.json")
    with zipfile.ZipFile(logs / "bundle.zip", "w") as archive:
        archive.writestr("../../escape.json", json.dumps({"Records": [record(6)]}))
        archive.writestr("/absolute/../x.json", json.dumps([record(7)]))
        archive.writestr("notes.txt", "no log")
    done = crosstrail("collect", logs, "--lake", lake, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ids(lake) == [record(number)["eventID"] for number in range(1, 8)]
    assert not list(tmp_path.rglob("escape.json"))
    assert json.loads(done.stdout)["objects_read"] == 7


def test_wrong_usage_and_errors_of_ours_leave_with_2_and_1(tmp_path: Path, crosstrail: CommandLine) -> None:
    assert crosstrail("collect", "--lake", tmp_path).returncode == 2
    assert crosstrail("collect", tmp_path / "absent", "--lake", tmp_path).returncode == 2
    assert crosstrail("collect", tmp_path, "--account", "../x", "--lake", tmp_path).returncode == 2
    write(tmp_path / "a-file", "in the way")
    done = crosstrail("collect", log(tmp_path / "one.json", [1]), "--lake", tmp_path / "a-file")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)


def test_the_summary_for_people(tmp_path: Path, crosstrail: CommandLine) -> None:
    log(tmp_path / "logs/one.json", range(4))
    write(tmp_path / "logs/bad.json", '{"Records":[')
    done = crosstrail("collect", tmp_path / "logs", "--lake", tmp_path / "lake")
    assert done.returncode == 3
    assert "Files   1 read, 0 known, 1 unreadable" in done.stdout
    assert "Events  4 new, 0 known" in done.stdout
    assert "bad.json, byte 12: cut short" in done.stderr
