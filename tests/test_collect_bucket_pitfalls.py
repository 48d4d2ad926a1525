"""What went wrong for others who collected from S3 (issues of wazuh, beats, logstash and others), one test each: none lost, none
double."""

from __future__ import annotations

import json
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_logs import rows
from conftest import CommandLine
from crosstrail.lake.ledger import Ledger
from lake_workspace import DEV, PROD
from moto_server import Moto
from trail_bucket import NOON, event, key, packed, put

BUCKET = "trail-logs"


@pytest.fixture
def bucket(moto: Moto) -> Moto:
    moto.bucket(BUCKET)
    return moto


def _collect(crosstrail: CommandLine, lake: Path, *more: str, status: int = 0) -> Any:
    done = crosstrail("collect", f"s3://{BUCKET}", "--lake", lake, "--json", *more)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def test_files_that_come_late_in_the_order_of_keys_are_found(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    """Listing after the last key loses 10 to 20 files a day, and those of the same minute."""
    put(bucket, BUCKET, key("m"), [event(1)])
    assert _collect(crosstrail, tmp_path)["new"] == 1
    put(bucket, BUCKET, key("a"), [event(2)])  # the same minute, before it
    put(bucket, BUCKET, key("z", NOON - timedelta(minutes=5)), [event(3)])
    put(bucket, BUCKET, key("y", NOON - timedelta(hours=13)), [event(4)])  # of yesterday
    assert _collect(crosstrail, tmp_path)["new"] == 3


def test_a_file_of_days_ago_is_found_by_the_daily_sweep(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("m"), [event(1)])
    assert _collect(crosstrail, tmp_path)["new"] == 1
    put(bucket, BUCKET, key("old", NOON - timedelta(days=5)), [event(2)])
    assert _collect(crosstrail, tmp_path)["new"] == 0
    with closing(Ledger(tmp_path)) as ledger:
        ledger.table("UPDATE listings SET swept = swept - 90000").commit()
    assert _collect(crosstrail, tmp_path)["new"] == 1


def test_since_finds_what_came_later_than_any_sweep(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("m"), [event(1)])
    assert _collect(crosstrail, tmp_path)["new"] == 1
    put(bucket, BUCKET, key("old", NOON - timedelta(days=50)), [event(2)])
    assert _collect(crosstrail, tmp_path, "--since", "2026-09-01")["new"] == 1


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_jumps_hides_nothing(bucket: Moto, tmp_path: Path, crosstrail: CommandLine, days: int) -> None:
    put(bucket, BUCKET, key("m"), [event(1)])
    assert _collect(crosstrail, tmp_path)["new"] == 1
    with closing(Ledger(tmp_path)) as ledger:  # as it was written by a machine whose clock was so much off
        ledger.table(f"UPDATE listings SET swept = {int(time.time()) + days * 86_400}").commit()
    put(bucket, BUCKET, key("n"), [event(2)])
    put(bucket, BUCKET, key("old", NOON - timedelta(days=5)), [event(3)])
    assert _collect(crosstrail, tmp_path)["new"] == 2


def test_a_key_of_the_far_future_hides_nothing(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("future", NOON + timedelta(days=36_500)), [event(1)])
    put(bucket, BUCKET, key("m"), [event(2)])
    assert _collect(crosstrail, tmp_path)["new"] == 2
    put(bucket, BUCKET, key("n", NOON + timedelta(hours=1)), [event(3)])
    assert _collect(crosstrail, tmp_path)["new"] == 1


def test_every_account_and_region_has_a_lookback_of_its_own(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    """A lookback of some keys of the whole bucket is not enough."""
    put(bucket, BUCKET, key("a", account=DEV, region="ap-south-1"), [event(1, DEV)])
    for number in range(2, 30):
        put(bucket, BUCKET, key(f"{number:04d}", NOON + timedelta(minutes=number)), [event(number)])
    assert _collect(crosstrail, tmp_path)["new"] == 29
    put(bucket, BUCKET, key("b", NOON - timedelta(hours=1), account=DEV, region="ap-south-1"), [event(200, DEV)])
    assert _collect(crosstrail, tmp_path)["new"] == 1


def test_a_second_run_lists_folders_and_not_the_bucket(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    for day in range(15):
        put(bucket, BUCKET, key("x", NOON - timedelta(days=day)), [event(day)])
    for number in range(20):
        bucket.s3.put_object(Bucket=BUCKET, Key=f"AWSLogs/{PROD}/vpcflowlogs/us-east-1/{number}", Body=b"x")
    assert _collect(crosstrail, tmp_path)["new"] == 15
    again = _collect(crosstrail, tmp_path)
    assert again["cost"]["lists"] <= 6
    assert again["objects_known"] <= 3


def test_a_run_that_failed_takes_no_account_for_listed(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, BUCKET, key("a"), [event(1)])
    put(bucket, BUCKET, key("old", NOON - timedelta(days=50)), [event(2)])
    lake = tmp_path / "lake"
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        assert crosstrail("collect", f"s3://{BUCKET}", "--lake", lake).returncode == 1
    assert _collect(crosstrail, lake)["new"] == 2


def test_the_ledger_tells_what_became_of_each_object(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    """Others skip in silence what they cannot read."""
    put(bucket, BUCKET, key("a"), [event(1), event(2)])
    bucket.s3.put_object(Bucket=BUCKET, Key=key("b"), Body=packed([event(4)])[:30])
    put(bucket, BUCKET, key("c"), [event(3)], StorageClass="DEEP_ARCHIVE")
    _collect(crosstrail, tmp_path, status=3)
    with closing(Ledger(tmp_path)) as ledger:
        found = ledger.table("SELECT 1").execute(
            "SELECT name, state, events, length(sha256), cloud, account, region, day FROM objects ORDER BY name"
        )
        place = ("aws", PROD, "us-east-1", "2026-11-19")
        assert [row[1:] for row in found] == [
            ("read", 2, 64, *place),
            ("failed", 0, 64, *place),
            ("archived", 0, 0, *place),
        ]
    assert len(rows(tmp_path, "eventid")) == 2


def test_a_ledger_of_before_is_gone_on_with(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    """Its columns are added; nothing is read again."""
    put(bucket, BUCKET, key("a"), [event(1)])
    _collect(crosstrail, tmp_path)
    with closing(Ledger(tmp_path)) as ledger:
        db = ledger.table("DROP INDEX IF EXISTS unfinished")
        for column in ("state", "bytes", "sha256", "at", "cloud", "account", "region", "day"):
            db.execute(f"ALTER TABLE objects DROP COLUMN {column}")
        db.execute("DROP TABLE listings")
        db.commit()
    again = _collect(crosstrail, tmp_path)
    assert (again["objects_known"], again["cost"]["gets"]) == (1, 0)


def test_a_key_that_cannot_be_asked_for_is_named_and_stops_nothing(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    """Whoever may write one object could else end all collections."""
    put(bucket, BUCKET, key("a"), [event(1)])
    put(bucket, BUCKET, key("b", account=DEV), [event(2, DEV)])
    for odd in ("AWSLogs//x", f"AWSLogs/{PROD}/../y", key("c").replace("/19/", "/19//"), "./z"):
        put(bucket, BUCKET, odd, [event(3)])
    report = _collect(crosstrail, tmp_path, status=3)
    assert (report["new"], report["objects_failed"]) == (2, 4)
    assert {one["reason"] for one in report["problems"]} == {"has a name that cannot be asked for"}
