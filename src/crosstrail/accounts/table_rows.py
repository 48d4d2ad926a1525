"""One row of the account tables, wherever it comes from: a database or a file to import.

Decides when a row is an account and says what is wrong with one that is not. Complaints name columns, never values: a
secret may have been put into the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from crosstrail.account_auth import KeysAuth
from crosstrail.account_forms import AccountForm, account_form
from crosstrail.accounts.listing import as_alias
from crosstrail.errors import ConfigError
from crosstrail.models import DEFAULT_CLOUD, Account
from crosstrail.validation_errors import validation_message

KEYS, ROLE = "aksk", "iam_role"
_COLUMNS = ("account_id", "alias", "auth_type", "access_key_id", "secret_access_key_encrypted", "region")
ORGANIZATION = "org_id"
_KEY_COLUMNS = ("access_key_id", "secret_access_key_encrypted")
_COLUMN_OF = {"id": "account_id"}


def account_of(row: Mapping[str, object], place: str, external_id: str = "", *, cloud: str = DEFAULT_CLOUD) -> Account:
    """The account in a row of its cloud's columns; a missing column is an empty one. Raises ConfigError naming `place`.

    `external_id` is what the row's organization asks of a role. An alias that is no name of ours becomes the nearest one.
    """
    form = account_form(cloud)
    texts = {column: text_of(row.get(column)) for column in columns_of(cloud)}
    account_id = _account_id(row.get("account_id"), place, form)
    kind = texts["auth_type"].lower()
    known = {KEYS: _KEY_COLUMNS} | ({ROLE: (form.role_column,)} if form.role_column else {})
    needed = known.get(kind)
    if needed is None:
        wrong = "is missing: write" if not kind else "is neither" if len(known) > 1 else "is not"
        raise ConfigError(f"{place}: auth_type {wrong} {(' nor ' if kind else ' or ').join(known)}")
    if missing := [column for column in needed if not texts[column]]:
        raise ConfigError(f"{place}: {' and '.join(missing)} missing")
    auth = {"type": "keys" if kind == KEYS else "role"} | {column: texts[column] for column in needed}
    if kind == ROLE and form.external_ids:
        auth["external_id"] = external_id
    listed = {
        "id": account_id,
        "alias": as_alias(texts["alias"]),
        "cloud": cloud,
        "region": texts["region"],
        "auth": auth,
    }
    try:
        return Account.model_validate(listed)
    except ValidationError as error:
        raise ConfigError(f"{place}: {validation_message(error, _COLUMN_OF)}") from None


def columns_of(cloud: str) -> tuple[str, ...]:
    """The columns of the table of that cloud's accounts, but for its number of rows."""
    form = account_form(cloud)
    role = (form.role_column,) if form.role_column else ()
    return (*_COLUMNS, *role, *((ORGANIZATION,) if form.external_ids else ()))


def _account_id(value: object, place: str, form: AccountForm) -> str:
    text = form.stored_id(text_of(value) if isinstance(value, bytes) else value)
    if form.fixed_length and not (len(text) == form.id_length and form.is_id(text)):
        raise ConfigError(f"{place}: account_id is not an {form.title} account id of {form.id_length} digits")
    if not form.is_id(text):
        raise ConfigError(f"{place}: account_id {form.id_form}")
    return text


def row_of(account: Account) -> dict[str, str | None]:
    """The columns that store an account which has a role or encrypted keys; org_id is for the database to find."""
    row: dict[str, str | None] = dict.fromkeys(columns_of(account.cloud))
    row |= {"account_id": account.id, "alias": account.alias or None, "region": account.region or None}
    if isinstance(account.auth, KeysAuth) and account.auth.secret_access_key_encrypted:
        token = account.auth.secret_access_key_encrypted.get_secret_value()
        return row | {
            "auth_type": KEYS,
            "access_key_id": account.auth.access_key_id,
            "secret_access_key_encrypted": token,
        }
    column = account_form(account.cloud).role_column
    role = getattr(account.auth, column, "")
    if not role:
        raise ConfigError(f"account {account.name} has neither a role nor encrypted keys to store")
    return row | {"auth_type": ROLE, column: role}


def text_of(value: object) -> str:
    """A column's value as text: empty for NULL."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")  # a token kept in a binary column
    return "" if value is None else str(value).strip()
