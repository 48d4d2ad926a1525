"""Accounts of a SQL database: the same over SQLite and PostgreSQL, with tables as another program left them."""

from __future__ import annotations

import re
import sys
import traceback

import pytest
import sqlalchemy
from cryptography.fernet import Fernet
from pydantic import SecretStr

from crosstrail.account_auth import KeysAuth
from crosstrail.accounts.account_import import add, rotate
from crosstrail.accounts.database import AccountDatabase
from crosstrail.accounts.database_url import parse_url, url_in_secret
from crosstrail.accounts.secrets import SecretBox
from crosstrail.clouds.aws.accounts import RoleAuth
from crosstrail.errors import AccountsUnavailable, ConfigError, CrosstrailError
from crosstrail.models import Account
from postgres_server import PASSWORD, USER, PostgresServer

TABLES = """
CREATE TABLE organizations (id INTEGER PRIMARY KEY, name TEXT, external_id VARCHAR(255));
CREATE TABLE aws_accounts (
  id INTEGER PRIMARY KEY, account_id VARCHAR(20), alias VARCHAR(100), auth_type VARCHAR(20), access_key_id VARCHAR(50),
  secret_access_key_encrypted TEXT, role_arn VARCHAR(255), region VARCHAR(30), org_id INTEGER, notes TEXT);
INSERT INTO organizations VALUES (7, 'ours', 'ext/7=@'), (8, 'no external id', NULL)
"""
ROLE = "arn:aws:iam::{}:role/Audit"


