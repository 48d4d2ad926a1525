"""Who asks a bucket, how it is addressed, and what becomes of what it refuses: over an S3 that checks signatures."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_logs import rows
from conftest import CommandLine
from crosstrail.settings.config import Settings
from crosstrail.workspace.buckets import opened_buckets
from fakes.alibaba import world as alibaba
from fakes.aws import FakeAws
from fakes.s3 import FakeS3
from fakes.volcengine import world as volcengine
from interception import InterceptingProxy
from lake_workspace import DEV, PROD
from live_aws import base_identity
from trail_bucket import BUCKET, NOON, collect_bucket, event, key, numbers, packed


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with FakeAws() as made:
        yield made


@pytest.fixture
def s3(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """A bucket, a machine's own identity in another account, and an S3 and STS where child processes find them."""
    base_identity(aws.world, monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    with FakeS3(aws.world) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", made.url)
        made.buckets[BUCKET] = {}
        yield made


def test_an_object_that_is_denied_is_named_passed_and_asked_for_again(
    s3: FakeS3, tmp_path: Path, crosstrail: CommandLine
) -> None:
    names = [key(f"{number}") for number in range(5)]
    s3.buckets[BUCKET] = {name: packed([event(number)]) for number, name in enumerate(names)}
    s3.denied.add(names[2])
    report = collect_bucket(crosstrail, tmp_path, status=3)
    assert (report["new"], report["objects_failed"]) == (4, 1)
    assert [(one["path"], one["reason"]) for one in report["problems"]] == [
        (f"s3://{BUCKET}/{names[2]}", "access is denied")
    ]
    s3.buckets[BUCKET][key("z", NOON + timedelta(days=30))] = packed([event(9)])  # no listing shows the denied one now
    s3.asked.clear()
    assert collect_bucket(crosstrail, tmp_path, status=3)["new"] == 1
    assert [one.key for one in s3.asked if one.kind == "get"].count(names[2]) == 1
    s3.denied.clear()
    assert collect_bucket(crosstrail, tmp_path)["new"] == 1
    assert numbers(tmp_path) == [0, 1, 2, 3, 4, 9]


def test_credentials_are_renewed_in_a_collection_and_are_always_the_accounts_own(
    aws: FakeAws, s3: FakeS3, tmp_path: Path, crosstrail: CommandLine
) -> None:
    """The machine's own identity and another account could open the bucket as well, and are never asked to."""
    [base] = aws.world.keys.values()
    accounts = [{"id": one, "auth": aws.world.add_role(one, trusts=base).auth} for one in (DEV, PROD)]
    config = tmp_path / "crosstrail.yaml"
    config.write_text(json.dumps({"accounts": accounts, "lake": {"path": str(tmp_path / "lake")}}))
    s3.buckets[BUCKET] = {key(f"{number:03d}"): packed([event(number)]) for number in range(60)}
    aws.world.session_seconds = 60  # less than what is wanted of them: others are asked for again and again
    s3.delay = 0.15  # the library asks at most every tenth of a second
    done = crosstrail("collect", f"s3://{BUCKET}", "--config", config, "--bucket-account", PROD, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["new"] == 60
    assert s3.accounts() == {PROD}
    assert len({one.access_key for one in s3.asked if one.kind == "get"}) > 1


@pytest.mark.parametrize("pays", [True, False])
def test_a_requester_says_that_they_pay_only_where_they_said_so(
    s3: FakeS3, tmp_path: Path, crosstrail: CommandLine, pays: bool
) -> None:
    s3.buckets[BUCKET] = {key("a"): packed([event(1)])}
    s3.requester_pays.add(BUCKET)
    done = crosstrail("collect", f"s3://{BUCKET}", "--lake", tmp_path, *(["--requester-pays"] if pays else []))
    assert done.returncode == (0 if pays else 1), done.stderr
    sent = {one.headers.get("x-amz-request-payer") for one in s3.asked if one.kind != "head"}
    assert sent == ({"requester"} if pays else {None})


def test_an_endpoint_with_tls_is_trusted_by_the_named_authority_alone(
    s3: FakeS3, tmp_path: Path, crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.buckets[BUCKET] = {key("a"): packed([event(1)])}
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with InterceptingProxy(tmp_path, {"amazonaws.com": s3.url}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        named = ("--bucket-region", "eu-west-1")
        refused = crosstrail("collect", f"s3://{BUCKET}", "--lake", tmp_path / "lake", *named)
        assert refused.returncode == 1
        assert "AWS_CA_BUNDLE" in refused.stderr
        assert s3.asked == []
        monkeypatch.setenv("AWS_CA_BUNDLE", str(proxy.authority.certificate))
        assert collect_bucket(crosstrail, tmp_path / "lake", *named)["new"] == 1
        assert set(proxy.asked) == {f"{BUCKET}.s3.eu-west-1.amazonaws.com"}
    assert {one.region for one in s3.asked} == {"eu-west-1"}


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("cn-north-1", "https://trail.s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "https://trail.s3.us-gov-west-1.amazonaws.com"),
        ("eu-central-1", "https://trail.s3.eu-central-1.amazonaws.com"),
    ],
)
def test_a_bucket_is_asked_in_the_partition_of_its_region(region: str, endpoint: str) -> None:
    with opened_buckets(Settings()) as buckets:
        place = buckets.open("s3://trail", region=region).place
    assert (place.endpoint, place.region, place.virtual_hosted) == (endpoint, region, True)


ALIBABA, VOLCENGINE = "1100000000000001", "2100000001"
_OF_OSS = "AliyunLogs/Actiontrail/cn-hangzhou/2026/11/19/Actiontrail_cn-hangzhou_20261119120000_1002_1_400_0a.gz"
_OF_TOS = "trail/2026-11-19/0001.json"
"""Volcengine does not say how a trail names its files: what is in them tells."""


def _delivered(cloud: str) -> tuple[str, bytes]:
    """An object as the cloud's trail makes it: its key and content."""
    if cloud == "alibaba":
        account: Any = alibaba.FakeAccount(ALIBABA)
        account.log("StopInstance", NOON)
        return _OF_OSS, gzip.compress(b"[" + account.events[0].encoded + b"]")
    account = volcengine.FakeAccount(VOLCENGINE)
    account.log("StopInstance", NOON)
    return _OF_TOS, account.events[0].encoded


@pytest.mark.parametrize(
    ("cloud", "id_", "uri", "host"),
    [
        ("alibaba", ALIBABA, "oss://delivered", "delivered.s3.oss-cn-hangzhou.aliyuncs.com"),
        ("volcengine", VOLCENGINE, "tos://delivered", "delivered.tos-s3-cn-beijing.volces.com"),
    ],
)
def test_what_other_clouds_deliver_is_collected_at_their_endpoints_with_the_bucket_in_the_host(
    s3: FakeS3,
    tmp_path: Path,
    crosstrail: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    cloud: str,
    id_: str,
    uri: str,
    host: str,
) -> None:
    name, content = _delivered(cloud)
    s3.buckets["delivered"] = {name: content}
    s3.world.account(id_).partition = "aws-cn"  # whose regions begin like theirs
    key_id, secret = ("VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY")
    if cloud == "alibaba":
        key_id, secret = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    own = s3.world.add_key(id_)
    monkeypatch.setenv(key_id, own.id)
    monkeypatch.setenv(secret, own.secret)
    with InterceptingProxy(tmp_path, {host.partition(".")[2]: s3.url}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(proxy.authority.certificate))
        assert collect_bucket(crosstrail, tmp_path / "lake", uri=uri)["new"] == 1
    [row] = rows(tmp_path / "lake", "cloud, account, eventname")
    assert (row["cloud"], row["account"], row["eventname"]) == (cloud, id_, "StopInstance")
    assert {one.host for one in s3.asked} == {host}
    assert s3.accounts() == {id_}


@pytest.mark.parametrize("cloud", ["alibaba", "volcengine"])
def test_what_other_clouds_deliver_is_collected_by_path_from_any_server_that_speaks_s3(
    s3: FakeS3, tmp_path: Path, crosstrail: CommandLine, cloud: str
) -> None:
    name, content = _delivered(cloud)
    s3.buckets["copied"] = {f"archive/{name}": content}
    assert collect_bucket(crosstrail, tmp_path, uri="s3://copied/archive")["new"] == 1
    assert {row["cloud"] for row in rows(tmp_path, "cloud")} == {cloud}
    assert {(one.host, one.bucket) for one in s3.asked} == {(s3.url.removeprefix("http://"), "copied")}
    assert collect_bucket(crosstrail, tmp_path, uri="s3://copied/archive")["objects_known"] == 1
