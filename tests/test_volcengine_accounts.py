"""Volcengine accounts in configuration and in the account database, over SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from crosstrail.account_auth import AmbientAuth, KeysAuth
from crosstrail.accounts.database import AccountDatabase
from crosstrail.accounts.secrets import SecretBox
from crosstrail.clouds.volcengine.accounts import VolcengineRoleAuth
from crosstrail.errors import ConfigError
from crosstrail.settings.config import load_settings
from test_accounts_cli import NEW, OLD, SECRET, accounts, opened, rows, stored
from test_registry_database import TABLES, execute

__all__ = ["accounts"]  # a fixture

CN_PROD, CN_DEV = "2100000001", "2100000002"
ROLE_TRN = f"trn:iam::{CN_PROD}:role/Audit"
VOLCENGINE_TABLE = """
CREATE TABLE volcengine_accounts (
  id INTEGER PRIMARY KEY, account_id BIGINT, alias VARCHAR(100), auth_type VARCHAR(20), access_key_id VARCHAR(50),
  secret_access_key_encrypted TEXT, role_trn VARCHAR(255), region VARCHAR(30))
"""


def _settings(folder: Path, auth: str, cloud: str = "volcengine", account: str = CN_PROD) -> Any:
    path = folder / "crosstrail.yaml"
    path.write_text(f"accounts: [{{id: '{account}', alias: cn-prod, cloud: {cloud}, auth: {auth}}}]")
    return load_settings(str(path), environ={})


def test_the_three_ways_of_a_volcengine_account(tmp_path: Path) -> None:
    [account] = _settings(tmp_path, f"{{type: role, role_trn: '{ROLE_TRN}'}}").accounts
    assert account.auth == VolcengineRoleAuth(role_trn=ROLE_TRN)
    [account] = _settings(tmp_path, "{type: keys, access_key_id: AKLTX, secret_access_key: swordfish}").accounts
    assert isinstance(account.auth, KeysAuth)
    assert "swordfish" not in repr(account)
    [account] = _settings(tmp_path, "{type: ambient}").accounts
    assert account.auth == AmbientAuth()


@pytest.mark.parametrize(
    ("auth", "cloud", "account", "said"),
    [
        (f"{{type: role, role_trn: '{ROLE_TRN}'}}", "volcengine", CN_DEV, "role of another account"),
        (f"{{type: role, role_trn: '{ROLE_TRN}'}}", "aws", CN_PROD, "set cloud to volcengine"),
        (
            "{type: role, role_arn: 'arn:aws:iam::111111111111:role/A'}",
            "volcengine",
            "111111111111",
            "set cloud to aws",
        ),
        ("{type: profile, profile: dev}", "volcengine", CN_PROD, "set cloud to aws"),
        ("{type: role, role_trn: swordfish}", "volcengine", CN_PROD, "role_trn"),
        ("{type: magic}", "volcengine", CN_PROD, "auth.type is one of keys, role"),
    ],
)
def test_what_belongs_to_another_is_refused(tmp_path: Path, auth: str, cloud: str, account: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _settings(tmp_path, auth, cloud, account)
    assert said in str(refused.value)
    assert "swordfish" not in refused.value.text


def test_the_environment_of_volcengines_own_tools_is_read() -> None:
    environ = {
        "VOLCENGINE_ACCESS_KEY": "AKLTX",
        "VOLCENGINE_SECRET_KEY": "swordfish",
        "VOLCENGINE_ACCESS_SESSION_TOKEN": "token",
        "VOLCENGINE_ENDPOINT": "http://127.0.0.1:1",
        "VOLCENGINE_REGION": "cn-shanghai",
    }
    found = load_settings(environ=environ).of_cloud("volcengine")
    assert (found.access_key, found.endpoint, found.region) == ("AKLTX", "http://127.0.0.1:1", "cn-shanghai")
    assert (found.secret_key, found.session_token) == (SecretStr("swordfish"), SecretStr("token"))
    assert "swordfish" not in repr(found)


def test_both_tables_are_read_together(database_url: str) -> None:
    execute(database_url, TABLES + ";" + VOLCENGINE_TABLE)
    token = SecretBox(OLD).encrypt(SecretStr(SECRET), CN_DEV)
    execute(
        database_url,
        "INSERT INTO aws_accounts (id, account_id, auth_type, role_arn) VALUES "
        "(1, '011111111111', 'iam_role', 'arn:aws:iam::011111111111:role/Audit');"
        f"INSERT INTO volcengine_accounts VALUES (1, {CN_PROD}, 'cn-prod', 'iam_role', NULL, NULL, '{ROLE_TRN}', NULL);"
        f"INSERT INTO volcengine_accounts VALUES (2, {CN_DEV}, 'cn-dev', 'aksk', 'AKLTX', '{token}', NULL, 'cn-shanghai');"
        f"INSERT INTO volcengine_accounts VALUES (3, 2100000003, 'bad', 'iam_role', NULL, NULL, '{ROLE_TRN}', NULL)",
    )
    listing = AccountDatabase.at(database_url).read()
    assert [(account.cloud, account.id) for account in listing.accounts] == [
        ("aws", "011111111111"),
        ("volcengine", CN_PROD),
        ("volcengine", CN_DEV),
    ]
    assert listing.accounts[1].auth == VolcengineRoleAuth(role_trn=ROLE_TRN)
    assert listing.accounts[2].region == "cn-shanghai"
    assert opened(listing.accounts[2]) == SECRET
    [warning] = listing.warnings
    assert "volcengine_accounts row 3" in warning
    assert "role of another account" in warning


def test_a_database_with_the_volcengine_table_alone_is_enough(database_url: str) -> None:
    execute(database_url, VOLCENGINE_TABLE)
    execute(
        database_url,
        f"INSERT INTO volcengine_accounts VALUES (1, {CN_PROD}, '', 'iam_role', NULL, NULL, '{ROLE_TRN}', NULL)",
    )
    assert [account.id for account in AccountDatabase.at(database_url).read().accounts] == [CN_PROD]


def test_accounts_of_both_clouds_are_added_and_their_secrets_rotated(
    accounts: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = accounts("add", CN_PROD, "--alias", "cn-prod", "--role-trn", ROLE_TRN)
    assert done.returncode == 0, done.stderr
    keys = ("--cloud", "volcengine", "--access-key-id", "AKLTX")
    done = accounts("add", CN_DEV, "--alias", "cn-dev", *keys, stdin=SECRET + "\n")
    assert done.returncode == 0, done.stderr
    assert accounts("add", "111111111111", "--access-key-id", "AKIAX", stdin=SECRET).returncode == 0
    twice = accounts("add", "111111111112", "--alias", "cn-dev", "--role-arn", "arn:aws:iam::111111111112:role/A")
    assert twice.returncode == 1
    assert "alias" in twice.stderr
    found = stored(database_url)
    assert {account.cloud for account in found.values()} == {"aws", "volcengine"}
    assert found[CN_PROD].auth == VolcengineRoleAuth(role_trn=ROLE_TRN)
    monkeypatch.setenv("ENCRYPTION_KEY", f"{NEW},{OLD}")
    assert accounts("rotate").returncode == 0
    assert opened(stored(database_url)[CN_DEV], NEW) == SECRET
    assert opened(stored(database_url)["111111111111"], NEW) == SECRET


def test_a_database_of_before_keeps_its_tables_until_a_volcengine_account_comes(
    accounts: Any, database_url: str
) -> None:
    accounts("add", "111111111111", "--role-arn", "arn:aws:iam::111111111111:role/Audit")
    with pytest.raises(Exception, match="volcengine_accounts"):
        rows(database_url, "SELECT * FROM volcengine_accounts")
    accounts("add", CN_PROD, "--role-trn", ROLE_TRN)
    assert len(rows(database_url, "SELECT * FROM volcengine_accounts")) == 1


def test_an_import_takes_both_clouds(accounts: Any, database_url: str) -> None:
    lines = (
        "account_id,alias,auth_type,role_arn,role_trn,cloud,access_key_id,secret_access_key\n"
        "111111111111,prod,iam_role,arn:aws:iam::111111111111:role/Audit,,,,\n"
        f"{CN_PROD},cn-prod,iam_role,,{ROLE_TRN},,,\n"
        f"{CN_DEV},cn-dev,aksk,,,volcengine,AKLTX,{SECRET}\n"
    )
    done = accounts("import", "-", stdin=lines)
    assert done.returncode == 0, done.stderr
    found = stored(database_url)
    assert [found[one].cloud for one in ("111111111111", CN_PROD, CN_DEV)] == ["aws", "volcengine", "volcengine"]
    assert opened(found[CN_DEV]) == SECRET
