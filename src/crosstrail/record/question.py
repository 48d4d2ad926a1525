"""Which lines of a record are asked for.

Decides what meets a question: a line that asked an account, whether it names the id or a set, and one that asked for it and was
given none. It reads no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from crosstrail.json_values import Json, items, table, text
from crosstrail.timerange import TimeRange


def matches(pattern: str, *values: str) -> bool:
    """Whether any of the values is what the pattern says, in any case; `*` stands for any characters, an empty one for all."""
    return not pattern or any(_compiled(pattern).fullmatch(value) for value in values)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """`names`: ids and aliases, in small letters. `patterns`: with `*`, for accounts that nobody knows any more."""

    names: frozenset[str]
    patterns: tuple[str, ...]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.names or any(matches(pattern, name) for pattern in self.patterns)

    def of(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in self)


@dataclass(frozen=True, slots=True)
class Question:
    """Empty patterns ask for any; `accounts` None for any too."""

    span: TimeRange = field(default_factory=TimeRange)
    who: str = ""
    tool: str = ""
    outcome: str = ""
    accounts: AccountFilter | None = None

    def is_within(self, time: datetime) -> bool:
        return not ((self.span.start and time < self.span.start) or (self.span.end and time > self.span.end))

    def is_met(self, record: Json) -> bool:
        """By all but the time and the accounts."""
        return (
            matches(self.who, text(record.get("principal")), text(record.get("subject")))
            and matches(self.tool, text(record.get("tool")))
            and matches(self.outcome, outcome_of(record))
        )

    def asked(self, record: Json) -> tuple[str, ...]:
        """The accounts of the question that the line names itself, by id where it has those. A set's ids are not looked at."""
        if self.accounts is None:
            return ()
        named = [text(one) for one in items(record.get("accounts"))]
        named += [text(table(one).get("account")) for one in items(record.get("upstream"))]
        written = [part.strip() for part in text(table(record.get("asked")).get("account")).split(",")]
        return tuple(dict.fromkeys(self.accounts.of(filter(None, named)) or self.accounts.of(filter(None, written))))


def outcome_of(record: Json) -> str:
    """How a call ended; the kind of every other line."""
    return text(record.get("outcome")) or text(record.get("kind"))
