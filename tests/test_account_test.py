"""`crosstrail accounts test` against fake clouds: each step with its time, and what to do about the one that fails."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

import preloaded
from live_aws import DEV, PROD, LiveAws

OLD = "333333333333"
STEPS = ["found", "auth", "region", "credentials", "identity", "events", "trails", "event data stores"]


@pytest.fixture
def aws(aws: LiveAws) -> LiveAws:
    aws.keys_account(PROD, "prod-one")
    aws.role_account(DEV, "dev", external_id="ext")
    aws.listed.append({"id": OLD, "alias": "old", "archive": "logs"})
    return aws


def _test(aws: LiveAws, folder: Path, *arguments: str, status: int = 0) -> tuple[dict[str, dict[str, Any]], str]:
    """Step -> its row, and what was said."""
    file = folder / "crosstrail.yaml"
    file.write_text(yaml.safe_dump({"accounts": aws.listed, "lake": {"path": "no-lake"}}))
    ended = preloaded.run("accounts", "test", *arguments, "--format", "json", "--config", file)
    assert ended.returncode == status, ended.stderr
    return {row["step"]: row for row in json.loads(ended.stdout or "[]")}, ended.stderr


def test_every_step_of_an_account_that_works_is_told_with_its_time(aws: LiveAws, tmp_path: Path) -> None:
    steps, said = _test(aws, tmp_path, "prod-one")
    assert list(steps) == STEPS
    assert {one["outcome"] for one in steps.values()} == {"ok"}
    text = (tmp_path / "crosstrail.yaml").read_text()
    line = text[: text.index("alias: prod-one")].count("\n") + 1
    assert steps["found"]["detail"] == f"{tmp_path / 'crosstrail.yaml'}:{line}"
    assert steps["auth"]["detail"].startswith("keys ***")
    assert (steps["region"]["detail"], steps["identity"]["detail"]) == ("us-east-1", "user/auditor")
    assert all(steps[name]["seconds"] > 0 for name in STEPS[3:])
    assert said == ""
    assert [row["step"] for row in _test(aws, tmp_path, DEV, "--region", "eu-west-1")[0].values()] == STEPS
    assert _test(aws, tmp_path, DEV)[0]["auth"]["detail"] == f"role arn:aws:iam::{DEV}:role/Audit"


def test_a_permission_that_is_missing_is_named_with_what_to_do(aws: LiveAws, tmp_path: Path) -> None:
    aws.world.accounts[PROD].denied |= {"cloudtrail:ListEventDataStores"}
    steps, said = _test(aws, tmp_path, "prod-one", status=3)
    assert (steps["events"]["outcome"], steps["event data stores"]["outcome"]) == ("ok", "failed")
    assert "Allow cloudtrail:ListEventDataStores" in steps["event data stores"]["hint"]
    assert said.startswith("event data stores: ")
    aws.world.accounts[PROD].denied |= {"cloudtrail:LookupEvents"}
    steps, _ = _test(aws, tmp_path, "prod-one", status=1)
    assert "Allow cloudtrail:LookupEvents" in steps["events"]["hint"]
    assert steps["trails"]["outcome"] == "ok"


def test_nothing_is_asked_after_a_step_that_all_others_need(aws: LiveAws, tmp_path: Path) -> None:
    aws.listed[1]["auth"]["external_id"] = "wrong"
    steps, said = _test(aws, tmp_path, "dev", status=1)
    assert list(steps) == STEPS[:4]
    assert f"may not assume arn:aws:iam::{DEV}:role/Audit" in steps["credentials"]["detail"]
    assert steps["credentials"]["hint"]
    assert not aws.world.asked("LookupEvents")
    aws.listed[0]["id"] = "444444444444"
    steps, said = _test(aws, tmp_path, "prod-one", status=1)
    assert f"they are account {PROD}'s" in said
    assert "Correct the id or the auth of the account." in said


def test_an_archive_is_not_asked_and_other_names_are_refused(aws: LiveAws, tmp_path: Path) -> None:
    steps, _ = _test(aws, tmp_path, "old")
    assert [(row["step"], row["outcome"]) for row in steps.values()] == [
        ("found", "ok"),
        ("auth", "-"),
        ("events", "-"),
    ]
    assert not aws.world.requests
    assert "Did you mean prod-one?" in _test(aws, tmp_path, "prod-on", status=1)[1]
    assert "one account is tested at a time" in _test(aws, tmp_path, "*", status=1)[1]
    assert "one region is tested at a time" in _test(aws, tmp_path, "prod-one", "--region", "us-*", status=1)[1]
    assert "has a region 'us-eest-1'" in _test(aws, tmp_path, "prod-one", "--region", "us-eest-1", status=1)[1]


def test_an_account_of_the_database_says_so(aws: LiveAws, tmp_path: Path) -> None:
    environ = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'accounts.sqlite'}"}
    role = f"arn:aws:iam::{DEV}:role/Audit"
    preloaded.run("accounts", "add", DEV, "--alias", "dev", "--role-arn", role, "--external-id", "ext", environ=environ)
    ended = preloaded.run("accounts", "test", "dev", "--format", "json", environ=environ)
    rows = {row["step"]: row for row in json.loads(ended.stdout)}
    assert rows["found"]["detail"] == "the account database"
    assert rows["identity"]["detail"] == "assumed-role/Audit/crosstrail", ended.stderr
