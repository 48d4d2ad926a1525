"""Which log objects the lake has read whole: what makes a second collection fast, and nothing more.

An entry is written after the commit that holds the object's events. A process killed in between reads the object again,
and its events prove to be known. It never decides whether an event is new. No heavy library is loaded here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crosstrail import private
from crosstrail.lake.faults import fault, need_locks, reading
from crosstrail.lake.sources.base import LogObject

LEDGER_FILE = "ledger.sqlite"
_BUSY_SECONDS = 30
_READER = 2
"""Raised whenever files give more than they did: what an older crosstrail took for read whole is read again."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (name TEXT PRIMARY KEY, stamp TEXT NOT NULL, events INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lake (uuid TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@contextmanager
def _readable() -> Iterator[None]:
    """Inside, SQLite's errors become one that says how to do without the ledger."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        found = fault(error, "the list of log files that were read", LEDGER_FILE)
        if str(found).endswith("is damaged"):
            found.hint = f"Delete {LEDGER_FILE}: the files are then read once more, and no event goes in twice."
        raise found from error


class Ledger:
    """Opened for one collection; several processes may have it open at once."""

    def __init__(self, folder: Path) -> None:
        with reading("the lake's folder"):
            private.make_root(folder)
        need_locks(folder)
        with _readable():
            private.create(folder / LEDGER_FILE)  # what SQLite puts beside it has the same mode
            self._db = sqlite3.connect(folder / LEDGER_FILE, timeout=_BUSY_SECONDS)
            self._db.executescript(_SCHEMA)
            self._forget_older_readers()

    def _forget_older_readers(self) -> None:
        with self._db:
            if self._db.execute("PRAGMA user_version").fetchone()[0] != _READER:
                self._db.execute("DELETE FROM objects")
                self._db.execute(f"PRAGMA user_version = {_READER}")

    def close(self) -> None:
        self._db.close()

    def unknown(self, objects: Iterable[LogObject]) -> list[LogObject]:
        """Those that were not read whole, or have changed since."""
        with _readable():
            stamps = dict(self._db.execute("SELECT name, stamp FROM objects"))
        return [log for log in objects if stamps.get(log.key) != log.stamp]

    def add(self, objects: Iterable[tuple[LogObject, int]]) -> None:
        """Objects read whole, each with the number of its events, all of them committed."""
        with _readable(), self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?)",
                ((log.key, log.stamp, events) for log, events in objects),
            )

    def belongs_to(self, uuid: str) -> bool:
        """Ties the ledger to the table of that uuid. False, and everything forgotten, when it was another table's."""
        with _readable(), self._db:
            known = self._db.execute("SELECT uuid FROM lake").fetchone()
            if known and known[0] != uuid:
                self._db.execute("DELETE FROM objects")
                self._db.execute("DELETE FROM lake")
            self._db.execute("INSERT OR IGNORE INTO lake VALUES (?)", (uuid,))
        return not known or known[0] == uuid
