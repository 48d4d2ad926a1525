"""Writing accounts into the account database: adding, importing, and encrypting again.

Decides what may be stored: a secret goes in only encrypted and bound to its account, an id or alias only once, and of many
accounts all or none. Imports SQLAlchemy through database.py. No message holds a secret or a token.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

import orjson
from pydantic import SecretStr
from sqlalchemy import ColumnElement, Connection, String, Table, cast, delete, insert, select, update

from crosstrail.account_forms import account_form, account_forms, cloud_of_role
from crosstrail.accounts.database import (
    ORGANIZATIONS,
    AccountDatabase,
    account_tables,
    external_id_of,
    external_ids_of,
    tables_of,
)
from crosstrail.accounts.listing import Listing
from crosstrail.accounts.registry import Registry
from crosstrail.accounts.secrets import SecretBox
from crosstrail.accounts.table_rows import KEYS, ORGANIZATION, account_of, columns_of, row_of, text_of
from crosstrail.errors import AccountError, ConfigError, CredentialsError
from crosstrail.models import DEFAULT_CLOUD, Account, AccountKey

PLAIN_SECRET, EXTERNAL_ID, CLOUD = "secret_access_key", "external_id", "cloud"
_PROBLEMS_SHOWN = 20


def add(database: AccountDatabase, account: Account, *, replace: bool = False) -> None:
    """Store one account. Raises AccountError when it is there already, unless it is to be replaced."""
    with database.transaction("write") as connection:
        _store(connection, [account], replace=replace)


def remove(database: AccountDatabase, accounts: Sequence[Account]) -> int:
    """Take the rows of these accounts out, all or none, with the secrets in them: how many there were."""
    keys = {account.key for account in accounts}
    gone = 0
    with database.transaction("write") as connection:
        for cloud, table in tables_of(connection).items():
            form = account_form(cloud)
            rows = connection.execute(select(table.c.id, table.c.account_id)).all()
            found = [row.id for row in rows if (cloud, form.stored_id(row.account_id)) in keys]
            for number in found:
                connection.execute(delete(table).where(table.c.id == number))
            gone += len(found)
    return gone


def import_accounts(
    database: AccountDatabase,
    text: str,
    open_box: Callable[[], SecretBox],
    others: Sequence[Account] = (),
    *,
    dry_run: bool = False,
) -> tuple[tuple[Account, ...], tuple[str, ...]]:
    """Store every account of a file, or none: (the accounts, the names of columns that were ignored).

    The file is CSV with a header, or JSON lines. Its columns are those of a cloud's table, and
    `cloud` says which where no role does; a secret may be in plain text as `secret_access_key`, and a role's `external_id`
    may stand in place of an org_id. The box is opened where a row has keys: tokens must open with its keys, and all are
    stored under its first one, bound to their accounts. `others` are accounts of other sources.
    Raises ConfigError that lists every bad line, AccountError for an account that is there already.
    """
    rows = list(_rows(text))
    box = open_box() if any(_has_keys(row) for _, row in rows) else None
    with database.transaction("dry_run" if dry_run else "write") as connection:
        external_ids = external_ids_of(connection)
        accounts: list[Account] = []
        problems: list[str] = []
        for line, row in rows:
            try:
                accounts.append(_imported(row, f"line {line}", box, external_ids))
            except (ConfigError, CredentialsError) as error:
                said = str(error)
                problems.append(said if said.startswith(f"line {line}:") else f"line {line}: {said}")
        if problems:
            left = len(problems) - _PROBLEMS_SHOWN
            more = [f"and {left} more"] if left > 0 else []
            raise ConfigError(
                "; ".join(["nothing is imported", *problems[:_PROBLEMS_SHOWN], *more]), hint="Correct these lines."
            )
        Registry.merged([Listing("crosstrail.yaml", tuple(others)), Listing("the file", tuple(accounts))])
        _store(connection, accounts)
    known = {name for cloud in account_tables() for name in columns_of(cloud)}
    known |= {PLAIN_SECRET, EXTERNAL_ID, CLOUD, "id"}
    ignored = dict.fromkeys(name for _, row in rows for name in row if name not in known)
    return tuple(accounts), tuple(ignored)


def rotate(database: AccountDatabase, box: SecretBox) -> int:
    """Encrypt every stored secret again with the first key, bound to its account; the number of secrets.

    One transaction: when any secret cannot be opened, none is changed, and SecretUnreadable names its account.
    """
    count = 0
    with database.transaction("write") as connection:
        for cloud, table in tables_of(connection).items():
            held = table.c.secret_access_key_encrypted
            rows = connection.execute(select(table.c.id, table.c.account_id, held).with_for_update()).all()
            for row_id, account_id, token in rows:
                if not text_of(token):
                    continue
                renewed = box.rotate(text_of(token), _id_text(account_id, cloud))
                connection.execute(update(table).where(_row_is(table, row_id)).values({held: renewed}))
                count += 1
    return count


def _rows(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """(line number, columns) of CSV or JSON lines. Raises ConfigError for what is neither."""
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("{"):
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                row = None
            if not isinstance(row, dict):
                raise ConfigError(f"line {number} is not a JSON object", hint="Write one object a line.")
            yield number, row
        return
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    if "account_id" not in (reader.fieldnames or ()):
        raise ConfigError(
            "the file is neither JSON lines nor CSV with a column account_id",
            hint=f"Columns: {', '.join(columns_of(DEFAULT_CLOUD))}.",
        )
    for row in reader:
        if None in row:
            raise ConfigError(f"line {reader.line_num} has more fields than the header", hint="Quote commas in fields.")
        yield reader.line_num, row


def _has_keys(row: Mapping[str, object]) -> bool:
    return text_of(row.get("auth_type")).lower() == KEYS


def _imported(row: Mapping[str, object], place: str, box: SecretBox | None, external_ids: Mapping[str, str]) -> Account:
    """The account of a line, its secret under the first key. Raises ConfigError, SecretUnreadable."""
    plain = text_of(row.get(PLAIN_SECRET))
    token = text_of(row.get("secret_access_key_encrypted"))
    if plain and token:
        raise ConfigError(f"{place}: give secret_access_key or secret_access_key_encrypted, not both")
    external_id = text_of(row.get(EXTERNAL_ID)) or external_id_of(row, place, external_ids)
    row = {**row, "secret_access_key_encrypted": plain or token}
    cloud = _cloud_of(row, place)
    account = account_of(row, place, external_id, cloud=cloud)
    if box is None or not _has_keys(row):
        return account
    stored = box.encrypt(SecretStr(plain), account.id) if plain else box.rotate(token, account.id)
    return account_of({**row, "secret_access_key_encrypted": stored}, place, cloud=cloud)


def _cloud_of(row: Mapping[str, object], place: str) -> str:
    """The cloud that the row says, else the one whose role it names, else the default. Raises ConfigError."""
    tables = account_tables()
    cloud = text_of(row.get(CLOUD)).lower()
    if not cloud:
        roles = {form.role_column: text_of(row.get(form.role_column)) for form in account_forms().values()}
        given = [(column, role) for column, role in roles.items() if role]
        cloud = cloud_of_role(*given[0], DEFAULT_CLOUD) if given else DEFAULT_CLOUD
    if cloud not in tables:
        raise ConfigError(f"{place}: {CLOUD} is none of {', '.join(tables)}")
    return cloud


def _store(connection: Connection, accounts: Sequence[Account], *, replace: bool = False) -> None:
    for cloud in {account.cloud for account in accounts}:
        account_tables()[cloud].create(connection, checkfirst=True)
    row_ids: dict[AccountKey, object] = {}
    owners: dict[str, AccountKey] = {}
    for cloud, table in tables_of(connection).items():
        for row_id, account_id, alias in connection.execute(select(table.c.id, table.c.account_id, table.c.alias)):
            key = (cloud, _id_text(account_id, cloud))
            row_ids[key] = row_id
            if text_of(alias):
                owners[text_of(alias).lower()] = key
    for account in accounts:
        owner = owners.get(account.alias.lower(), account.key)
        if owner != account.key:
            raise AccountError(
                f"the alias {account.alias} is that of account {owner[1]} in the database", hint="Choose another alias."
            )
        table = account_tables()[account.cloud]
        values: dict[str, object] = dict(row_of(account))
        if ORGANIZATION in table.c:
            values[ORGANIZATION] = _organization(connection, account)
        if account.key not in row_ids:
            connection.execute(insert(table).values(values))
        elif replace:
            connection.execute(update(table).where(_row_is(table, row_ids[account.key])).values(values))
        else:
            raise AccountError(
                f"account {account.id} is in the database already",
                hint="To store new keys or another role for it: crosstrail accounts add --replace.",
            )


def _organization(connection: Connection, account: Account) -> object:
    """The id of the organization that asks for the account's external id, made where there is none; None without one."""
    external_id = getattr(account.auth, "external_id", "")
    if not external_id:
        return None
    wanted = ORGANIZATIONS.c.external_id == external_id
    found = connection.execute(select(ORGANIZATIONS.c.id).where(wanted)).scalars().first()
    if found is not None:
        return found
    made = connection.execute(insert(ORGANIZATIONS).values(external_id=external_id).returning(ORGANIZATIONS.c.id))
    return made.scalar_one()


def _row_is(table: Table, row_id: object) -> ColumnElement[bool]:
    """The condition that names one row, whatever type its id has in an existing table."""
    return cast(table.c.id, String) == str(row_id)


def _id_text(account_id: object, cloud: str) -> str:
    """An id whatever its column is; a numeric one has dropped the leading zeros of ids of a fixed length."""
    form, text = account_form(cloud), text_of(account_id)
    return text.zfill(form.id_length) if form.fixed_length else text
