"""How the lake is: what it holds of each account, how new that is, which days are missing, what it takes on disk.

Decides what counts as lag and as a gap; it changes nothing. A day without an event may be quiet or not collected: the two
cannot be told apart here.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from crosstrail.coverage import NONE_READ, Days, Verified, count, gaps
from crosstrail.lake.compact import MAX_FILES
from crosstrail.lake.data_files import named_sha256
from crosstrail.lake.verified_share import verified_share
from crosstrail.timerange import TimeRange

if TYPE_CHECKING:
    from crosstrail.lake.table import LakeTable


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """`lag`: seconds from the newest event to now; `gaps`: runs of days without an event between the first and the last."""

    cloud: str
    account: str
    events: int
    bytes: int
    files: int
    first: datetime
    last: datetime
    lag: int
    days: int
    gaps: Days
    verified: Verified


@dataclass(frozen=True, slots=True)
class LakeStatus:
    """`as_of`: the oldest moment that AS OF reaches; `crowded` are the partitions that the next collection would compact;
    `format` is its version (format.py), `disk` all that the lake's folder takes, with what was replaced and not deleted yet."""

    format: int
    snapshot: int | None
    committed: datetime | None
    as_of: datetime | None
    snapshots: int
    events: int
    files: int
    bytes: int
    disk: int
    partitions: int
    crowded: int
    unhashed: int
    verified: Verified
    accounts: tuple[AccountStatus, ...]


def status(table: LakeTable, now: datetime) -> LakeStatus:
    """Raises LakeError for a lake that cannot be read."""
    snapshot = table.snapshot()
    history = table.history()
    here = table.has_here(snapshot.files)  # of a warehouse in a bucket nothing is fetched for this
    partitions: defaultdict[tuple[object, ...], int] = defaultdict(int)
    for file in snapshot.files:
        partitions[*file.key, file.day] += 1
    accounts = []
    for key, files in snapshot.by_account.items():
        held = snapshot.summaries[key]
        accounts.append(
            AccountStatus(
                *key,
                held.events,
                sum(file.bytes for file in files),
                len(files),
                held.first,
                held.last,
                max(0, int((now - held.last).total_seconds())),
                count(held.days),
                gaps(held.days, TimeRange()),
                verified_share(files, here=here),
            )
        )
    return LakeStatus(
        table.format,
        snapshot.id,
        history[-1][1] if history else None,
        history[0][1] if history else None,
        len(history),
        sum(file.rows for file in snapshot.files),
        len(snapshot.files),
        sum(file.bytes for file in snapshot.files),
        _disk(table.folder),
        len(partitions),
        sum(files > MAX_FILES for files in partitions.values()),
        sum(not named_sha256(file.path) for file in snapshot.files),
        sum((one.verified for one in accounts), start=NONE_READ),
        tuple(accounts),
    )


def _disk(folder: os.PathLike[str]) -> int:
    return sum(os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(folder) for name in names)
