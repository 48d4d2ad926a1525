"""Which spans of time of which targets were collected without a gap by asking an account's own event history.

A window is written after the commit that holds its events, so that a process killed in between asks for it again and its events
prove to be known. What is complete in it is what the history keeps: of LookupEvents the management events, and no data events.
It asks nobody and never decides whether an event is new. No heavy library is loaded here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail import private
from crosstrail.lake.faults import fault, need_locks
from crosstrail.lake.ledger import LEDGER_FILE
from crosstrail.lake.removals import Removal
from crosstrail.lake.spans import EPOCH, TICK, Span, missing
from crosstrail.lake.sqlite_reading import open_to_read
from crosstrail.models import AccountKey, Target

if TYPE_CHECKING:
    from crosstrail.lake.table import LakeTable

LOOKUP_EVENTS = "lookup-events"
"""The source of what was asked of an account's own event history, whatever its cloud calls that."""
_BUSY_SECONDS = 30
_SCHEMA = """
CREATE TABLE IF NOT EXISTS windows (
    lake TEXT NOT NULL, cloud TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, source TEXT NOT NULL,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, collected INTEGER NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (lake, cloud, account, region, source, start)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS applied_removals (lake TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""
_COLUMNS = 'cloud, account, region, source, start, "end", collected, rows'


@dataclass(frozen=True, slots=True)
class Window:
    """Every event that the source had of the target from `start` on and before `end`, as it was known when `collected`.

    `region` is empty where one history holds the events of every region. `rows`: events that came, known ones included.
    """

    cloud: str
    account: str
    region: str
    source: str
    start: datetime
    end: datetime
    collected: datetime
    rows: int

    @property
    def key(self) -> AccountKey:
        return self.cloud, self.account


class Windows:
    """The windows of the lake in one folder; several processes may read and add to them at once."""

    def __init__(self, folder: Path, lake: str, removals: Sequence[Removal] = ()) -> None:
        """`lake`: the uuid of its table (LakeTable.uuid). What belonged to another table there is not this one's. `removals`:
        what was taken out of it, by whichever machine."""
        self._folder = folder
        self._lake = lake
        self._removals = removals

    @classmethod
    def of_table(cls, table: LakeTable) -> Windows:
        """As far as the table still has what they say."""
        return cls(table.folder, table.uuid, table.removals())

    def add(self, windows: Iterable[Window]) -> None:
        """Windows whose events are all committed; those that meet become one. Raises LakeError."""
        need_locks(self._folder)
        with _readable():
            private.create(self._folder / LEDGER_FILE)
            with closing(sqlite3.connect(self._folder / LEDGER_FILE, timeout=_BUSY_SECONDS)) as db:
                db.executescript(_SCHEMA)
                db.isolation_level = None
                db.execute("BEGIN IMMEDIATE")
                self._apply_removals(db)
                for window in windows:
                    self._join(db, window)
                db.execute("COMMIT")

    def _join(self, db: sqlite3.Connection, new: Window) -> None:
        key = (self._lake, new.cloud, new.account, new.region, new.source)
        same = "lake = ? AND cloud = ? AND account = ? AND region = ? AND source = ?"
        meeting = f'{same} AND start <= ? AND "end" >= ?'
        values = (*key, _micros(new.end), _micros(new.start))
        for row in db.execute(f"SELECT {_COLUMNS} FROM windows WHERE {meeting}", values).fetchall():  # noqa: S608
            old = _window(row)
            new = replace(
                new,
                start=min(old.start, new.start),
                end=max(old.end, new.end),
                collected=max(old.collected, new.collected),
                rows=old.rows + new.rows,
            )
        db.execute(f"DELETE FROM windows WHERE {meeting}", values)  # noqa: S608
        times = (_micros(new.start), _micros(new.end), _micros(new.collected))
        db.execute("INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*key, *times, new.rows))

    def cut(self, account: AccountKey, span: Span) -> None:
        """What is about to leave the table is no longer collected: nothing of the account is known in that span. Raises
        LakeError."""
        if not self.of(account):
            return
        with _readable(), closing(sqlite3.connect(self._folder / LEDGER_FILE, timeout=_BUSY_SECONDS)) as db:
            db.isolation_level = None
            db.execute("BEGIN IMMEDIATE")
            self._cut(db, account, span)
            db.execute("COMMIT")

    def _cut(self, db: sqlite3.Connection, account: AccountKey, span: Span) -> None:
        values = (self._lake, *account, _micros(span.end), _micros(span.start))
        meeting = 'lake = ? AND cloud = ? AND account = ? AND start < ? AND "end" > ?'
        rows = db.execute(f"SELECT {_COLUMNS} FROM windows WHERE {meeting}", values).fetchall()  # noqa: S608
        db.execute(f"DELETE FROM windows WHERE {meeting}", values)  # noqa: S608
        for old in map(_window, rows):
            for rest in missing([span], Span(old.start, old.end)):
                self._join(db, replace(old, start=rest.start, end=rest.end))

    def _apply_removals(self, db: sqlite3.Connection) -> None:
        """Those of other machines, before anything is collected anew of what they took out."""
        for one in (pending := self._pending(db)):
            self._cut(db, one.key, one.span)
        if pending:
            db.execute("INSERT OR REPLACE INTO applied_removals VALUES (?, ?)", (self._lake, pending[-1].number))

    def _pending(self, db: sqlite3.Connection) -> list[Removal]:
        """The removals that no window here is younger than."""
        applied = 0
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'applied_removals'").fetchone():
            row = db.execute("SELECT number FROM applied_removals WHERE lake = ?", (self._lake,)).fetchone()
            applied = row[0] if row else 0
        return [one for one in self._removals if one.number > applied]

    def of(self, account: AccountKey | None = None) -> tuple[Window, ...]:
        """Those of the account (None: of all), by region and time; none where nothing was ever collected so. Raises
        LakeError."""
        path = self._folder / LEDGER_FILE
        if not path.is_file():
            return ()
        where, values = "lake = ?", [self._lake]
        if account:
            where, values = f"{where} AND cloud = ? AND account = ?", [*values, *account]
        sql = f"SELECT {_COLUMNS} FROM windows WHERE {where} ORDER BY cloud, account, region, start"  # noqa: S608
        with _readable(), closing(open_to_read(path)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'windows'").fetchone():
                return ()
            found = map(_window, db.execute(sql, values).fetchall())
            pending = self._pending(db)
        return tuple(part for one in found for part in _left(one, pending))


def _left(window: Window, removals: Iterable[Removal]) -> list[Window]:
    """What removals leave of a window."""
    spans = [Span(window.start, window.end)]
    for one in removals:
        if one.key == window.key:
            spans = [rest for span in spans for rest in missing([one.span], span)]
    return [replace(window, start=start, end=end) for start, end in sorted(spans)]


def day_start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def since(day: date, spans: Iterable[Span]) -> tuple[Span, ...]:
    """What of the spans lies on that day or later."""
    first = day_start(day)
    return tuple(Span(max(one.start, first), one.end) for one in spans if one.end > first)


def covered(windows: Iterable[Window], target: Target) -> tuple[Span, ...]:
    """The spans of the target that the windows cover, oldest first, apart from each other.

    A history of every region covers each of its regions.
    """
    spans: list[Span] = []
    for one in sorted(windows, key=lambda one: one.start):
        if one.key != target.account.key or one.region not in ("", target.region):
            continue
        last = spans[-1] if spans else None
        if last and one.start <= last.end:
            spans[-1] = Span(last.start, max(last.end, one.end))
        else:
            spans.append(Span(one.start, one.end))
    return tuple(spans)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise fault(error, "the list of collected windows", LEDGER_FILE) from error


def _window(row: tuple[str, str, str, str, int, int, int, int]) -> Window:
    cloud, account, region, source, start, end, collected, rows = row
    return Window(cloud, account, region, source, _moment(start), _moment(end), _moment(collected), rows)


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // TICK


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
