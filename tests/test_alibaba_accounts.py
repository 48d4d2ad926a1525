"""Alibaba Cloud accounts as a user has them: in the configuration, in the environment, in the database, at the command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from conftest import CommandLine
from crosstrail.clouds.alibaba.accounts import AlibabaRoleAuth
from crosstrail.clouds.alibaba.cloud import ALIBABA
from crosstrail.clouds.alibaba.regions import KNOWN_REGIONS
from crosstrail.errors import ConfigError
from crosstrail.settings.config import load_settings
from fakes.alibaba import FakeAlibaba, Key
from listed_accounts import moment
from live_alibaba import BASE, HZ_DEV, HZ_PROD

ROLE = f"acs:ram::{HZ_PROD}:role/Audit"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAlibaba]:
    """An Alibaba Cloud that child processes find."""
    with FakeAlibaba() as alibaba:
        monkeypatch.setenv("ALIBABA_CLOUD_ENDPOINT", alibaba.url)
        yield alibaba


@pytest.fixture
def base(fake: FakeAlibaba, monkeypatch: pytest.MonkeyPatch) -> Key:
    """The environment's identity in it."""
    key = fake.world.add_key(BASE)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret)
    return key


def _listed(folder: Path, *accounts: dict[str, Any]) -> Path:
    path = folder / "crosstrail.yaml"
    path.write_text(yaml.safe_dump({"accounts": [{"cloud": "alibaba", **one} for one in accounts]}))
    return path


def test_accounts_with_a_role_and_with_keys_answer_in_one_table(
    fake: FakeAlibaba, base: Key, tmp_path: Path, crosstrail: CommandLine
) -> None:
    role = fake.world.add_role(HZ_PROD, trusts=base, external_id="ext-1")
    dev = fake.world.add_key(HZ_DEV)
    fake.world.account(HZ_PROD).log("StopLogging", moment(timedelta(minutes=1)), user="mallory", role="Admin")
    fake.world.account(HZ_DEV).log("DeleteUser", moment(timedelta(minutes=2)))
    config = _listed(
        tmp_path,
        {"id": HZ_PROD, "alias": "hz-prod", "auth": role.auth},
        {"id": HZ_DEV, "alias": "hz-dev", "auth": dev.auth},
    )
    done = crosstrail("lookup", "--account", "*", "--since", "1d", "--config", config)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[1:4] for row in rows[1:]] == [
        ["hz-prod", "cn-hangzhou", "StopLogging"],
        ["hz-dev", "cn-hangzhou", "DeleteUser"],
    ]
    assert "Admin/mallory" in rows[1]
    checked = crosstrail("accounts", "check", "--config", config)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "assumed-role/Audit/crosstrail" in checked.stdout
    assert "user/auditor" in checked.stdout


def test_the_environments_own_account_is_asked_where_none_is_listed(
    fake: FakeAlibaba, base: Key, tmp_path: Path, crosstrail: CommandLine
) -> None:
    fake.world.account(BASE).log("CreateAccessKey", moment(timedelta(minutes=1)))
    done = crosstrail("lookup", "--since", "1d")
    assert done.returncode == 0, done.stderr
    assert "CreateAccessKey" in done.stdout


def test_what_is_written_of_an_account_is_checked(tmp_path: Path) -> None:
    [account] = load_settings(
        str(_listed(tmp_path, {"id": HZ_PROD, "auth": {"type": "role", "role_arn": ROLE, "session_policy": True}})),
        environ={},
    ).accounts
    assert account.auth == AlibabaRoleAuth(role_arn=ROLE, session_policy=True)
    temporary = {"type": "keys", "access_key_id": "STS.abc", "secret_access_key": "swordfish", "session_token": "t"}
    [account] = load_settings(str(_listed(tmp_path, {"id": HZ_PROD, "auth": temporary})), environ={}).accounts
    assert "swordfish" not in repr(account)
    for wrong, said in [
        ({"id": HZ_DEV, "auth": {"type": "role", "role_arn": ROLE}}, "another account"),
        ({"id": HZ_PROD, "cloud": "aws", "auth": {"type": "role", "role_arn": ROLE}}, ""),
        (
            {"id": HZ_PROD, "auth": {"type": "role", "role_trn": f"trn:iam::{HZ_PROD}:role/A"}},
            "set cloud to volcengine",
        ),
        ({"id": "abc", "auth": {"type": "ambient"}}, "digits"),
    ]:
        with pytest.raises(ConfigError) as refused:
            load_settings(str(_listed(tmp_path, wrong)), environ={})
        assert said in str(refused.value)


def test_the_environment_of_alibabas_own_tools_is_read() -> None:
    environ = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAIX",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "swordfish",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "token",
        "ALIBABA_CLOUD_REGION_ID": "cn-beijing",
        "ALIBABA_CLOUD_ROLE_ARN": ROLE,
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": f"acs:ram::{HZ_PROD}:oidc-provider/ack",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/var/run/token",
    }
    found = load_settings(environ=environ).of_cloud("alibaba")
    assert (found.access_key_id, found.region, found.role_arn) == ("LTAIX", "cn-beijing", ROLE)
    assert (found.access_key_secret, found.security_token) == (SecretStr("swordfish"), SecretStr("token"))
    assert found.has_keys
    assert found.has_oidc
    assert found.ambient
    assert "swordfish" not in repr(found)


def test_all_regions_are_those_of_the_public_cloud_and_finance_is_apart() -> None:
    everywhere = ALIBABA.regions_of("cn-hangzhou")
    assert set(everywhere) == KNOWN_REGIONS - {"cn-shanghai-finance-1", "cn-north-2-gov-1"}
    assert ALIBABA.regions_of("cn-shanghai-finance-1") == ("cn-shanghai-finance-1",)
    assert ALIBABA.regions_of("ap-southeast-9")[0] == "ap-northeast-1"


def test_accounts_are_kept_in_the_database(
    crosstrail: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'accounts.db'}")
    done = crosstrail("accounts", "add", HZ_PROD, "--alias", "hz-prod", "--role-arn", ROLE)
    assert done.returncode == 0, done.stderr
    listed = crosstrail("accounts", "list")
    assert listed.returncode == 0, listed.stderr
    assert HZ_PROD in listed.stdout
    assert "alibaba" in listed.stdout
