"""How the installed clouds read their records, and what every reader of them asks: the time, the account of no record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from crosstrail.account_forms import AccountForm
from crosstrail.clouds.base import clouds
from crosstrail.clouds.shape import RecordForm, account_of, time_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def record_forms() -> tuple[tuple[str, RecordForm, AccountForm], ...]:
    """Of each cloud: this project's first, as they ask for what only their cloud writes."""
    return tuple((cloud.name, cloud.records, cloud.accounts) for cloud in clouds() if cloud.records)


@lru_cache(maxsize=1_000)
def is_account(text: str) -> bool:
    """Whether any cloud whose records are read has such accounts."""
    return any(accounts.is_id(text) for _, _, accounts in record_forms())


@lru_cache(maxsize=100_000)
def micros_of(value: object) -> int:
    """A record's time in microseconds since 1970, UTC. Raises ValueError."""
    return (time_of(value) - _EPOCH) // timedelta(microseconds=1)


def unstated_owner(form: RecordForm, accounts: AccountForm, hint: str, name: str, account: str) -> str:
    """Whose a record is that does not say so: its envelope's account, else the one its file's name has, else `account`.
    Empty when none of them is one."""
    fallback = hint if accounts.is_id(hint) else form.account_in(name) or account
    return account_of({}, accounts, fallback)
