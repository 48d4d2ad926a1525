"""`crosstrail accounts add|import|encrypt|rotate`: what they store, what they refuse, and that no secret shows."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from cryptography.fernet import Fernet
from pydantic import SecretStr

import preloaded
from crosstrail.account_auth import KeysAuth
from crosstrail.accounts.database import AccountDatabase
from crosstrail.accounts.database_url import parse_url
from crosstrail.accounts.secrets import SecretBox
from crosstrail.cli import main
from crosstrail.clouds.aws.accounts import RoleAuth
from crosstrail.models import Account

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY0plaintext"
PROD, DEV = "111111111111", "222222222222"
one_kind = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # where no row is written anyway
ROLE = f"arn:aws:iam::{PROD}:role/Audit"


@pytest.fixture
def accounts(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`crosstrail accounts ARGUMENTS...` on an empty database, with a key to encrypt with; fails on a secret that shows.

    It runs in the test's process: as many commands in processes of their own would take a minute.
    """
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("ENCRYPTION_KEY", OLD)

    def call(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = ["crosstrail", "accounts", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        for hidden in (SECRET, OLD, NEW, "p%40ss"):
            assert hidden not in shown.out + shown.err
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(command, ended.value.code, shown.out, shown.err)

    return call


def stored(url: str) -> dict[str, Account]:
    listing = AccountDatabase.at(url).read()
    assert listing.warnings == ()
    return {account.id: account for account in listing.accounts}


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sqlalchemy.create_engine(parse_url(url), poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        found = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return found


def opened(account: Account, keys: str = OLD) -> str:
    assert isinstance(account.auth, KeysAuth)
    assert account.auth.secret_access_key_encrypted is not None
    token = account.auth.secret_access_key_encrypted.get_secret_value()
    return SecretBox(keys).decrypt(token, account.id).get_secret_value()


def write(folder: Path, text: str, name: str = "accounts.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_role_is_added_with_its_external_id(accounts: Any, database_url: str) -> None:
    done = accounts(
        "add", PROD, "--alias", "prod", "--region", "eu-west-1", "--role-arn", ROLE, "--external-id", "ext-1"
    )
    assert done.returncode == 0, done.stderr
    assert f"prod ({PROD})" in done.stdout
    account = stored(database_url)[PROD]
    assert (account.alias, account.region) == ("prod", "eu-west-1")
    assert account.auth == RoleAuth(role_arn=ROLE, external_id="ext-1")
    other = f"arn:aws:iam::{DEV}:role/Audit"
    assert accounts("add", DEV, "--role-arn", other, "--external-id", "ext-1").returncode == 0
    assert len(rows(database_url, "SELECT * FROM organizations")) == 1


def test_a_secret_is_read_from_stdin_and_bound_to_its_account(accounts: Any, database_url: str) -> None:
    done = accounts("add", PROD, "--alias", "prod", "--access-key-id", "AKIAEXAMPLE", stdin=f"{SECRET}\nrest")
    assert done.returncode == 0, done.stderr
    account = stored(database_url)[PROD]
    assert opened(account) == SECRET
    held = [text for row in rows(database_url, "SELECT * FROM aws_accounts") for text in row]
    assert SECRET not in held
    rows(
        database_url, f"UPDATE aws_accounts SET account_id = '{DEV}'"
    )  # a token moved to another account opens nothing
    with pytest.raises(Exception, match="encrypted for another account"):
        opened(stored(database_url)[DEV])


def test_a_secret_that_is_typed_is_not_shown(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("ENCRYPTION_KEY", OLD)
    command = [preloaded.python(), "-m", "crosstrail", "accounts", "add", PROD, "--access-key-id", "AKIAEXAMPLE"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = b""
    while b"Secret access key" not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, f"{SECRET}\n".encode())
    try:
        while part := os.read(ours, 1024):
            shown += part
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert SECRET.encode() not in shown
    assert opened(stored(database_url)[PROD]) == SECRET


def test_an_account_is_not_stored_twice_unless_it_is_to_be_replaced(accounts: Any, database_url: str) -> None:
    assert accounts("add", PROD, "--alias", "prod", "--access-key-id", "AKIAOLD", stdin="old-secret").returncode == 0
    refused = accounts("add", PROD, "--role-arn", ROLE)
    assert refused.returncode == 1
    assert "is in the database already" in refused.stderr
    assert "--replace" in refused.stderr
    taken = accounts("add", DEV, "--alias", "PROD", "--role-arn", f"arn:aws:iam::{DEV}:role/Audit")
    assert taken.returncode == 1
    assert f"the alias PROD is that of account {PROD}" in taken.stderr
    assert accounts("add", PROD, "--alias", "prod", "--role-arn", ROLE, "--replace").returncode == 0
    assert rows(
        database_url, "SELECT account_id, auth_type, access_key_id, secret_access_key_encrypted FROM aws_accounts"
    ) == [(PROD, "iam_role", None, None)]


@one_kind
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([PROD], "one of --role-arn, --role-trn and --access-key-id"),
        ([PROD, "--role-arn", ROLE, "--access-key-id", "AKIA"], "one of --role-arn, --role-trn and --access-key-id"),
        ([PROD, "--access-key-id", "AKIA", "--external-id", "x"], "--external-id belongs to --role-arn"),
        (["1111", "--access-key-id", "AKIA"], "account_id is not an AWS account id"),
        ([DEV, "--role-arn", ROLE], "role of another account"),
        ([PROD, "--role-trn", "swordfish"], "role_trn: must be such as trn:iam::"),
        ([PROD, "--role-arn", "swordfish"], "role_arn: must be such as arn:aws:iam::"),
        ([PROD, "--role-arn", ROLE, "--cloud", "volcengine"], "role_trn missing"),
        ([PROD, "--role-arn", ROLE, "--alias", "生产"], "alias has no letter"),
        ([PROD, "--access-key-id", "AKIA"], "no secret was given"),
    ],
)
def test_what_cannot_be_added_is_refused(accounts: Any, arguments: list[str], said: str) -> None:
    done = accounts("add", *arguments)
    assert done.returncode == 1
    assert said in done.stderr


@one_kind
def test_an_account_of_the_file_is_not_added_to_the_database(accounts: Any, tmp_path: Path) -> None:
    config = write(tmp_path, f'accounts: [{{id: "{PROD}", alias: prod}}]\n', "crosstrail.yaml")
    done = accounts("add", PROD, "--role-arn", ROLE, "--config", config)
    assert done.returncode == 1
    assert f"{PROD} is the name of two accounts" in done.stderr
    assert "crosstrail.yaml" in done.stderr


@one_kind
def test_without_a_database_or_a_key_it_is_said_what_to_set(accounts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENCRYPTION_KEY")
    done = accounts("encrypt", PROD, stdin="any")
    assert done.returncode == 1
    assert "ENCRYPTION_KEY is not set" in done.stderr
    monkeypatch.delenv("DATABASE_URL")
    done = accounts("add", PROD, "--role-arn", ROLE)
    assert done.returncode == 1
    assert "Set DATABASE_URL or RDS_SECRET_NAME" in done.stderr


def test_a_process_that_fails_shows_no_traceback_and_no_secret(
    crosstrail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", OLD)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://me:{SECRET.replace('/', '')}@127.0.0.1:1/accounts")
    done = crosstrail("accounts", "add", PROD, "--access-key-id", "AKIA", stdin=SECRET)
    assert done.returncode == 1
    assert done.stderr.startswith("crosstrail: the account database refuses connections (127.0.0.1:1/accounts). Check")
    assert len(done.stderr.splitlines()) == 1
    for hidden in (SECRET, OLD, SECRET.replace("/", "")):
        assert hidden not in done.stdout + done.stderr


CSV = f"""id,account_id,alias,auth_type,access_key_id,secret_access_key_encrypted,role_arn,region,org_id,created_at
1,{PROD},prod,iam_role,,,{ROLE},eu-west-1,,2024
2,{DEV},legacy,aksk,AKIAEXAMPLE,{{token}},,,,2024
"""


def test_a_table_of_before_is_imported_and_its_secrets_bound(accounts: Any, database_url: str, tmp_path: Path) -> None:
    token = Fernet(OLD.encode()).encrypt(SECRET.encode()).decode()
    file = write(tmp_path, "\ufeff" + CSV.format(token=token))
    rehearsed = accounts("import", file, "--dry-run")
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert rehearsed.stdout.splitlines() == [f"would add prod ({PROD})", f"would add legacy ({DEV})"]
    assert not (tmp_path / "accounts.db").exists()
    with pytest.raises(Exception, match=r"there is no account database|has no tables"):
        stored(database_url)
    done = accounts("import", file)
    assert done.returncode == 0, done.stderr
    assert "ignored columns: created_at" in done.stderr
    held = stored(database_url)
    assert held[PROD].auth == RoleAuth(role_arn=ROLE)
    assert opened(held[DEV]) == SECRET
    (bound,) = rows(database_url, f"SELECT secret_access_key_encrypted FROM aws_accounts WHERE account_id = '{DEV}'")
    assert bound[0] != token
    with pytest.raises(Exception, match="another account"):
        SecretBox(OLD).decrypt(bound[0], PROD)
    again = accounts("import", file)
    assert again.returncode == 1
    assert f"account {PROD} is in the database already" in again.stderr


def test_json_lines_take_secrets_in_plain_text_and_external_ids(accounts: Any, database_url: str) -> None:
    lines = [
        {"account_id": PROD, "alias": "prod", "auth_type": "iam_role", "role_arn": ROLE, "external_id": "ext-1"},
        {"account_id": DEV, "auth_type": "aksk", "access_key_id": "AKIA", "secret_access_key": SECRET, "alias": None},
    ]
    done = accounts("import", "-", stdin="\n".join(map(json.dumps, lines)) + "\n\n")
    assert done.returncode == 0, done.stderr
    held = stored(database_url)
    assert held[PROD].auth == RoleAuth(role_arn=ROLE, external_id="ext-1")
    assert opened(held[DEV]) == SECRET
    (organization,) = rows(database_url, "SELECT id FROM organizations")
    third = {"account_id": 3 * "3333", "auth_type": "iam_role", "role_arn": f"arn:aws:iam::{3 * '3333'}:role/A"}
    done = accounts("import", "-", stdin=json.dumps(third | {"org_id": organization[0]}))
    assert done.returncode == 0, done.stderr
    auth = stored(database_url)[3 * "3333"].auth
    assert isinstance(auth, RoleAuth)
    assert auth.external_id == "ext-1"


@one_kind
def test_a_file_of_roles_alone_needs_no_key(accounts: Any, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "")
    header = "account_id,alias,auth_type,role_arn,external_id\n"
    done = accounts("import", "-", stdin=f"{header}{PROD},prod,iam_role,{ROLE},ext-1\n")
    assert done.returncode == 0, done.stderr
    assert stored(database_url)[PROD].auth == RoleAuth(role_arn=ROLE, external_id="ext-1")
    done = accounts("import", "-", stdin=f"account_id,auth_type,access_key_id,secret_access_key\n{DEV},aksk,AKIA,x\n")
    assert (done.returncode, "ENCRYPTION_KEY is not set" in done.stderr) == (1, True)


@one_kind
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("3,333333333333,x,oauth,,,,,,", "line 4: auth_type is neither"),
        ("3,333333333333,x,aksk,AKIA,,,,,", "line 4: secret_access_key_encrypted missing"),
        (f"3,333333333333,x,aksk,AKIA,{SECRET},,,,", "line 4: the stored secret of account 333333333333 cannot be"),
        ("3,333333333333,x,iam_role,,,arn:aws:iam::333333333333:role/A,,5,", "line 4: org_id names no row"),
        (f"3,{PROD},x,iam_role,,,{ROLE},,,", f"{PROD} is the name of two accounts"),
        ("3,333333333333,prod,iam_role,,,arn:aws:iam::333333333333:role/A,,,", "prod is the name of two accounts"),
        ("3,333333333333,x,iam_role,,,arn:aws:iam::333333333333:role/A,,,,,more", "line 4 has more fields"),
    ],
)
def test_one_bad_line_and_nothing_is_imported(
    accounts: Any, database_url: str, tmp_path: Path, line: str, said: str
) -> None:
    token = SecretBox(OLD).encrypt(SecretStr(SECRET), DEV)
    done = accounts("import", write(tmp_path, CSV.format(token=token) + line + "\n"))
    assert done.returncode == 1
    assert said in done.stderr
    with pytest.raises(Exception, match=r"there is no account database|has no tables"):
        stored(database_url)


@one_kind
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither JSON lines nor CSV"),
        ("just text\n", "neither JSON lines nor CSV"),
        ('{"account_id": "1"\n', "line 1 is not a JSON object"),
        ('{"account_id": "1"}\n[]\n', "line 2 is not a JSON object"),
    ],
)
def test_a_file_of_another_kind_is_refused(accounts: Any, text: str, said: str) -> None:
    done = accounts("import", "-", stdin=text)
    assert done.returncode == 1
    assert said in done.stderr


