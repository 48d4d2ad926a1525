"""`crosstrail collect s3://...` over moto: what of a bucket is read, listed again, named and passed."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest

from audit_logs import rows
from conftest import CommandLine
from lake_workspace import DEV, PROD
from moto_server import Moto
from trail_bucket import BUCKET, NOON, collect_bucket, event, key, numbers, packed, put


@pytest.fixture
def bucket(moto: Moto) -> Moto:
    moto.bucket(BUCKET)
    return moto


def test_strangers_logs_in_their_layout_give_the_golden_counts(
    shared_data: Path, bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    golden = json.loads((shared_data / "golden/counts.json").read_text())["invictus"]
    for file in sorted((shared_data / "aws/invictus").glob("*_CloudTrail_*")):
        account, _, region, time, _ = file.name.split("_")
        place = f"AWSLogs/{account}/CloudTrail/{region}/{time[:4]}/{time[4:6]}/{time[6:8]}/{file.name}.gz"
        bucket.s3.put_object(Bucket=BUCKET, Key=f"org/{place}", Body=gzip.compress(file.read_bytes()))
    report = collect_bucket(crosstrail, tmp_path, uri=f"s3://{BUCKET}/org")
    assert report["new"] == golden["unique_by_eventID"]
    found = rows(tmp_path, "account, eventtime")
    for account, count in golden["recipientAccountId"].items():
        assert sum(row["account"] == account for row in found) == count
    times = sorted(row["eventtime"] for row in found)
    assert (times[0].isoformat() + "Z", times[-1].isoformat() + "Z") == (golden["first"], golden["last"])


def test_accounts_regions_and_days_are_chosen_by_their_folders(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    old = NOON - timedelta(days=40)
    put(bucket, BUCKET, key("a"), [event(1)])
    put(bucket, BUCKET, key("b", region="eu-west-1"), [event(2)])
    put(bucket, BUCKET, key("c", account=DEV), [event(3, DEV)])
    put(bucket, BUCKET, key("d", old), [event(4, time=old)])
    chosen = ("--account", PROD, "--region", "us-*", "--since", "2026-11-01")
    assert collect_bucket(crosstrail, tmp_path, *chosen)["new"] == 1
    assert numbers(tmp_path) == [1]
    assert collect_bucket(crosstrail, tmp_path)["new"] == 3  # what was left out then is not taken for known
    assert numbers(tmp_path) == [1, 2, 3, 4]


def test_a_plan_lists_and_reads_nothing(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("a"), [event(1)])
    put(bucket, BUCKET, key("b", region="eu-west-1"), [event(2)])
    lake = tmp_path / "lake"
    planned = collect_bucket(crosstrail, lake, "--plan")
    assert [(one["account"], one["region"], one["objects"]) for one in planned["folders"]] == [
        (PROD, "eu-west-1", 1),
        (PROD, "us-east-1", 1),
    ]
    assert planned["cost"]["gets"] == 2
    assert planned["cost"]["money"] == pytest.approx((planned["cost"]["lists"] * 0.005 + 2 * 0.0004) / 1000)
    assert not lake.exists()
    report = collect_bucket(crosstrail, lake)
    assert (report["new"], report["cost"]["gets"]) == (2, 2)
    assert collect_bucket(crosstrail, lake, "--plan")["folders"] == []


def test_digests_and_other_services_are_never_read_as_logs(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    put(bucket, BUCKET, key("a"), [event(1)])
    put(bucket, BUCKET, key("b", kind="CloudTrail-NetworkActivity"), [event(2, eventCategory="NetworkActivity")])
    bucket.s3.put_object(Bucket=BUCKET, Key=key("d", kind="CloudTrail-Digest"), Body=packed([event(3)]))
    flow = f"AWSLogs/{PROD}/vpcflowlogs/us-east-1/2026/11/19/x.log.gz"
    bucket.s3.put_object(Bucket=BUCKET, Key=flow, Body=packed([event(4)]))
    report = collect_bucket(crosstrail, tmp_path)
    assert (report["new"], report["cost"]["gets"]) == (2, 2)
    assert numbers(tmp_path) == [1, 2]


def test_an_archived_object_is_named_passed_and_read_once_it_is_restored(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    put(bucket, BUCKET, key("a"), [event(1)])
    put(bucket, BUCKET, key("b"), [event(2)], StorageClass="GLACIER")
    report = collect_bucket(crosstrail, tmp_path, status=3)
    assert (report["new"], report["objects_failed"]) == (1, 1)
    [problem] = report["problems"]
    assert problem["path"].endswith(key("b"))
    assert "archived" in problem["reason"]
    put(
        bucket, BUCKET, key("c", NOON + timedelta(days=30)), [event(3)]
    )  # long after: no listing shows the archived one
    assert collect_bucket(crosstrail, tmp_path, status=3)["new"] == 1
    put(bucket, BUCKET, key("b"), [event(2)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    assert numbers(tmp_path) == [1, 2, 3]


def test_an_object_that_was_overwritten_is_read_again(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("a"), [event(1)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    put(bucket, BUCKET, key("a"), [event(1), event(2)])
    report = collect_bucket(crosstrail, tmp_path)
    assert (report["new"], report["known"]) == (1, 1)


def test_a_flat_bucket_and_several_prefixes_are_read_whole(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    for number, name in enumerate(
        (key("a", prefix="one/"), key("b", prefix="z/two/"), "flat/x.json.gz", "top.json.gz", key("c")), start=1
    ):
        put(bucket, BUCKET, name, [event(number)])
    assert collect_bucket(crosstrail, tmp_path)["new"] == 5
    again = collect_bucket(crosstrail, tmp_path)
    assert (again["objects_known"], again["cost"]["gets"]) == (5, 0)


def test_an_archive_of_the_configuration_may_be_a_bucket(bucket: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(bucket, BUCKET, key("a"), [event(1), event(2, DEV)])
    config = tmp_path / "crosstrail.yaml"
    config.write_text(f"accounts: [{{id: '{PROD}', archive: 's3://{BUCKET}'}}]\nlake: {{path: lake}}\n")
    done = crosstrail("collect", "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["new"], report["kept_out"]) == (1, {f"aws/{DEV}": 1})


def test_what_actiontrail_delivers_is_found_by_account_and_region(
    bucket: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    name = "2026/11/19/Actiontrail_cn-hangzhou_20261119120000_1002_1_10_ab.gz"
    for folder in ("Actiontrail/cn-hangzhou", "Actiontrail/rd-a1/1234567890123456/cn-beijing", "Else/cn-hangzhou"):
        put(bucket, BUCKET, f"oss/AliyunLogs/{folder}/{name}", [event(1)])
    planned = collect_bucket(crosstrail, tmp_path, "--plan", uri=f"s3://{BUCKET}/oss")
    found = [(one["cloud"], one["account"], one["region"], one["objects"]) for one in planned["folders"]]
    assert found == [("alibaba", "", "cn-hangzhou", 1), ("alibaba", "1234567890123456", "cn-beijing", 1)]
