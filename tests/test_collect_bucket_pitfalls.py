"""What went wrong for others who collected from S3 (issues of wazuh, beats, logstash and others): none lost, none double.

 1 the whole bucket is walked every time         test_a_second_run_lists_folders_and_not_the_bucket
 2 listing after the last key loses late files   test_files_that_come_late_in_the_order_of_keys_are_found
 3 and those of the same minute                  test_a_file_of_the_same_minute_is_found
 4 a lookback of some keys of the whole bucket   test_every_account_and_region_has_a_lookback_of_its_own
 5 millions of keys take an hour to list         test_bucket_listing.test_many_keys_are_listed_by_the_thousand_in_bounded_memory
 6 and all memory                                test_bucket_listing.test_many_keys_are_listed_by_the_thousand_in_bounded_memory
 7 of 1,850 messages 35 were taken               test_collect_queue_load.test_1850_messages_lose_and_double_nothing_and_go_after_their_commit
 8 a message comes again during the work         test_collect_queue_load.test_messages_stay_hidden_while_a_commit_takes_its_time
 9 one failure doubles a batch of ten            test_collect_queue_load.test_one_object_of_ten_that_fails_doubles_no_other
10 one notification a prefix: SNS is wanted      test_collect_queue_load.test_a_topic_that_delivers_raw_or_tests_the_queue_is_understood
11 buckets without a trail's folders             test_collect_bucket.test_a_flat_bucket_and_several_prefixes_are_read_whole
12 a digest is read as a log                     test_collect_bucket.test_digests_and_other_services_are_never_read_as_logs
13 what cannot be read is skipped in silence     test_the_ledger_tells_what_became_of_each_object
14 files of days ago                             test_a_file_of_days_ago_is_found_by_the_daily_sweep
15 a message goes before its commit              test_collect_queue_load.test_a_collection_that_fails_leaves_its_messages
16 an object is overwritten after it was read    test_collect_bucket.test_an_object_that_was_overwritten_is_read_again
17 one denied object ends the collection         test_collect_bucket_access.test_an_object_that_is_denied_is_named_passed_and_asked_for_again
"""

from __future__ import annotations

import re
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from audit_logs import rows
from conftest import CommandLine
from crosstrail.lake.ledger import Ledger
from lake_workspace import DEV, PROD
from moto_server import Moto
from trail_bucket import BUCKET, NOON, collect_bucket, event, key, numbers, packed, put


@pytest.fixture
def bucket(moto: Moto) -> Moto:
    moto.bucket(BUCKET)
    return moto


def test_every_pitfall_has_its_test() -> None:
    lines = re.findall(r"^ *(\d+) .{46}(?:(\w+)\.)?(test_\w+)$", __doc__ or "", re.MULTILINE)
    assert [int(number) for number, *_ in lines] == list(range(1, 18))
    for _, module, name in lines:
        text = Path(__file__).with_name(f"{module or Path(__file__).stem}.py").read_text("utf-8")
        assert f"\ndef {name}(" in text


