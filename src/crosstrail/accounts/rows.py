"""One row of the account tables, wherever it comes from: a database or a file to import.

Decides when a row is an account and says what is wrong with one that is not. Complaints name columns, never values: a
secret may have been put into the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from crosstrail.accounts.listing import as_alias
from crosstrail.complaints import complaint
from crosstrail.errors import ConfigError
from crosstrail.models import Account, KeysAuth

AWS, VOLCENGINE = "aws", "volcengine"
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
"""Of an AWS account."""
VOLCENGINE_COLUMNS = (*COLUMNS[:5], "role_trn", "region")
ROLE_COLUMN = {AWS: "role_arn", VOLCENGINE: "role_trn"}
_KEY_COLUMNS = ("access_key_id", "secret_access_key_encrypted")
_COLUMN_OF = {"id": "account_id"}


def account_of(row: Mapping[str, Any], place: str, external_id: str = "", *, cloud: str = AWS) -> Account:
    """The account in a row of its cloud's columns; a missing column is an empty one. Raises ConfigError naming `place`.

    `external_id` is what the row's organization asks of a role. An alias that is no name of ours becomes the nearest one.
    """
    texts = {column: text_of(row.get(column)) for column in {*COLUMNS, *VOLCENGINE_COLUMNS}}
    account_id = _account_id(row.get("account_id"), place, cloud)
    kind = texts["auth_type"].lower()
    needed = {KEYS: _KEY_COLUMNS, ROLE: (ROLE_COLUMN[cloud],)}.get(kind)
    if needed is None:
        wrong = "is neither" if kind else "is missing: write"
        raise ConfigError(f"{place}: auth_type {wrong} {KEYS} {'nor' if kind else 'or'} {ROLE}")
    if missing := [column for column in needed if not texts[column]]:
        raise ConfigError(f"{place}: {' and '.join(missing)} missing")
    auth = {"type": "keys" if kind == KEYS else "role"} | {column: texts[column] for column in needed}
    if kind == ROLE and cloud == AWS:
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
        raise ConfigError(f"{place}: {complaint(error, _COLUMN_OF)}") from None


def _account_id(value: Any, place: str, cloud: str) -> str:
    text = text_of(value)
    if cloud == AWS and isinstance(value, int):
        text = text.zfill(12)  # a numeric column has dropped the leading zeros
    digits = text.isascii() and text.isdigit()
    if cloud == AWS and not (len(text) == 12 and digits):
        raise ConfigError(f"{place}: account_id is not an AWS account id of 12 digits")
    if not digits:
        raise ConfigError(f"{place}: account_id has not digits alone")
    return text


def row_of(account: Account) -> dict[str, str | None]:
    """The columns that store an account which has a role or encrypted keys; org_id is for the database to find."""
    row: dict[str, str | None] = dict.fromkeys(COLUMNS if account.cloud == AWS else VOLCENGINE_COLUMNS)
    row |= {"account_id": account.id, "alias": account.alias or None, "region": account.region or None}
    if isinstance(account.auth, KeysAuth) and account.auth.secret_access_key_encrypted:
        token = account.auth.secret_access_key_encrypted.get_secret_value()
        return row | {
            "auth_type": KEYS,
            "access_key_id": account.auth.access_key_id,
            "secret_access_key_encrypted": token,
        }
    column = ROLE_COLUMN[account.cloud]
    role = getattr(account.auth, column, "")
    if not role:
        raise ConfigError(f"account {account.name} has neither a role nor encrypted keys to store")
    return row | {"auth_type": ROLE, column: role}


def text_of(value: Any) -> str:
    """A column's value as text: empty for NULL."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")  # a token kept in a binary column
    return "" if value is None else str(value).strip()
