"""What is damaged taken out of the table, and its log objects made unknown, so that they are collected again.

Decides which log objects may have held the events of a damaged file. It collects nothing itself: its caller does, after
`take_out`, and asks `lacking` what could not be had again. Killed at any point it leaves a table without doubles, and damage
that is found again: what is to be collected again is written down before the events go, and forgotten once more after, because
a collection in between finds the events still there and calls their objects read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from crosstrail.errors import LakeBusy
from crosstrail.lake.covered_spans import cut_spans
from crosstrail.lake.forgetting import taken_apart
from crosstrail.lake.spans import Span
from crosstrail.lake.table import CommitLost
from crosstrail.lake.windows import Windows, day_start

if TYPE_CHECKING:
    from crosstrail.lake.data_file_verification import DamagedFile
    from crosstrail.lake.forgetting import ReadObjects
    from crosstrail.lake.table import LakeTable

_MAX_TRIES = 20
_AHEAD = timedelta(days=1)
"""Of a clock that dates an event after its delivery."""
Partition = tuple[str, str, date]
"""Cloud, account, day."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """A partition that holds fewer events than before its damage: they could not be had again."""

    cloud: str
    account: str
    day: date
    before: int
    now: int


def events_of(table: LakeTable, partitions: Iterable[Partition]) -> Mapping[Partition, int]:
    """How many events the table lists in each, those of damaged files included."""
    counts: Counter[Partition] = Counter(dict.fromkeys(partitions, 0))
    for file in table.snapshot().files:
        if (place := (file.cloud, file.account, file.day)) in counts:
            counts[place] += file.rows
    return counts


def take_out(table: LakeTable, ledger: ReadObjects, damaged: Sequence[DamagedFile]) -> None:
    """Forgets the log objects of these files and takes the files out of the table. Raises LakeBusy."""
    forget(ledger, damaged)
    # A table that is shared may lie in another machine's folder: then these begin with `..`.
    paths = {os.path.normpath(table.folder / one.path) for one in damaged}
    windows = Windows.of_table(table)
    days = sorted({(one.cloud, one.account, one.day) for one in damaged})
    spans = [
        ((cloud, account), Span(day_start(day), day_start(day) + timedelta(days=1))) for cloud, account, day in days
    ]
    for key, span in spans:  # a lookup asks the account again
        windows.cut(key, span)
        cut_spans(table.folder, table.uuid, key, *span)
    for _ in range(_MAX_TRIES):
        base = table.snapshot()
        gone = {file.path for file in base.files if file.path in paths}
        try:
            if gone:
                table.commit(base, (), gone, gone=spans)
        except CommitLost:
            continue
        return
    raise LakeBusy("other processes kept committing to this lake", hint="Try again: nothing was lost.")


def forget(ledger: ReadObjects, damaged: Sequence[DamagedFile], *, widely: bool = False) -> list[str]:
    """The log objects that may have held the events of these files, which are unknown from now on. `widely`: not those alone
    that the files name, but all that may have held a copy of such an event."""
    names = _objects(ledger, [replace(one, sources=()) if widely else one for one in damaged])
    ledger.forget(names)
    return names


def lacking(table: LakeTable, before: Mapping[Partition, int]) -> tuple[Lacking, ...]:
    now = events_of(table, before)
    return tuple(Lacking(*place, before[place], now[place]) for place in sorted(before) if now[place] < before[place])


def _objects(ledger: ReadObjects, damaged: Iterable[DamagedFile]) -> list[str]:
    """Those that the damaged files name; of files that cannot be read any more, all that may have held such an event: those of
    the account that were delivered since, and those whose keys say nothing of an account."""
    named = {source.partition("!")[0] for one in damaged for source in one.sources}
    since: dict[tuple[str, str], date] = {}
    for one in damaged:
        if not one.sources:
            key = one.cloud, one.account
            since[key] = min(since.get(key, one.day), one.day - _AHEAD)
    found = []
    for name, cloud, account, day in ledger.placed():
        first = since.get((cloud, account))
        unknown = bool(since) and not (account and day)
        if unknown or (first and day >= str(first)) or _is_named(taken_apart(name)[0], named):
            found.append(name)
    return found


def _is_named(name: str, sources: set[str]) -> bool:
    """Whether one of them is the object: an event says where its object lies from AWSLogs on, or from what was collected on."""
    while name not in sources:
        _, slash, name = name.partition("/")
        if not slash:
            return False
    return True
