"""Which accounts one of several collectors takes, when they share one table.

Decides by a hash of the account alone, the same on every machine and in every version: collectors `1/8` to `8/8` together take
every account, and no account is taken by two.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

_MAX_COUNT = 1_000


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count`; `number` begins with 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`2/8`. Raises ValueError."""
        number, _, count = text.partition("/")
        if not (number.isascii() and number.isdigit() and count.isascii() and count.isdigit()):
            raise ValueError(text)
        found = cls(int(number), int(count))
        if not 1 <= found.number <= found.count <= _MAX_COUNT:
            raise ValueError(text)
        return found

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def takes(self, cloud: str, account: str) -> bool:
        return _number(cloud, account) % self.count == self.number - 1


@lru_cache(maxsize=10_000)
def _number(cloud: str, account: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{cloud}/{account}".encode()).digest()[:8], "big")