def execute(url: str, statements: str) -> None:
    engine = sqlalchemy.create_engine(parse_url(url), poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        for statement in statements.split(";"):
            connection.exec_driver_sql(statement.replace("%", "%%") if "psycopg" in engine.driver else statement)
    engine.dispose()


def insert(url: str, *rows: str) -> None:
    """Rows as SQL: id, account_id, alias, auth_type, access_key_id, secret, role_arn, region, org_id."""
    columns = "id, account_id, alias, auth_type, access_key_id, secret_access_key_encrypted, role_arn, region, org_id"
    execute(url, ";".join(f"INSERT INTO aws_accounts ({columns}) VALUES ({row})" for row in rows))


@pytest.fixture
def tables(database_url: str) -> str:
    execute(database_url, TABLES)
    return database_url


def test_rows_become_accounts(tables: str) -> None:
    insert(
        tables,
        "1, '011111111111', 'prod', 'iam_role', NULL, NULL, 'arn:aws:iam::011111111111:role/a/Audit', 'eu-west-1', 7",
        "2, '222222222222', 'legacy', 'aksk', 'AKIAEXAMPLE', 'gAAAAtoken', NULL, NULL, 7",
        "3, '333333333333', '', 'iam_role', '', '', 'arn:aws-cn:iam::333333333333:role/Audit', 'cn-north-1', 8",
        "4, '444444444444', 'Data Lake (EU)', 'IAM_ROLE', NULL, NULL, 'arn:aws:iam::444444444444:role/Audit', '', NULL",
    )
    listing = AccountDatabase.at(tables).read()
    assert listing.warnings == ()
    prod, legacy, cn, lake = listing.accounts
    assert (prod.id, prod.alias, prod.region) == ("011111111111", "prod", "eu-west-1")
    assert prod.auth == RoleAuth(role_arn="arn:aws:iam::011111111111:role/a/Audit", external_id="ext/7=@")
    assert isinstance(legacy.auth, KeysAuth)
    assert legacy.auth.access_key_id == "AKIAEXAMPLE"
    assert legacy.auth.secret_access_key_encrypted is not None
    assert legacy.auth.secret_access_key_encrypted.get_secret_value() == "gAAAAtoken"
    assert (cn.alias, cn.region) == ("", "cn-north-1")
    assert cn.auth == RoleAuth(role_arn="arn:aws-cn:iam::333333333333:role/Audit")
    assert lake.alias == "Data-Lake-EU"


BAD_ROWS = {
    "'111111111111', 'a', 'oauth', 'AKIA', 'plain-text', NULL, NULL, NULL": "auth_type is neither aksk nor iam_role",
    "'111111111111', 'a', NULL, 'AKIA', 'plain-text', NULL, NULL, NULL": "auth_type is missing: write aksk or iam_role",
    "'111111111111', 'a', 'aksk', NULL, 'plain-text', NULL, NULL, NULL": "access_key_id missing",
    "'111111111111', 'a', 'aksk', '', '', NULL, NULL, 7": "access_key_id and secret_access_key_encrypted missing",
    "'111111111111', 'a', 'aksk', 'plain-text', 'x', NULL, NULL, NULL": "access_key_id: must be letters and digits",
    "'111111111111', 'a', 'iam_role', NULL, NULL, '', NULL, NULL": "role_arn missing",
    "'111111111111', 'a', 'iam_role', NULL, NULL, 'plain-text', NULL, NULL": "role_arn: must be such as arn:",
    "'1111', 'a', 'aksk', 'AKIA', 'x', NULL, NULL, NULL": "account_id is not an AWS account id",
    "NULL, 'a', 'aksk', 'AKIA', 'x', NULL, NULL, NULL": "account_id is not an AWS account id",
    "'plain-text', 'a', 'aksk', 'AKIA', 'x', NULL, NULL, NULL": "account_id is not an AWS account id",
    "'11111111111１', 'a', 'aksk', 'AKIA', 'x', NULL, NULL, NULL": "account_id is not an AWS account id",
    f"'111111111111', 'a', 'iam_role', NULL, NULL, '{ROLE.format(9 * 10**11)}', NULL, NULL": "role of another account",
    f"'111111111111', 'a', 'iam_role', '', '', '{ROLE.format(12 * '1')}', '', 99": "org_id names no row of organizations",
}


def test_bad_rows_are_named_and_left_out(tables: str) -> None:
    good = f"99, '999999999999', 'good', 'iam_role', NULL, NULL, '{ROLE.format('999999999999')}', NULL, 7"
    insert(tables, *(f"{number}, {row}" for number, row in enumerate(BAD_ROWS)), good)
    listing = AccountDatabase.at(tables).read()
    assert [account.alias for account in listing.accounts] == ["good"]
    for number, (warning, said) in enumerate(zip(listing.warnings, BAD_ROWS.values(), strict=True)):
        assert warning.startswith(f"aws_accounts row {number}: ")
        assert said in warning
        assert warning.endswith("; left out")
        assert "plain-text" not in warning


def test_rows_that_claim_the_same_account_are_all_left_out(tables: str) -> None:
    rows = [(1, "111111111111", "a"), (2, "222222222222", "b"), (3, "111111111111", "c"), (4, "444444444444", "B")]
    insert(
        tables,
        *(f"{n}, '{i}', '{alias}', 'iam_role', NULL, NULL, '{ROLE.format(i)}', NULL, NULL" for n, i, alias in rows),
    )
    listing = AccountDatabase.at(tables).read()
    assert [(account.id, account.alias) for account in listing.accounts] == [("222222222222", ""), ("444444444444", "")]
    same_id, same_alias = listing.warnings
    assert "row 1 and aws_accounts row 3 are the same account 111111111111" in same_id
    assert "row 2 and aws_accounts row 4 have the same alias b" in same_alias


def test_an_alias_that_cannot_be_one_leaves_the_account_its_id(tables: str) -> None:
    insert(tables, f"1, '111111111111', '生产', 'iam_role', NULL, NULL, '{ROLE.format('111111111111')}', NULL, NULL")
    listing = AccountDatabase.at(tables).read()
    assert [account.name for account in listing.accounts] == ["111111111111"]
    assert "aws_accounts row 1: alias" in listing.warnings[0]


def test_numeric_ids_keep_their_leading_zeros(database_url: str) -> None:
    execute(database_url, TABLES.replace("account_id VARCHAR(20)", "account_id BIGINT"))
    insert(database_url, f"1, 11111111111, 'a', 'iam_role', NULL, NULL, '{ROLE.format('011111111111')}', NULL, 7")
    assert [account.id for account in AccountDatabase.at(database_url).read().accounts] == ["011111111111"]


@pytest.mark.parametrize("column", ["BIGINT", "BYTEA"])
def test_secrets_are_encrypted_again_whatever_the_column_of_ids(database_url: str, column: str) -> None:
    """Their tokens are bound to the account's id: to the id, not to how a column has it."""
    execute(database_url, TABLES.replace("account_id VARCHAR(20)", f"account_id {column}"))
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    token = SecretBox(old).encrypt(SecretStr("hush"), "011111111111")
    binary = "CAST('011111111111' AS BLOB)" if database_url.startswith("sqlite") else "'011111111111'"
    number = "11111111111" if column == "BIGINT" else binary
    insert(database_url, f"1, {number}, 'a', 'aksk', 'AKIA', '{token}', NULL, NULL, NULL")
    database = AccountDatabase.at(database_url)
    assert rotate(database, SecretBox(f"{new},{old}")) == 1
    (account,) = database.read().accounts
    assert isinstance(account.auth, KeysAuth)
    assert account.auth.secret_access_key_encrypted
    stored = account.auth.secret_access_key_encrypted.get_secret_value()
    assert SecretBox(new).decrypt(stored, "011111111111") == SecretStr("hush")


def test_tokens_in_a_binary_column_are_read(database_url: str) -> None:
    execute(database_url, TABLES.replace("encrypted TEXT", "encrypted BYTEA"))
    insert(database_url, "1, '111111111111', 'a', 'aksk', 'AKIA', 'gAAAAtoken', NULL, NULL, NULL")
    execute(database_url, "UPDATE aws_accounts SET secret_access_key_encrypted = CAST('gAAAAtoken' AS BYTEA)")
    if database_url.startswith("sqlite"):
        execute(database_url, "UPDATE aws_accounts SET secret_access_key_encrypted = CAST('gAAAAtoken' AS BLOB)")
    (account,) = AccountDatabase.at(database_url).read().accounts
    assert isinstance(account.auth, KeysAuth)
    assert account.auth.secret_access_key_encrypted is not None
    assert account.auth.secret_access_key_encrypted.get_secret_value() == "gAAAAtoken"


def test_a_table_that_wants_more_than_is_known_is_told_so(tables: str) -> None:
    execute(tables, "ALTER TABLE aws_accounts ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
    execute(tables, "CREATE UNIQUE INDEX one_owner ON aws_accounts (owner)")
    insert(tables, f"1, '111111111111', 'a', 'iam_role', NULL, NULL, '{ROLE.format('111111111111')}', NULL, NULL")
    auth = RoleAuth(role_arn=ROLE.format("222222222222"))
    with pytest.raises(ConfigError, match="refuses the change") as refusal:
        add(AccountDatabase.at(tables), Account(id="222222222222", auth=auth))
    assert "INSERT" not in "".join(traceback.format_exception(refusal.value))


def test_a_database_of_something_else_is_told_apart(database_url: str, tables: str) -> None:
    for change, said in (
        ("ALTER TABLE aws_accounts DROP COLUMN region", "lacks a column"),
        ("DROP TABLE organizations", "no tables aws_accounts and organizations"),
        ("DROP TABLE aws_accounts", "no tables aws_accounts and organizations"),
    ):
        execute(database_url, change)
        with pytest.raises(ConfigError, match=said) as refusal:
            AccountDatabase.at(database_url).read()
        assert "DATABASE_URL" in refusal.value.hint
        assert "SELECT" not in "".join(traceback.format_exception(refusal.value))


def test_a_sqlite_file_must_exist_and_is_not_made_by_reading(tmp_path: str) -> None:
    database = AccountDatabase.at(f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(ConfigError, match="there is no account database") as refused:
        database.read()
    assert refused.value.where == f"{tmp_path}/none.db"
    with pytest.raises(ConfigError, match="there is no account database"):
        database.read()


def test_without_the_driver_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # how Python says that a module is not there
    with pytest.raises(ConfigError, match="needs the driver psycopg") as refusal:
        AccountDatabase.at("postgresql://me@127.0.0.1:1/accounts").read()
    assert "[postgres]'" in refusal.value.hint


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_postgresql_is_known_by_all_its_names(postgres: PostgresServer, scheme: str) -> None:
    url = postgres.empty_url(scheme)
    execute(url, TABLES)
    assert AccountDatabase.at(url).read().accounts == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url, port: url.replace(f":{port}", ":1"), r"refuses connections \(127.0.0.1:1/postgres\)"),
        (
            lambda url, port: url.replace("postgres?", "nowhere?"),
            r"has no such database or user \(127.0.0.1:.*/nowhere\)",
        ),
        (lambda url, port: url.replace("127.0.0.1", "db.invalid"), r"has a host name that is unknown \(db.invalid:"),
        (lambda url, port: url.replace("rd%25", "xx"), "refuses the user name or the password"),
    ],
)
def test_a_database_that_is_away_says_where_it_should_be(postgres: PostgresServer, change, said: str) -> None:  # type: ignore[no-untyped-def]
    url = change(postgres.url("postgres?application_name=crosstrail"), postgres.port)
    with pytest.raises(AccountsUnavailable) as away:
        AccountDatabase.at(url).read()
    assert re.search(said, away.value.operators_text)
    assert "127.0.0.1" not in away.value.text, "it is the operator's to know"
    assert "DATABASE_URL" in away.value.hint
    shown = "".join(traceback.format_exception(away.value))
    assert PASSWORD not in shown
    assert "w%3Ard" not in shown


