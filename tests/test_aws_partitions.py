"""Partitions of AWS: every one that botocore knows is asked at its own addresses, and read as AWS's own."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import preloaded
from crosstrail.clouds.aws.record import is_record
from crosstrail.clouds.aws.regions import dns_suffix, home_region, known_regions, partition_of, partitions
from fakes.aws import FakeAws
from interception import InterceptingProxy
from live_aws import BASE, DEV, PROD

LISTED: list[dict[str, Any]] = json.loads((files("botocore") / "data" / "partitions.json").read_bytes())["partitions"]


def regions(partition: dict[str, Any]) -> list[str]:
    return sorted(name for name in partition["regions"] if not name.endswith("-global"))


@pytest.mark.parametrize("listed", LISTED, ids=lambda one: str(one["id"]))
def test_every_account_of_a_partition_is_asked_at_its_addresses(
    listed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition, suffix = listed["id"], listed["outputs"]["dnsSuffix"]
    with FakeAws() as aws, InterceptingProxy(tmp_path, {suffix: aws.url}) as proxy:
        for account in (BASE, PROD, DEV):
            aws.world.account(account).partition = partition
        base = aws.world.add_key(BASE)
        role = aws.world.add_role(PROD, trusts=base)
        keys = {"id": DEV, "alias": "keys", "region": regions(listed)[0], "auth": aws.world.add_key(DEV).auth}
        accounts = [{"id": PROD, "alias": "role", "auth": role.auth}, keys]
        Path("crosstrail.yaml").write_text(json.dumps({"accounts": accounts}), "utf-8")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", base.id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", base.secret)
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(proxy.authority.certificate))
        done = preloaded.run("lookup", "--account", "role", "--since", "1h")
        assert done.returncode == 0, done.stderr
        home = home_region(partition)
        assert set(proxy.asked) == {f"sts.{home}.{suffix}", f"cloudtrail.{home}.{suffix}"}
        done = preloaded.run("lookup", "--account", "keys", "--region", "all", "--since", "1h")
        assert done.returncode == 0, done.stderr
        asked = {one.region for one in aws.world.asked("LookupEvents") if one.account == DEV}
        assert asked == set(regions(listed)) or (partition == "aws" and len(asked) == 17)
        refused = preloaded.run("lookup", "--account", "keys", "--region", f"{home[:-1]}9", "--since", "1h")
        assert refused.returncode == 1
        assert home[:-1] in refused.stderr.partition("9")[2], refused.stderr  # the nearest name


@pytest.mark.parametrize("listed", LISTED, ids=lambda one: str(one["id"]))
def test_its_regions_and_hosts_are_its_own(listed: dict[str, Any]) -> None:
    for region in regions(listed):
        assert (partition_of(region), dns_suffix(region)) == (listed["id"], listed["outputs"]["dnsSuffix"])
    assert known_regions(listed["id"]) == set(regions(listed))
    source = f"ec2.{listed['outputs']['dnsSuffix']}"
    assert is_record({"eventSource": source, "eventTime": "2026-11-20T09:00:00Z"})


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eusc-fr-west-1", "aws-eusc"),
        ("cn-south-1", "aws-cn"),
        ("us-gov-central-1", "aws-us-gov"),
        ("us-isof-north-1", "aws-iso-f"),
        ("us-north-9", "aws"),
        ("xx-north-1", "aws"),
        ("", "aws"),
    ],
)
def test_a_region_that_is_newer_than_botocore_has_its_partition(region: str, partition: str) -> None:
    assert partition_of(region) == partition


def test_a_partition_that_nobody_knows_is_asked_where_the_commercial_one_is() -> None:
    assert home_region("aws-new") == partitions()["aws"].home == "us-east-1"
