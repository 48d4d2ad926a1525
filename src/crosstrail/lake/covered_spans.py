"""Spans of time of which more is known than events tell: asked of a cloud's API to the end, or judged by verified digests.

Whoever collects or verifies records them here, for whoever says what is covered. A later judgement of a trail's span takes
the place of an earlier one; times that touch become one span, so a year of hourly digests is one row. What is recorded is of
one table: of a lake made anew in the same folder nothing is known. It proves nothing itself. No heavy library is loaded.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from crosstrail import private
from crosstrail.coverage import Spans, merged, without
from crosstrail.lake.faults import fault, need_locks, reading
from crosstrail.lake.sqlite_format import check_version, write_schema
from crosstrail.models import AccountKey

SPANS_FILE = "coverage.sqlite"
_VERSION = 1
_MADE_ANEW = "the next `crosstrail collect` and `crosstrail verify` make it anew."
_BUSY_SECONDS = 30
_MAX_REASON = 300
_DELIVERY = timedelta(hours=1)
"""Twelve times the average that AWS names for the delivery of an event, about 5 minutes."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
    lake TEXT NOT NULL, cloud TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, trail TEXT NOT NULL,
    kind TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS spans_of ON spans (lake, cloud, account, region);
"""


class SpanKind(StrEnum):
    ASKED = "asked"
    """Asked of the cloud's API to the end; every event that it has is in the lake."""
    PROVED = "proved"
    """A verified digest covers it, and every log object that it names was collected, or it names none."""
    HOLE = "hole"
    """There is no digest, or one that failed, or it names log objects that were not collected: `reason` says which."""


@dataclass(frozen=True, slots=True)
class CoveredSpan:
    """`region`: empty for all regions of the account. `trail`: tells apart trails that sign for themselves; empty for an API."""

    cloud: str
    account: str
    region: str
    kind: SpanKind
    start: datetime
    end: datetime
    reason: str = ""
    trail: str = ""

    @property
    def key(self) -> AccountKey:
        return (self.cloud, self.account)


def record_spans(folder: Path, lake: str, spans: Iterable[CoveredSpan]) -> None:
    """Puts the spans beside those that are known. `lake`: the uuid of the table whose events they speak of.

    Raises LakeError.
    """
    with reading("the lake's folder"):
        private.make_root(folder)
    need_locks(folder)
    by_trail: defaultdict[tuple[str, ...], list[CoveredSpan]] = defaultdict(list)
    for span in spans:
        by_trail[lake, span.cloud, span.account, span.region, span.trail].append(span)
    with _opened(folder, create=True) as db:
        db.execute("BEGIN IMMEDIATE")
        for place, new in by_trail.items():
            _merge(db, place, new)
        db.execute("COMMIT")


def recorded_spans(folder: Path, lake: str, accounts: Sequence[AccountKey]) -> dict[AccountKey, list[CoveredSpan]]:
    """What is known of these accounts. Raises LakeError for a damaged file."""
    found: dict[AccountKey, list[CoveredSpan]] = {}
    if not accounts or not (folder / SPANS_FILE).is_file():
        return found
    wanted = set(accounts)
    sql, values = "SELECT cloud, account, region, kind, start, end, reason, trail FROM spans WHERE lake = ?", [lake]
    if len(wanted) == 1:
        sql, values = f"{sql} AND cloud = ? AND account = ?", [lake, *accounts[0]]
    with _opened(folder) as db:
        for cloud, account, region, kind, start, end, reason, trail in db.execute(sql, values):
            if (cloud, account) in wanted:
                span = CoveredSpan(cloud, account, region, SpanKind(kind), _moment(start), _moment(end), reason, trail)
                found.setdefault(span.key, []).append(span)
    return found


def proved_events(spans: Iterable[CoveredSpan], region: str) -> Spans:
    """The times of which every event that the trail logged in the region is in the lake, oldest first.

    Digests speak of the time of delivery: an event at the end of what they cover may be delivered after it.
    """
    found = merged((one.start, one.end) for one in spans if one.kind is SpanKind.PROVED and one.region == region)
    return tuple((start, end - _DELIVERY) for start, end in found if end - start > _DELIVERY)


def cut_spans(folder: Path, lake: str, account: AccountKey, start: datetime, end: datetime) -> None:
    """Forgets what is known of that time of the account, whose events are taken out. Raises LakeError."""
    if not (folder / SPANS_FILE).exists():
        return
    where = "lake = ? AND cloud = ? AND account = ? AND kind <> ?"
    values = (lake, *account, SpanKind.HOLE)
    with _opened(folder, create=True) as db:
        db.execute("BEGIN IMMEDIATE")
        rows = db.execute(f"SELECT region, trail, kind, start, end, reason FROM spans WHERE {where}", values).fetchall()  # noqa: S608
        db.execute(f"DELETE FROM spans WHERE {where}", values)  # noqa: S608
        db.executemany(
            "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (lake, *account, region, trail, kind, round(left.timestamp()), round(right.timestamp()), reason)
                for region, trail, kind, first, last, reason in rows
                for left, right in without(((_moment(first), _moment(last)),), ((start, end),))
            ],
        )
        db.execute("COMMIT")


def _merge(db: sqlite3.Connection, place: tuple[str, ...], new: Sequence[CoveredSpan]) -> None:
    """The trail's rows with the new spans, each of these instead of what was known of its time."""
    where = "lake = ? AND cloud = ? AND account = ? AND region = ? AND trail = ?"
    known: defaultdict[tuple[str, str], Spans] = defaultdict(tuple)
    for kind, start, end, reason in db.execute(f"SELECT kind, start, end, reason FROM spans WHERE {where}", place):  # noqa: S608 - of our own words
        known[kind, reason] += ((_moment(start), _moment(end)),)
    for span in sorted(new, key=lambda one: one.kind is SpanKind.HOLE):  # what fails beside what does not is told
        taken = ((span.start, span.end),)
        known = defaultdict(tuple, {what: without(spans, taken) for what, spans in known.items()})
        known[span.kind, span.reason[:_MAX_REASON]] += taken
    db.execute(f"DELETE FROM spans WHERE {where}", place)  # noqa: S608
    db.executemany(
        "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (*place, kind, round(start.timestamp()), round(end.timestamp()), reason)
            for (kind, reason), spans in known.items()
            for start, end in merged(spans)
        ],
    )


@contextmanager
def _opened(folder: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    try:
        if create:
            private.create(folder / SPANS_FILE)
        with closing(sqlite3.connect(folder / SPANS_FILE, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
            check_version(db, _VERSION, SPANS_FILE, without=_MADE_ANEW)
            if create:
                write_schema(db, _VERSION, _SCHEMA)
            yield db
    except (sqlite3.Error, OSError, ValueError) as error:
        found = fault(error, "the list of what is covered", SPANS_FILE)
        if str(found).endswith("is damaged"):
            found.hint = f"Delete {SPANS_FILE}: {_MADE_ANEW}"
        raise found from error


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
