"""Files that hold no audit event, counted by their kind. It decides nothing about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_MAX_EXAMPLES = 3


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
