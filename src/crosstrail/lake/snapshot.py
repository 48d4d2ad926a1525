"""What the lake consists of at one moment: its data files, and what they hold of each account.

Values alone: who reads them from where is table.py's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from crosstrail.coverage import Days, runs
from crosstrail.models import AccountKey

MIXED = -1
MANY_FILES = 500
"""About half a second to open: of more, what can be told without opening them is."""
_MANY_ACCOUNTS = 1_000


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One committed data file: the events of one account on one day. `first` and `last` are event times, UTC."""

    path: str
    cloud: str
    account: str
    day: date
    rows: int
    bytes: int
    first: datetime
    last: datetime
    valid: int = 0
    """Events whose log file is what a signed digest names; next, those whose log file is not. MIXED, both: there are some of
    each, and the file alone tells how many."""
    failed: int = 0

    @property
    def key(self) -> AccountKey:
        return (self.cloud, self.account)


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """How much the lake holds of one account; `days`: those with an event in any region."""

    cloud: str
    account: str
    events: int
    first: datetime
    last: datetime
    days: Days = ()

    @property
    def key(self) -> AccountKey:
        return (self.cloud, self.account)


@dataclass(frozen=True)
class Snapshot:
    """What the table consists of at one moment. `id` is None before the first commit."""

    id: int | None
    files: tuple[LakeFile, ...]

    @cached_property
    def by_account(self) -> Mapping[AccountKey, tuple[LakeFile, ...]]:
        """Sorted once a snapshot: a call must not walk the files of accounts that it does not ask."""
        found: defaultdict[AccountKey, list[LakeFile]] = defaultdict(list)
        for file in self.files:
            found[file.key].append(file)
        return {key: tuple(found[key]) for key in sorted(found)}

    @cached_property
    def summaries(self) -> Mapping[AccountKey, AccountSummary]:
        """What is held of each account, in the order of accounts."""
        found = {key: summary(key, files) for key, files in self.by_account.items()}
        return {key: one for key, one in found.items() if one}


def verdicts(rows: int, nulls: int | None, lower: bytes | None, upper: bytes | None) -> tuple[int, int]:
    """(valid, failed) of a data file, from the bounds of its column `verified` and the number of NULLs in it. A file without
    them is of a version that verified nothing."""
    if nulls is None or lower is None or upper is None or not rows - nulls:
        return 0, 0
    if lower != upper:
        return MIXED, MIXED
    return (rows - nulls, 0) if lower == b"\x01" else (0, rows - nulls)


def counts(files: Sequence[LakeFile]) -> list[tuple[str, str, int]]:
    """(cloud, account, events) of many files; nothing of few, which may as well be opened, nor of very many accounts."""
    if len(files) <= MANY_FILES:
        return []
    found: Counter[AccountKey] = Counter()
    for file in files:
        found[file.key] += file.rows
    return [(*key, rows) for key, rows in found.items()] if len(found) <= _MANY_ACCOUNTS else []


def summary(key: AccountKey, files: Sequence[LakeFile]) -> AccountSummary | None:
    """What these data files of one account hold, to the day; None without files."""
    if not files:
        return None
    first, last = min(file.first for file in files), max(file.last for file in files)
    return AccountSummary(*key, sum(file.rows for file in files), first, last, runs(file.day for file in files))
