"""`crosstrail init`: what it finds, asks and writes, and that it ends with an answer of an account that answers."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

import preloaded
from aws_home import SSO, Home
from crosstrail.settings.config import load_settings
from fakes.aws import FakeAws, World
from lake_workspace import record, write_logs
from live_aws import BASE, DEV, PROD
from live_volcengine import LiveVolcengine, live_volcengine
from terminal import typing

FERNET = "3ZkPAsn2kNwSVhs9RzYZdPcy3Lv1iA2h1Q8Jm7mWb0c="


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    with FakeAws(World()) as aws:
        yield Home(tmp_path / "home", aws)


@pytest.fixture
def volcengine() -> Iterator[LiveVolcengine]:
    with live_volcengine() as live:
        yield live


def written() -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(Path("crosstrail.yaml").read_text())
    return found


def test_profiles_become_accounts_and_the_first_answer_comes(home: Home) -> None:
    home.write()
    done = home.init("--yes")
    assert done.returncode == 3, done.stderr  # one sign-in has expired
    accounts = load_settings("crosstrail.yaml").accounts
    assert {(one.id, one.alias) for one in accounts} == {(PROD, "prod"), (BASE, "base"), (DEV, "dev"), (SSO, "sso")}
    assert "aws sso login --profile sso" in done.stderr
    assert stat.S_IMODE(Path("crosstrail.yaml").stat().st_mode) == 0o600
    text = Path("crosstrail.yaml").read_text()
    assert "crosstrail collect s3://corp-logs" in text
    assert "encrypted with arn:aws:kms:::key/k" in text
    assert not any(secret in text + done.stdout + done.stderr for secret in (home.base.secret, home.dev.secret))
    assert "ConsoleLogin" in done.stdout
    assert "ann" in done.stdout.partition("ConsoleLogin --since")[2]
    commands = [line.split("#")[0].strip() for line in done.stdout.partition("Next:")[2].splitlines() if line.strip()]
    assert commands == ["crosstrail doctor", "crosstrail client add claude", "crosstrail collect s3://corp-logs"]
    checked = preloaded.run("accounts", "check", "prod,dev,base", environ=home.environ)
    assert checked.returncode == 0, checked.stderr


def test_a_dry_run_prints_the_file_alone(home: Home) -> None:
    home.write()
    done = home.init("--yes", "--dry-run", "--profile", "d*")
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)
    assert [one["id"] for one in found["accounts"]] == [DEV]
    assert not Path("crosstrail.yaml").exists()


def test_a_file_that_is_there_is_replaced_by_force_alone_and_the_difference_shown(home: Home) -> None:
    home.write()
    Path("crosstrail.yaml").write_text("log_level: info  # mine\n")
    refused = home.init("--yes")
    assert refused.returncode == 1
    assert "--overwrite" in refused.stderr
    assert Path("crosstrail.yaml").read_text() == "log_level: info  # mine\n"
    done = home.init("--yes", "--overwrite", "--profile", "dev")
    assert done.returncode == 0, done.stderr
    assert "-log_level: info  # mine" in done.stderr
    assert "+accounts:" in done.stderr


def test_an_organization_is_answered_for_by_its_role(home: Home) -> None:
    home.write()
    home.world.management = BASE
    home.world.add_role(PROD, "OrgAudit", trusts=home.base, external_id="ext-1")
    home.world.add_role(DEV, "OrgAudit", trusts=home.base, external_id="ext-1")
    done = home.init("--yes", "--profile", "base", "--organization-role", "OrgAudit", "--external-id", "ext-1")
    assert done.returncode == 0, done.stderr
    assert written()["organization"] == {"role_name": "OrgAudit", "external_id": "ext-1", "profile": "base"}
    looked = preloaded.run("lookup", "--account", "*", "--name", "StopLogging", "--since", "1h", environ=home.environ)
    assert looked.returncode == 0, looked.stderr
    assert looked.stdout.count("StopLogging") == 3


def test_without_an_identity_it_says_what_to_do(home: Home) -> None:
    done = home.init()
    assert done.returncode == 1
    for word in ("aws sso login", "VOLCENGINE_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID", "--instance-role", "--logs"):
        assert word in done.stderr
    assert not Path("crosstrail.yaml").exists()
    assert home.init("--yes", "--profile", "none").returncode == 1


def test_a_denied_permission_is_named(home: Home) -> None:
    home.write()
    home.world.fail("denied", action="LookupEvents", times=99)
    done = home.init("--yes", "--profile", "dev")
    assert done.returncode == 3
    assert "cloudtrail:LookupEvents" in done.stderr
    assert "crosstrail doctor" in done.stderr
    assert Path("crosstrail.yaml").exists()


def test_logs_alone_are_read_and_answered_from(home: Home) -> None:
    now = datetime.now(UTC)
    write_logs(Path("evidence"), [record(PROD, number, now - timedelta(days=number)) for number in range(3)])
    done = home.init("--yes", "--logs", "evidence")
    assert done.returncode == 0, done.stderr
    assert "accounts" not in written()
    assert f"--account {PROD}" in done.stdout
    assert "A first answer" in done.stdout


def test_logs_beside_accounts_bring_theirs(home: Home) -> None:
    home.write()
    write_logs(Path("evidence"), [record("444444444444", 1, datetime.now(UTC))])
    done = home.init("--yes", "--logs", "evidence", "--profile", "dev")
    assert done.returncode == 0, done.stderr
    listed = preloaded.run("accounts", "list", "--format", "json", environ=home.environ)
    assert {one["account"] for one in json.loads(listed.stdout)} == {DEV, "444444444444"}


def test_a_person_is_asked_and_answers(home: Home) -> None:
    home.write(config=home.config.partition("[profile sso]")[0])
    home.world.management = BASE
    answers = [
        ("Which of them? Numbers or names, parted by commas [all]:", "base, 3"),
        ("A folder with log files that you have already (Enter for none):", ""),
        ("A role that all of them have, to answer for all of them (Enter for none):", ""),
    ]
    status, screen = typing(answers, "init", environ=home.environ)
    assert status == 0, screen
    assert "ConsoleLogin" in screen
    accounts = load_settings("crosstrail.yaml").accounts
    assert len(accounts) == 2
    assert BASE in {one.id for one in accounts}
    assert "# organization: {role_name: Audit, profile: base}" in Path("crosstrail.yaml").read_text()


def test_nobody_is_asked_without_a_terminal(home: Home) -> None:
    home.write()
    done = home.init("--profile", "dev", "--config", "other.yaml")
    assert done.returncode == 0, done.stderr
    assert "--config other.yaml" in done.stdout


def test_keys_of_other_tools_are_encrypted_or_left_out(
    volcengine: LiveVolcengine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key = volcengine.base
    (tmp_path / ".volcengine").mkdir()
    profiles = {"default": {"access-key": key.id, "secret-key": key.secret, "region": "cn-beijing"}}
    (tmp_path / ".volcengine" / "config.json").write_text(json.dumps({"profiles": profiles}))
    environ = {"HOME": str(tmp_path), "VOLCENGINE_ENDPOINT": volcengine.url}
    without = preloaded.run("init", "--yes", "--dry-run", environ=environ)
    assert "ENCRYPTION_KEY" in without.stderr
    assert yaml.safe_load(without.stdout)["accounts"] == []
    done = preloaded.run("init", "--yes", "--dry-run", environ=environ | {"ENCRYPTION_KEY": FERNET})
    assert done.returncode == 0, done.stderr
    [account] = yaml.safe_load(done.stdout)["accounts"]
    assert account["cloud"] == "volcengine"
    assert account["auth"]["secret_access_key_encrypted"].startswith("gAAAAA")
    assert key.secret not in done.stdout + done.stderr + without.stdout + without.stderr
