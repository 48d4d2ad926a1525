"""Events older than their retention: what `lake expire` takes out of the table, and what no collection brings back.

Decides nothing about how long: see keeping.py. Files are deleted by LakeTable.expire alone, when no snapshot names them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from crosstrail.errors import LakeBusy, LakeError
from crosstrail.lake.covered_spans import cut_spans
from crosstrail.lake.keeping import Keeping
from crosstrail.lake.partition import partition_of
from crosstrail.lake.spans import BEGINNING, Span
from crosstrail.lake.table import CommitLost, LakeTable
from crosstrail.lake.windows import Windows, day_start
from crosstrail.models import AccountKey

_MAX_TRIES = 20


@dataclass(frozen=True, slots=True)
class Expired:
    """What of one account is older than its retention; `last`: the newest day of it."""

    cloud: str
    account: str
    days: int
    files: int
    events: int
    first: date
    last: date


def expired(table: LakeTable, keeping: Keeping, now: datetime) -> tuple[Expired, ...]:
    """What `expire` would take out."""
    found = []
    for (cloud, account), files in table.snapshot().by_account.items():
        first_day = keeping.first_day(account, now)
        if old := [file for file in files if file.day < first_day]:
            days = {file.day for file in old}
            events = sum(file.rows for file in old)
            found.append(Expired(cloud, account, len(days), len(old), events, min(days), max(days)))
    return tuple(found)


def expire(table: LakeTable, keeping: Keeping, now: datetime, *, everything: bool = False) -> tuple[Expired, ...]:
    """Takes the events out that are older than their retention; their files are deleted when the snapshots that name them are.

    Raises LakeError where nothing would be left and `everything` does not say that this is meant; LakeBusy.
    """
    for _ in range(_MAX_TRIES):
        base = table.snapshot()
        first_days: dict[AccountKey, date] = {key: keeping.first_day(key[1], now) for key in base.by_account}
        old = {file.path for file in base.files if file.day < first_days[file.key]}
        if not old:
            return ()
        if len(old) == len(base.files) and not everything:
            raise LakeError(
                "every event of the lake is older than its retention, and nothing would be left",
                hint="Look at lake.retention and at the machine's clock; --everything where this is meant.",
            )
        taken = expired(table, keeping, now)
        windows = Windows.of_table(table)
        gone = [
            (key, Span(BEGINNING, day_start(first_days[key]))) for key in {(one.cloud, one.account) for one in taken}
        ]
        for key, span in gone:  # before the events go: a lookup asks the account then
            windows.cut(key, span)
            cut_spans(table.folder, table.uuid, key, *span)
        try:
            table.commit(base, (), old, gone=gone)
        except CommitLost:
            continue
        return taken
    raise LakeBusy("other processes kept committing to this lake", hint="Try again: nothing was lost.")


def drop_expired(staged: Iterable[Path], keeping: Keeping) -> tuple[list[Path], int]:
    """The staged files whose day is kept, and how many events the others had, which are deleted."""
    import pyarrow.parquet as pq

    now = datetime.now(UTC)
    kept: list[Path] = []
    dropped = 0
    oldest: dict[AccountKey, date] = {}
    for path in staged:
        cloud, account, day = partition_of(path)
        if day >= oldest.setdefault((cloud, account), keeping.first_day(account, now)):
            kept.append(path)
        else:
            dropped += pq.read_metadata(path).num_rows
            path.unlink()
    return kept, dropped
