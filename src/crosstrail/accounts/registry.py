"""Which accounts exist, and which of them a selector names.

A selector is an id, an alias, a glob over both (`prod-*`), a comma list of these, or `*`. It never names an account that
is not listed, and an empty selector never means "the one used before": it is the only account, or the default one of each
cloud.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from crosstrail.accounts.listing import Listing
from crosstrail.errors import AccountNotFound, ConfigError, InvalidRequest
from crosstrail.models import Account, AccountKey
from crosstrail.vocabulary import words

EVERY_ACCOUNT = "*"
_NAMES_IN_A_HINT = 10
_LONGEST_PART = 200
"""Of a selector, in characters; no account has a longer name, and a longer glob takes minutes to be made ready."""
_MAX_GLOBS = 100
"""In one selector: each is compared with every account."""


class Registry:
    """The listed accounts, in a fixed order."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        """Raises ConfigError when two accounts share an id or an alias, or two of one cloud are the default."""
        self._accounts: tuple[Account, ...] = ()
        self._by_name: dict[str, Account] = {}
        self._claimed: dict[str, str] = {}
        self._sources: dict[AccountKey, str] = {}
        self._add(Listing("", tuple(accounts)))

    @classmethod
    def merged(cls, listings: Iterable[Listing]) -> Registry:
        """The accounts of several sources, in their order. Raises ConfigError, which names both sources of a name."""
        registry = cls(())
        for listing in listings:
            registry._add(listing)
        return registry

    def _add(self, listing: Listing) -> None:
        self._accounts += listing.accounts
        for account in listing.accounts:
            self._sources[account.key] = listing.source
            claim = f"{account.cloud} {account.id}" + (f" in {listing.source}" if listing.source else "")
            for name in {account.id.lower(), account.alias.lower()} - {""}:
                if other := self._claimed.get(name):
                    raise ConfigError(
                        f"accounts: {name} is the name of two accounts ({other}, {claim})",
                        hint="Give each account an id and an alias of its own, in one source only.",
                    )
                self._claimed[name] = claim
                self._by_name[name] = account
        for cloud in {account.cloud for account in self._accounts}:
            defaults = [account.name for account in self._accounts if account.default and account.cloud == cloud]
            if len(defaults) > 1:
                raise ConfigError(
                    f"accounts: {' and '.join(defaults)} are both the default",
                    hint="Mark one account of a cloud `default: true`.",
                )

    @property
    def accounts(self) -> tuple[Account, ...]:
        return self._accounts

    def select(self, selector: str) -> tuple[Account, ...]:
        """The accounts a selector names, each once, in the order of the list.

        Raises AccountNotFound when any part of it names none, InvalidRequest when it is empty and there is a choice, or when
        it holds too many globs.
        """
        if not self._accounts:
            raise AccountNotFound(
                "no account is listed", hint="List accounts in crosstrail.yaml, or collect log files."
            )
        parts = list(dict.fromkeys(part.strip() for part in selector.split(",") if part.strip()))
        if not parts:
            return self._defaults()
        if sum(_is_glob(part) for part in parts) > _MAX_GLOBS:
            raise InvalidRequest(f"more than {_MAX_GLOBS} globs in one selector", hint="Name fewer, or * for all.")
        chosen = {account.key for part in parts for account in self._matching(part)}
        return tuple(account for account in self._accounts if account.key in chosen)

    def named(self, name: str) -> Account | None:
        """The account of this id or alias."""
        return self._by_name.get(name.strip().lower())

    def source_of(self, account: Account) -> str:
        """What lists it, as messages call that; empty where nothing does, as with accounts that the lake alone knows."""
        return self._sources.get(account.key, "")

    def _matching(self, part: str) -> Sequence[Account]:
        if len(part) > _LONGEST_PART:
            raise self._unknown(part)
        if not _is_glob(part):
            if account := self.named(part):
                return (account,)
            raise self._unknown(part)
        pattern = part.lower()
        found = [
            a for a in self._accounts if fnmatchcase(a.id.lower(), pattern) or fnmatchcase(a.alias.lower(), pattern)
        ]
        if not found:
            raise self._unknown(part)
        return found

    def _defaults(self) -> tuple[Account, ...]:
        """One of each cloud that has one."""
        if defaults := tuple(account for account in self._accounts if account.default):
            return defaults
        if len(self._accounts) == 1:
            return self._accounts
        raise InvalidRequest(
            f"which account? There are {len(self._accounts)}",
            hint=f"Set {words().account} to one of: {self._listing()}; or * for all.",
        )

    def _unknown(self, part: str) -> AccountNotFound:
        near = difflib.get_close_matches(part[:_LONGEST_PART].lower(), self._by_name, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        return AccountNotFound(f"no account matches {part[:64]!r}", hint=f"{meant}Accounts: {self._listing()}.")

    def _listing(self) -> str:
        names = [f"{a.alias} ({a.id})" if a.alias else a.id for a in self._accounts[:_NAMES_IN_A_HINT]]
        left = len(self._accounts) - len(names)
        return ", ".join(names) + (f" and {left} more ({words().accounts} shows them)" if left else "")


def _is_glob(part: str) -> bool:
    return any(sign in part for sign in "*?[")
