"""`crosstrail accounts check` against a fake AWS: who we are, what works, which permission is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from live_aws import DEV, PROD, LiveAws

OLD = "333333333333"


@pytest.fixture
def aws(aws: LiveAws) -> LiveAws:
    aws.keys_account(PROD, "prod-one")
    aws.role_account(DEV, "dev", external_id="ext")
    aws.listed.append({"id": OLD, "alias": "old", "archive": "logs"})
    return aws


def check(aws: LiveAws, crosstrail: Callable[..., Any], folder: Path, *arguments: str) -> Any:
    config = folder / "crosstrail.yaml"
    config.write_text(yaml.safe_dump({"accounts": aws.listed, "lake": {"path": "no-lake"}}))
    return crosstrail("accounts", "check", *arguments, "--config", config)


def test_accounts_that_work_say_who_we_are_there(aws: LiveAws, crosstrail: Callable[..., Any], tmp_path: Path) -> None:
    done = check(aws, crosstrail, tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    prod, dev = json.loads(done.stdout)
    assert prod == {
        "account": "prod-one",
        "id": PROD,
        "region": "us-east-1",
        "identity": "user/auditor",
        "lookup": "ok",
        "trails": "ok",
        "stores": "ok",
        "problems": [],
    }
    assert dev["identity"] == "assumed-role/Audit/crosstrail"
    assert done.stderr == ""


def test_a_missing_permission_is_named(aws: LiveAws, crosstrail: Callable[..., Any], tmp_path: Path) -> None:
    aws.world.accounts[PROD].denied |= {"cloudtrail:LookupEvents", "cloudtrail:ListEventDataStores"}
    done = check(aws, crosstrail, tmp_path, "prod-*")
    assert done.returncode == 1
    assert "dev" not in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("prod-one"))
    assert row.split("\t")[3:7] == ["user/auditor", "failed", "ok", "failed"]
    assert "Allow cloudtrail:LookupEvents" in done.stderr
    assert "Allow cloudtrail:ListEventDataStores" in done.stderr


def test_a_role_that_cannot_be_assumed_is_named(aws: LiveAws, crosstrail: Callable[..., Any], tmp_path: Path) -> None:
    aws.listed[1]["auth"]["external_id"] = "wrong"
    done = check(aws, crosstrail, tmp_path)
    assert done.returncode == 3
    assert f"may not assume arn:aws:iam::{DEV}:role/Audit" in done.stderr
    assert "prod-one\t" in done.stdout


def test_credentials_of_another_account_are_noticed(
    aws: LiveAws, crosstrail: Callable[..., Any], tmp_path: Path
) -> None:
    aws.listed[0]["id"] = "444444444444"
    done = check(aws, crosstrail, tmp_path, "prod-one")
    assert done.returncode == 1
    assert (
        f"prod-one: its credentials are another account's, and were not used: they are account {PROD}'s" in done.stderr
    )
    assert not aws.world.asked("LookupEvents")


def test_an_archive_needs_no_check(aws: LiveAws, crosstrail: Callable[..., Any], tmp_path: Path) -> None:
    done = check(aws, crosstrail, tmp_path, "old")
    assert done.returncode == 0, done.stderr
    assert "No account here is live" in done.stderr
    assert not aws.world.requests
