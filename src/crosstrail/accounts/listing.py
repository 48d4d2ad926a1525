"""What one source says about accounts, and the rules every source keeps.

Decides what becomes of entries that contradict each other inside one source; it never chooses between two claims to the
same account, because the wrong choice would answer with the wrong credentials.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from crosstrail.accounts.policy import AccessRule
from crosstrail.models import Account

_NOT_IN_AN_ALIAS = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_ALIAS = 63


@dataclass(frozen=True, slots=True)
class Listing:
    """The accounts of one source, and a warning for every entry it left out."""

    source: str
    accounts: tuple[Account, ...]
    warnings: tuple[str, ...] = ()
    rules: tuple[AccessRule, ...] = ()
    """Access rules that the source holds beside its accounts."""


class AccountSource(Protocol):
    """A place outside the process that lists accounts."""

    @property
    def name(self) -> str:
        """What messages call it, such as `the database db.example:5432/accounts`; without its password."""

    @property
    def lifetime(self) -> float:
        """Seconds a listing stays true at least; 0 where it may change at any time."""

    def read(self) -> Listing:
        """Ask the source; blocking. Raises CrosstrailError."""


def as_alias(name: str) -> str:
    """The nearest alias to a free name (`Prod EU` -> `Prod-EU`); empty when no letter to start with is in it."""
    alias = _NOT_IN_AN_ALIAS.sub("-", name.strip()).strip("-")
    return re.sub(r"^[^A-Za-z]+", "", alias)[:_LONGEST_ALIAS]


def sift(source: str, entries: Iterable[tuple[str, Account]], warnings: Sequence[str] = ()) -> Listing:
    """A listing of (place, account) pairs in which each id and each alias is claimed once.

    All entries that claim the same id are left out; an alias claimed by several accounts is taken from all of them, which
    keep their ids. Both are warned of by place.
    """
    found = list(entries)
    said = list(warnings)
    ids = Counter(account.key for _, account in found)
    for key in (key for key, count in ids.items() if count > 1):
        places = " and ".join(place for place, account in found if account.key == key)
        said.append(f"{places} are the same account {key[1]}: all left out, keep one")
    kept = [(place, account) for place, account in found if ids[account.key] == 1]
    aliases = Counter(account.alias.lower() for _, account in kept if account.alias)
    for alias in (alias for alias, count in aliases.items() if count > 1):
        places = " and ".join(place for place, account in kept if account.alias.lower() == alias)
        said.append(f"{places} have the same alias {alias}: it names none of them, use their ids")
    accounts = [
        account.model_copy(update={"alias": ""}) if aliases[account.alias.lower()] > 1 else account
        for _, account in kept
    ]
    return Listing(source, tuple(accounts), tuple(said))
