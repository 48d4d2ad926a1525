"""The account database: its tables, how it is reached, and reading the accounts in it.

Decides what a failure of the database means to the reader. Each use opens one connection and closes it, so a password that
was rotated or a server that was moved is found at the next use. Imports SQLAlchemy, so nothing imports this module before
a database is asked for. No message holds a password, SQL or a row's value.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

import tenacity
from sqlalchemy import (
    URL,
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    Text,
    create_engine,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from crosstrail.account_forms import AccountForm, account_form, account_forms
from crosstrail.accounts.database_rules import rules_of
from crosstrail.accounts.database_url import SQLITE, parse_url, place_of, url_in_secret
from crosstrail.accounts.listing import Listing, as_alias, sift
from crosstrail.accounts.table_rows import ORGANIZATION, ROLE, account_of, text_of
from crosstrail.errors import AccountsUnavailable, ConfigError
from crosstrail.models import DEFAULT_CLOUD, Account
from crosstrail.origin import install_hint

Purpose = Literal["read", "write", "dry_run"]
METADATA = MetaData()
ORGANIZATIONS = Table(
    "organizations",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("external_id", String(1224)),
)


@cache
def account_tables() -> Mapping[str, Table]:
    """Cloud -> the table of its accounts, of the installed clouds that have one.

    A database may lack some: each is made only when it gets an account.
    """
    return {cloud: _account_table(form) for cloud, form in account_forms().items() if form.table}


def _account_table(form: AccountForm) -> Table:
    more: list[Column[str]] = [Column(form.role_column, String(2048))] if form.role_column else []
    return Table(
        form.table,
        METADATA,
        Column("id", Integer, primary_key=True),
        Column("account_id", String(form.id_length), nullable=False, unique=True),
        Column("alias", String(63), unique=True),
        Column("auth_type", String(20), nullable=False),
        Column("access_key_id", String(128)),
        Column("secret_access_key_encrypted", Text),
        *more,
        Column("region", String(32)),
        *([Column(ORGANIZATION, Integer, ForeignKey(ORGANIZATIONS.c.id))] if form.external_ids else []),
    )


_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 10_000
_WRITERS_LOCK = 0x63726F7373  # any number that other users of the database do not take
_CONNECT: dict[bool, dict[str, object]] = {
    True: {"timeout": _CONNECT_SECONDS, "isolation_level": None},  # SQLite: transactions hold table creation too
    False: {"connect_timeout": _CONNECT_SECONDS},
}
_MISSING_TABLE = ("42P01", "no such table")
_MISSING_COLUMN = ("42703", "no such column", "has no column")
_AWAY = {
    "password": "refuses the user name or the password",
    "no pg_hba.conf": "refuses this user or this machine",
    "does not exist": "has no such database or user",
    "refused": "refuses connections",
    "resolve": "has a host name that is unknown",
    "host name": "has a host name that is unknown",
    "timeout": "did not answer in time",
    "is locked": "is locked by another process",
}


class AccountDatabase:
    """The tables of accounts and of organizations of one database, as they stand; columns of other programs stay unread."""

    lifetime = 0.0

    def __init__(self, address: Callable[[], URL], *, name: str, setting: str) -> None:
        """`address` is asked at every use and may raise CrosstrailError; `setting` is what a reader should check."""
        self._address = address
        self.name = name
        self._setting = setting

    @classmethod
    def at(cls, url: str) -> AccountDatabase:
        """The database of DATABASE_URL. Raises ConfigError for an address that nobody can read."""
        address = parse_url(url)
        return cls(lambda: address, name="the account database", setting="DATABASE_URL")

    @classmethod
    def of_secret(cls, name: str, read_secret: Callable[[str], str]) -> AccountDatabase:
        """The database whose address a secret holds; `read_secret` gives the text of the secret of a name."""

        def address() -> URL:
            return url_in_secret(read_secret(name), name)

        return cls(address, name=f"the database of the secret {name}", setting="RDS_SECRET_NAME")

    def read(self) -> Listing:
        """Every row that is an account, and a warning for every other one.

        Asks up to three times within some seconds. Raises AccountsUnavailable, ConfigError.
        """
        asking = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(3) | tenacity.stop_after_delay(2 * _CONNECT_SECONDS),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=1.0),
            retry=tenacity.retry_if_exception_type(AccountsUnavailable),
            reraise=True,
        )
        return asking(self._read_once)

    def _read_once(self) -> Listing:
        with self.transaction() as connection:
            tables = tables_of(connection)
            asked = any(account_form(cloud).external_ids for cloud in tables)
            external_ids = external_ids_of(connection) if asked else {}
            found = [
                (cloud, {str(column): value for column, value in row.items()})
                for cloud, table in tables.items()
                for row in connection.execute(select(table).order_by(table.c.id)).mappings()
            ]
            rules, warned = rules_of(connection)
        entries: list[tuple[str, Account]] = []
        warnings = list(warned)
        for cloud, row in found:
            place = f"{tables[cloud].name} row {text_of(row['id'])}"
            try:
                external_id = external_id_of(row, place, external_ids) if account_form(cloud).external_ids else ""
                entries.append((place, account_of(row, place, external_id, cloud=cloud)))
            except ConfigError as error:
                warnings.append(f"{error}; left out")
            else:
                if text_of(row["alias"]) and not as_alias(text_of(row["alias"])):
                    warnings.append(f"{place}: alias has no letter of a-z in it; use the account's id")
        return replace(sift(self.name, entries, warnings), rules=rules)

    @contextmanager
    def transaction(self, purpose: Purpose = "read") -> Iterator[Connection]:
        """One connection and one transaction: committed at the end, rolled back when anything is raised.

        To "write", a SQLite file and the tables are made where they are missing, and writers take turns. To
        "dry_run" is the same with everything undone at the end. Raises AccountsUnavailable, ConfigError; an exception
        of the caller's passes through as it is.
        """
        url = self._address()
        local = url.get_backend_name() == SQLITE
        if local and not Path(url.database or "").is_file():
            if purpose == "read":
                raise ConfigError("there is no account database", hint=f"Check {self._setting}.").about(
                    url.database or ""
                )
            if purpose == "dry_run":
                url = url.set(database=":memory:")
            else:
                _create(Path(url.database or ""))
        try:
            engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=_CONNECT[local])
        except ModuleNotFoundError:
            raise ConfigError(
                "reading accounts from PostgreSQL needs the driver psycopg", hint=install_hint("postgres")
            ) from None
        try:
            with engine.begin() as connection:
                _begin(connection, local, writing=purpose != "read")
                yield connection
                if purpose == "dry_run":
                    connection.rollback()
        except SQLAlchemyError as error:
            raise self._explained(error).about(place_of(url)) from None  # the original holds SQL
        finally:
            engine.dispose()

    def _explained(self, error: SQLAlchemyError) -> ConfigError | AccountsUnavailable:
        """Our error for one of SQLAlchemy's, told apart by SQLSTATE or by the driver's words, which are not repeated."""
        cause = getattr(error, "orig", None)
        words = f"{getattr(cause, 'sqlstate', None)} {cause}"
        check = f"Check {self._setting}"
        if any(sign in words for sign in _MISSING_TABLE):
            return ConfigError(
                f"the database has no tables {account_form(DEFAULT_CLOUD).table} and {ORGANIZATIONS.name}",
                hint=f"{check}, or make the tables with `crosstrail accounts add`.",
            )
        if any(sign in words for sign in _MISSING_COLUMN):
            return ConfigError("a table of the database lacks a column that accounts need", hint=f"{check}.")
        if "42501" in words or "readonly" in words:
            return ConfigError("the database does not permit this to its user", hint="Grant it the tables.")
        if isinstance(error, IntegrityError):
            return ConfigError(
                "the database refuses the change: a rule of its tables forbids it",
                hint="Another process may have added the account, or a column of another program wants a value.",
            )
        reason = next((said for sign, said in _AWAY.items() if sign in words), "does not answer")
        return AccountsUnavailable(
            f"the account database {reason}",
            hint=f"{check}, and that the server runs and lets this machine in.",
        )


def _begin(connection: Connection, local: bool, *, writing: bool) -> None:
    if local:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
    else:
        # not as a startup option: connection proxies refuse those
        connection.execute(text(f"SET LOCAL statement_timeout = {_STATEMENT_MILLISECONDS}"))
        if writing:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})"))
    if writing:
        ORGANIZATIONS.create(connection, checkfirst=True)


def _create(file: Path) -> None:
    """With secrets to be in it. A folder that is not there, or no place to write, is SQLite's to tell."""
    with suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))


def tables_of(connection: Connection) -> dict[str, Table]:
    """Cloud -> table, of the tables there are; where there is none, all, so that the failure names one."""
    inspector, tables = inspect(connection), account_tables()
    return {cloud: table for cloud, table in tables.items() if inspector.has_table(table.name)} or dict(tables)


def external_ids_of(connection: Connection) -> dict[str, str]:
    """What each organization asks of a role, by its id; empty where it asks nothing."""
    rows = connection.execute(select(ORGANIZATIONS)).mappings()
    return {text_of(row["id"]): text_of(row["external_id"]) for row in rows}


def external_id_of(row: Mapping[str, object], place: str, external_ids: Mapping[str, str]) -> str:
    """What the row's organization asks of a role; empty without an organization. Raises ConfigError for an unknown one."""
    org_id = text_of(row.get("org_id"))
    if not org_id or text_of(row.get("auth_type")).lower() != ROLE:
        return ""
    if org_id not in external_ids:
        raise ConfigError(f"{place}: org_id names no row of organizations")
    return external_ids[org_id]