def test_a_user_without_rights_is_told_so(postgres: PostgresServer) -> None:
    url = postgres.empty_url()
    execute(
        url,
        f"{TABLES}; CREATE ROLE reader LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA {url.rpartition('%3D')[2]} TO reader",
    )
    other = parse_url(url).set(username="reader", password="x").render_as_string(hide_password=False)
    with pytest.raises(ConfigError, match="does not permit this to its user"):
        AccountDatabase.at(other).read()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:s3cr@t@host/db", "more than one @"),
        ("postgresql://me:s3cret@host:port/db", "cannot be read"),
        ("s3cret", "cannot be read"),
        ("", "cannot be read"),
        ("mysql://me:s3cret@host/db", "neither PostgreSQL nor SQLite"),
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refusal:
        parse_url(url)
    assert "s3cr" not in "".join(traceback.format_exception(refusal.value))


def test_a_secret_gives_an_address_whatever_its_password(postgres: PostgresServer) -> None:
    fields = f'"username": "{USER}", "password": "{PASSWORD}", "host": "127.0.0.1", "port": {postgres.port}'
    for database in ('"dbname": "postgres"', '"database": "postgres", "engine": "aurora-postgresql"'):
        url = url_in_secret(f"{{{fields}, {database}}}", "ours")
        with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect() as connection:
            assert connection.exec_driver_sql("SELECT current_user").scalar() == USER


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ('{"username": "u", "password": "s3cret"}', r"ours lacks host, database \(or dbname\)"),
        ('{"username": "u", "password": "", "host": "h", "dbname": "d"}', "ours lacks password"),
        ('{"username": "u", "password": "s3cret", "host": "h", "dbname": "d", "port": "s3cret"}', "port that is no"),
        ('{"username": "u", "password": "s3cret", "host": "h", "dbname": "d", "engine": "mysql"}', "another engine"),
        ("s3cret", "not a JSON object"),
        ('["s3cret"]', "not a JSON object"),
    ],
)
def test_a_secret_that_is_no_address_is_refused_without_its_values(secret: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refusal:
        url_in_secret(secret, "ours")
    assert "s3cret" not in "".join(traceback.format_exception(refusal.value))


def test_a_failure_of_the_caller_rolls_back_and_passes_through(database_url: str) -> None:
    database = AccountDatabase.at(database_url)
    with pytest.raises(ZeroDivisionError), database.transaction("write"):
        _ = 1 / 0
    with pytest.raises(CrosstrailError):
        database.read()  # not even the tables were kept


def test_a_rehearsal_leaves_nothing(database_url: str, tmp_path: str) -> None:
    database = AccountDatabase.at(database_url)
    with database.transaction("dry_run") as connection:
        connection.exec_driver_sql("INSERT INTO organizations (external_id) VALUES ('x')")
    with pytest.raises(ConfigError):
        database.read()
