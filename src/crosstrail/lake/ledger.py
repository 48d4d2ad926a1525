"""What became of every log object that the lake was given: what makes a second collection fast, and what tells of a failure.

An entry is written after the commit that holds the object's events. A process killed in between reads the object again,
and its events prove to be known. It never decides whether an event is new. No heavy library is loaded here.

One SQLite file. `objects` has a row for each object and each set of accounts that it was read for: its key, its stamp (what
changes with its content), size, SHA-256 as it was stored, events, state, when, what its key says of cloud, account, region
and day, and whether a digest proved it. `listings` says how far a bucket's folders were listed. A column that came later is added to older ledgers as they are
opened, with nothing read again; another module's table goes beside these by `Ledger.table`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time

from crosstrail import private
from crosstrail.lake.faults import fault, need_locks, reading
from crosstrail.lake.sources.base import ListedFolder, LogObject, State

LEDGER_FILE = "ledger.sqlite"
_BUSY_SECONDS = 30
_READER = 2
"""Raised whenever files give more than they did: what an older crosstrail took for read whole is read again."""
_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (name TEXT PRIMARY KEY, stamp TEXT NOT NULL, events INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lake (uuid TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS listings (
    prefix TEXT, scope TEXT, since TEXT NOT NULL, newest TEXT NOT NULL, swept INTEGER NOT NULL, PRIMARY KEY (prefix, scope)
) WITHOUT ROWID;
"""
_COLUMNS = {
    "state": "TEXT NOT NULL DEFAULT 'read'",
    "bytes": "INTEGER NOT NULL DEFAULT 0",
    "sha256": "TEXT NOT NULL DEFAULT ''",
    "at": "INTEGER NOT NULL DEFAULT 0",
    "cloud": "TEXT NOT NULL DEFAULT ''",
    "account": "TEXT NOT NULL DEFAULT ''",
    "region": "TEXT NOT NULL DEFAULT ''",
    "day": "TEXT NOT NULL DEFAULT ''",
    "verified": "INTEGER",
}
"""Of `objects`, besides the first three; `at` in seconds since 1970."""
_UNFINISHED = "CREATE INDEX IF NOT EXISTS unfinished ON objects (name) WHERE state <> 'read'"


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
    """Opened for one collection; several processes may have it open at once. Used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        with reading("the lake's folder"):
            private.make_root(folder)
        need_locks(folder)
        with _readable():
            private.create(folder / LEDGER_FILE)  # what SQLite puts beside it has the same mode
            self._db = sqlite3.connect(folder / LEDGER_FILE, timeout=_BUSY_SECONDS, check_same_thread=False)
            self._db.executescript(_SCHEMA)
            self._add_columns()
            self._forget_older_readers()

    def _add_columns(self) -> None:
        if not self._missing():
            return
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for name in self._missing():  # another process may have added them meanwhile
                self._db.execute(f"ALTER TABLE objects ADD COLUMN {name} {_COLUMNS[name]}")
            self._db.execute(_UNFINISHED)

    def _missing(self) -> list[str]:
        there = {row[1] for row in self._db.execute("PRAGMA table_info(objects)")}
        return [name for name in _COLUMNS if name not in there]

    def _forget_older_readers(self) -> None:
        with self._db:
            if self._db.execute("PRAGMA user_version").fetchone()[0] != _READER:
                self._clear()
                self._db.execute(f"PRAGMA user_version = {_READER}")

    def _clear(self) -> None:
        self._db.execute("DELETE FROM objects")
        self._db.execute("DELETE FROM listings")

    def close(self) -> None:
        self._db.close()

    def table(self, statement: str) -> sqlite3.Connection:
        """The ledger's own connection, after this CREATE TABLE IF NOT EXISTS: for a module that keeps a table beside the
        objects, in transactions of its own. Raises LakeError for a ledger that cannot be written."""
        with _readable():
            self._db.execute(statement)
        return self._db

    def forget_all(self) -> None:
        """Where the table is gone, nothing was read."""
        with _readable(), self._db:
            self._clear()

    def forget(self, names: Iterable[str]) -> None:
        """These objects are read again at the next collection, for whatever accounts they were read: with everything that the
        listings of buckets would leave out."""
        with _readable(), self._db:
            for name in names:
                self._db.execute("UPDATE objects SET state = 'failed' WHERE name = ?", (name,))
                self._db.execute("UPDATE objects SET state = 'failed' WHERE name GLOB ?", (f"{_literal(name)}[#@]*",))

    def drop(self, objects: Iterable[LogObject], prefix: str, seconds: int) -> None:
        """Forgets objects that nobody gives a second time, and all below the prefix that are older than so many seconds."""
        with _readable(), self._db:
            self._db.executemany("DELETE FROM objects WHERE name = ?", ((log.key,) for log in objects))
            old = (prefix, _after(prefix), int(time()) - seconds)
            self._db.execute("DELETE FROM objects WHERE name >= ? AND name < ? AND at < ?", old)

    def unknown(self, objects: Sequence[LogObject]) -> list[LogObject]:
        """Those that were not read whole, or have changed since."""
        stamps: dict[str, str] = {}
        with _readable():
            for start in range(0, len(objects), _AT_ONCE):
                keys = [log.key for log in objects[start : start + _AT_ONCE]]
                marks = ",".join("?" * len(keys))
                stamps.update(
                    self._db.execute(
                        f"SELECT name, stamp FROM objects WHERE name IN ({marks}) AND state = 'read'",  # noqa: S608 - marks alone
                        keys,
                    )
                )
        return [log for log in objects if stamps.get(log.key) != log.stamp]

    def unfinished(self, prefix: str, scope: str) -> list[tuple[str, int]]:
        """(name, bytes) of the objects below a prefix that could not be read whole the last time, for that scope."""
        ending = f"@{scope}" if scope else ""
        with _readable():
            found = self._db.execute(
                "SELECT name, bytes FROM objects WHERE state <> 'read' AND state <> 'gone' AND name >= ? AND name < ? "
                "ORDER BY name",
                (prefix, _after(prefix)),
            ).fetchall()
        return [(name.removesuffix(ending), size) for name, size in found if name.endswith(ending)]

    def add(self, objects: Iterable[tuple[LogObject, int]], state: State = "read") -> None:
        """Objects that were dealt with, each with the number of its events, all of them committed."""
        now = int(time())
        with _readable(), self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO objects (name, stamp, events, state, bytes, sha256, at, cloud, account, region, day, "
                "verified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (log.key, log.stamp, events, state, log.bytes, log.sha256, now, *log.placed, log.verified)
                    for log, events in objects
                ),
            )

    def listing(self, prefix: str, scope: str) -> ListedFolder | None:
        with _readable():
            found = self._db.execute(
                "SELECT prefix, since, newest, swept FROM listings WHERE prefix = ? AND scope = ?", (prefix, scope)
            ).fetchone()
        return ListedFolder(*found) if found else None

    def listed(self, listings: Iterable[ListedFolder], scope: str) -> None:
        """Everything that these listings found has been added."""
        with _readable(), self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO listings VALUES (?, ?, ?, ?, ?)",
                ((one.prefix, scope, one.since, one.newest, one.swept) for one in listings),
            )

    def belongs_to(self, uuid: str) -> bool:
        """Ties the ledger to the table of that uuid. False, and everything forgotten, when it was another table's."""
        with _readable(), self._db:
            known = self._db.execute("SELECT uuid FROM lake").fetchone()
            if known and known[0] != uuid:
                self._clear()
                self._db.execute("DELETE FROM lake")
            self._db.execute("INSERT OR IGNORE INTO lake VALUES (?)", (uuid,))
        return not known or known[0] == uuid


def _after(prefix: str) -> str:
    """The first text that comes after everything that begins so, as UTF-8 is ordered."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else "\U0010ffff"


def _literal(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)
