"""One row of the account tables, wherever it comes from: a database or a file to import.

Decides when a row is an account and says what is wrong with one that is not. Complaints name columns, never values: a
secret may have been put into the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from crosstrail.accounts.listing import as_alias
from crosstrail.errors import ConfigError
from crosstrail.models import Account, KeysAuth

KEYS, ROLE = "aksk", "iam_role"
COLUMNS = (
    "account_id",
    "alias",
    "auth_type",
    "access_key_id",
    "secret_access_key_encrypted",
    "role_arn",
    "region",
    "org_id",
)
_NEEDED = {KEYS: ("access_key_id", "secret_access_key_encrypted"), ROLE: ("role_arn",)}
_COLUMN_OF = {"id": "account_id"}


def account_of(row: Mapping[str, Any], place: str, external_id: str = "") -> Account:
    """The account in a row of COLUMNS; a missing column is an empty one. Raises ConfigError, which names `place`.

    `external_id` is what the row's organization asks of a role. An alias that is no name of ours becomes the nearest one.
    """
    texts = {column: text_of(row.get(column)) for column in COLUMNS}
    account_id = texts["account_id"]
    if isinstance(row.get("account_id"), int):
        account_id = account_id.zfill(12)  # a numeric column has dropped the leading zeros
    if not (len(account_id) == 12 and account_id.isascii() and account_id.isdigit()):
        raise ConfigError(f"{place}: account_id is not an AWS account id of 12 digits")
    kind = texts["auth_type"].lower()
    if kind not in _NEEDED:
        raise ConfigError(f"{place}: auth_type is neither {KEYS} nor {ROLE}")
    if missing := [column for column in _NEEDED[kind] if not texts[column]]:
        raise ConfigError(f"{place}: {' and '.join(missing)} missing")
    auth = {column: texts[column] for column in _NEEDED[kind]}
    auth |= {"type": "keys"} if kind == KEYS else {"type": "role", "external_id": external_id}
    try:
        return Account.model_validate(
            {"id": account_id, "alias": as_alias(texts["alias"]), "region": texts["region"], "auth": auth}
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        column = _COLUMN_OF.get(str(first["loc"][-1]), str(first["loc"][-1])) if first["loc"] else ""
        raise ConfigError(f"{place}: {column + ': ' if column else ''}{first['msg']}") from None


def row_of(account: Account) -> dict[str, str | None]:
    """The columns that store an account which has a role or encrypted keys; org_id is for the database to find."""
    row: dict[str, str | None] = dict.fromkeys(COLUMNS)
    row |= {"account_id": account.id, "alias": account.alias or None, "region": account.region or None}
    if isinstance(account.auth, KeysAuth) and account.auth.secret_access_key_encrypted:
        token = account.auth.secret_access_key_encrypted.get_secret_value()
        return row | {
            "auth_type": KEYS,
            "access_key_id": account.auth.access_key_id,
            "secret_access_key_encrypted": token,
        }
    role_arn = getattr(account.auth, "role_arn", "")
    if not role_arn:
        raise ConfigError(f"account {account.name} has neither a role nor encrypted keys to store")
    return row | {"auth_type": ROLE, "role_arn": role_arn}


def text_of(value: Any) -> str:
    """A column's value as text: empty for NULL."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")  # a token kept in a binary column
    return "" if value is None else str(value).strip()