@one_kind
def test_encrypt_prints_a_token_for_one_account(accounts: Any) -> None:
    done = accounts("encrypt", PROD, stdin=SECRET)
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip()
    assert SecretBox(OLD).decrypt(token, PROD).get_secret_value() == SECRET
    with pytest.raises(Exception, match="another account"):
        SecretBox(OLD).decrypt(token, DEV)


def test_rotation_leaves_nothing_under_an_old_key(
    accounts: Any, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for account in (PROD, DEV):
        assert accounts("add", account, "--access-key-id", "AKIA", stdin=SECRET + account).returncode == 0
    free = Fernet(OLD.encode()).encrypt((SECRET + DEV).encode()).decode()
    rows(database_url, f"UPDATE aws_accounts SET secret_access_key_encrypted = '{free}' WHERE account_id = '{DEV}'")
    in_file = SecretBox(OLD).encrypt(SecretStr(SECRET), 3 * "3333")
    auth = f"{{type: keys, access_key_id: AKIA, secret_access_key_encrypted: {in_file}}}"
    config = write(tmp_path, f'accounts: [{{id: "{3 * "3333"}", alias: old, auth: {auth}}}]\n', "crosstrail.yaml")
    monkeypatch.setenv("ENCRYPTION_KEY", f"{NEW},{OLD}")
    for _ in range(2):
        done = accounts("rotate", "--config", config)
        assert done.returncode == 0, done.stderr
        counted, _, replaced = done.stdout.splitlines()
        assert counted.startswith("2 secrets encrypted again")
        assert replaced.startswith(f"old ({3 * '3333'}): secret_access_key_encrypted: ")
        token = replaced.rpartition(" ")[2]
        assert SecretBox(NEW).decrypt(token, 3 * "3333").get_secret_value() == SECRET
    held = stored(database_url)
    assert [opened(held[account], NEW) for account in (PROD, DEV)] == [SECRET + PROD, SECRET + DEV]
    write(tmp_path, config.read_text().replace(in_file, token), "crosstrail.yaml")
    assert len(accounts("rotate", "--config", config).stdout.splitlines()) == 1


def test_one_unreadable_secret_and_none_is_rotated(
    accounts: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert accounts("add", PROD, "--access-key-id", "AKIA", stdin=SECRET).returncode == 0
    assert accounts("add", DEV, "--access-key-id", "AKIA", stdin=SECRET).returncode == 0
    rows(database_url, f"UPDATE aws_accounts SET secret_access_key_encrypted = 'gone' WHERE account_id = '{DEV}'")
    before = rows(database_url, "SELECT * FROM aws_accounts ORDER BY id")
    monkeypatch.setenv("ENCRYPTION_KEY", f"{NEW},{OLD}")
    done = accounts("rotate")
    assert done.returncode == 1
    assert f"the stored secret of account {DEV} cannot be decrypted" in done.stderr
    assert rows(database_url, "SELECT * FROM aws_accounts ORDER BY id") == before


def test_listing_shows_what_was_left_out_beside_what_is_there(accounts: Any, database_url: str) -> None:
    assert accounts("add", PROD, "--alias", "prod", "--role-arn", ROLE).returncode == 0
    rows(database_url, "INSERT INTO aws_accounts (account_id, auth_type) VALUES ('12', 'aksk')")
    done = accounts("list", "--json")
    assert done.returncode == 3, done.stderr
    assert [one["account"] for one in json.loads(done.stdout)] == [PROD]
    assert "warning: aws_accounts row 2: account_id is not an AWS account id of 12 digits; left out" in done.stderr


@one_kind
def test_listing_without_the_database_names_it_and_lists_nothing(accounts: Any, tmp_path: Path) -> None:
    done = accounts("list")
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"there is no account database ({tmp_path}/accounts.db). Check DATABASE_URL." in done.stderr
