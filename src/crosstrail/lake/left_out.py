"""What did not go in though nothing was wrong with it: files without audit events, counted by their kind, and events of
accounts that an archive does not speak for, counted by account. It decides nothing about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_MAX_EXAMPLES = 3
_MAX_ACCOUNTS = 1_000


@dataclass(slots=True)
class LeftOut:
    """How many files, or files in archives, hold something of a kind, and the names of the first ones."""

    files: int = 0
    examples: list[str] = field(default_factory=list)


Kinds = dict[str, LeftOut]


def count(kinds: Kinds, kind: str, name: str) -> None:
    one = kinds.setdefault(kind, LeftOut())
    one.files += 1
    if len(one.examples) < _MAX_EXAMPLES:
        one.examples.append(name)


def add(kinds: Kinds, others: Mapping[str, LeftOut]) -> None:
    for kind, other in others.items():
        one = kinds.setdefault(kind, LeftOut())
        one.files += other.files
        one.examples += other.examples[: _MAX_EXAMPLES - len(one.examples)]


def count_kept_out(accounts: dict[str, int], account: str, events: int = 1) -> None:
    """Counts a thousand accounts by name, and what more there are together."""
    name = account if account in accounts or len(accounts) < _MAX_ACCOUNTS else "others"
    accounts[name] = accounts.get(name, 0) + events