def test_files_that_come_late_in_the_order_of_keys_are_found(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    """Listing after the last key loses 10 to 20 files a day."""
    put(bucket, BUCKET, key("m"), [event(1)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    put(bucket, BUCKET, key("z", NOON - timedelta(minutes=5)), [event(3)])
    put(bucket, BUCKET, key("y", NOON - timedelta(hours=13)), [event(4)])  # of yesterday
    assert collect_bucket(crosstrail, tmp_path)["new"] == 2
    assert numbers(tmp_path) == [1, 3, 4]


def test_a_file_of_the_same_minute_is_found(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("m"), [event(1)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    put(bucket, BUCKET, key("a"), [event(2)])  # before it, by its name
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    assert numbers(tmp_path) == [1, 2]


def test_a_file_of_days_ago_is_found_by_the_daily_sweep(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("m"), [event(1)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    put(bucket, BUCKET, key("old", NOON - timedelta(days=5)), [event(2)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 0
    with closing(Ledger(tmp_path)) as ledger:
        ledger.table("UPDATE listings SET swept = swept - 90000").commit()
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    assert numbers(tmp_path) == [1, 2]


def test_since_finds_what_came_later_than_any_sweep(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("m"), [event(1)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    put(bucket, BUCKET, key("old", NOON - timedelta(days=50)), [event(2)])
    assert collect_bucket(crosstrail, tmp_path, "--since", "2026-09-01")["new"] == 1


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_jumps_hides_nothing(bucket: Moto, tmp_path: Path, crosstrail: CommandLine, days: int) -> None:
    put(bucket, BUCKET, key("m"), [event(1)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    with closing(Ledger(tmp_path)) as ledger:  # as it was written by a machine whose clock was so much off
        ledger.table(f"UPDATE listings SET swept = {int(time.time()) + days * 86_400}").commit()
    put(bucket, BUCKET, key("n"), [event(2)])
    put(bucket, BUCKET, key("old", NOON - timedelta(days=5)), [event(3)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 2


def test_a_key_of_the_far_future_hides_nothing(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("future", NOON + timedelta(days=36_500)), [event(1)])
    put(bucket, BUCKET, key("m"), [event(2)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 2
    put(bucket, BUCKET, key("n", NOON + timedelta(hours=1)), [event(3)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1


def test_every_account_and_region_has_a_lookback_of_its_own(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    """A lookback of some keys of the whole bucket is not enough."""
    put(bucket, BUCKET, key("a", account=DEV, region="ap-south-1"), [event(1, DEV)])
    for number in range(2, 30):
        put(bucket, BUCKET, key(f"{number:04d}", NOON + timedelta(minutes=number)), [event(number)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 29
    put(bucket, BUCKET, key("b", NOON - timedelta(hours=1), account=DEV, region="ap-south-1"), [event(200, DEV)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    assert numbers(tmp_path) == [*range(1, 30), 200]


def test_a_second_run_lists_folders_and_not_the_bucket(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    for day in range(15):
        put(bucket, BUCKET, key("x", NOON - timedelta(days=day)), [event(day)])
    for number in range(20):
        bucket.s3.put_object(Bucket=BUCKET, Key=f"AWSLogs/{PROD}/vpcflowlogs/us-east-1/{number}", Body=b"x")
    assert collect_bucket(crosstrail, tmp_path)["new"] == 15
    again = collect_bucket(crosstrail, tmp_path)
    assert again["cost"]["lists"] <= 6
    assert again["new"] == 0
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
    assert collect_bucket(crosstrail, lake)["new"] == 2


def test_the_ledger_tells_what_became_of_each_object(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    """Others skip in silence what they cannot read."""
    put(bucket, BUCKET, key("a"), [event(1), event(2)])
    bucket.s3.put_object(Bucket=BUCKET, Key=key("b"), Body=packed([event(4)])[:30])
    put(bucket, BUCKET, key("c"), [event(3)], StorageClass="DEEP_ARCHIVE")
    collect_bucket(crosstrail, tmp_path, status=3)
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
    collect_bucket(crosstrail, tmp_path)
    with closing(Ledger(tmp_path)) as ledger:
        db = ledger.table("DROP INDEX IF EXISTS unfinished")
        for column in ("state", "bytes", "sha256", "at", "cloud", "account", "region", "day"):
            db.execute(f"ALTER TABLE objects DROP COLUMN {column}")
        db.execute("DROP TABLE listings")
        db.commit()
    again = collect_bucket(crosstrail, tmp_path)
    assert (again["objects_known"], again["cost"]["gets"]) == (1, 0)


def test_a_key_that_cannot_be_asked_for_is_named_and_stops_nothing(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    """Whoever may write one object could else end all collections."""
    put(bucket, BUCKET, key("a"), [event(1)])
    put(bucket, BUCKET, key("b", account=DEV), [event(2, DEV)])
    for odd in ("AWSLogs//x", f"AWSLogs/{PROD}/../y", key("c").replace("/19/", "/19//"), "./z"):
        put(bucket, BUCKET, odd, [event(3)])
    report = collect_bucket(crosstrail, tmp_path, status=3)
    assert (report["new"], report["objects_failed"]) == (2, 4)
    assert {one["reason"] for one in report["problems"]} == {"has a name that cannot be asked for"}
