"""Which accounts a call asked, all of them, in a line of bounded length.

Decides when a line has the ids and when it has the name of a set, which a line of its own defines: once in each file, before the
first line that names it, so that a file that was put away explains itself. `grep` finds an account in the definition, and by
the set's name the calls. The name is a digest of the ids: the same accounts have the same name in every file and process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

MAX_INLINE = 50
"""Ids that stand in the line itself."""
DEFINITION = "accounts"
"""The `kind` of a line that defines a set."""
_MAX_CACHED = 32


@dataclass(frozen=True, slots=True)
class AccountSet:
    """`name`: 32 hexadecimal digits; `ids`: sorted."""

    name: str
    ids: tuple[str, ...]


def account_set(accounts: Sequence[str]) -> AccountSet | None:
    """The set that a line names for these ids; None where it has them itself."""
    return _set_of(tuple(accounts)) if len(accounts) > MAX_INLINE else None


@lru_cache(maxsize=_MAX_CACHED)
def _set_of(accounts: tuple[str, ...]) -> AccountSet:
    """Calls that ask all accounts of a list ask the same ones: sorting them once is enough."""
    ids = tuple(sorted(set(accounts)))
    return AccountSet(set_name(ids), ids)


def set_name(ids: Sequence[str]) -> str:
    """Of sorted ids."""
    return hashlib.sha256("\n".join(ids).encode(errors="replace")).hexdigest()[:32]
