"""The ledger's log objects as a repair sees them: where each was placed, and made unknown again.

Decides nothing about which. What is forgotten is read again by the next collection of the place it is in. Works on ledgers
with and without the columns that say more of an object than its name.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from crosstrail.lake.faults import reading
from crosstrail.lake.ledger import LEDGER_FILE, Ledger

_BUSY_SECONDS = 30
_SCOPE = re.compile(r"@[0-9a-f]{12}$")
_PART = re.compile(r"#\d+/\d+$")


class ReadObjects:
    """Opened for one repair. Raises LakeError for a ledger that cannot be read or written."""

    def __init__(self, lake: Path) -> None:
        Ledger(lake).close()  # which makes it what this version reads
        with reading("the list of log files that were read", LEDGER_FILE):
            self._db = sqlite3.connect(lake / LEDGER_FILE, timeout=_BUSY_SECONDS)
            self._db.execute("CREATE TABLE IF NOT EXISTS collect_again (name TEXT PRIMARY KEY) WITHOUT ROWID")
            columns = {row[1] for row in self._db.execute("PRAGMA table_info(objects)")}
        self._says_more = {"state", "cloud", "account", "day"} <= columns

    def close(self) -> None:
        self._db.close()

    def placed(self) -> list[tuple[str, str, str, str]]:
        """(name, cloud, account, day) of every object, the last three as far as its key says them."""
        columns = "name, cloud, account, day" if self._says_more else "name, '', '', ''"
        with reading("the list of log files that were read", LEDGER_FILE):
            return self._db.execute(f"SELECT {columns} FROM objects ORDER BY name").fetchall()  # noqa: S608 - columns

    def forget(self, names: Iterable[str]) -> None:
        """An object that is kept as failed is found by a bucket's next listing, however old it is."""
        sql = (
            "UPDATE objects SET state = 'failed' WHERE name = ?"
            if self._says_more
            else "DELETE FROM objects WHERE name = ?"
        )
        again = [(name,) for name in names]
        with reading("the list of log files that were read", LEDGER_FILE), self._db:
            self._db.executemany("INSERT OR IGNORE INTO collect_again VALUES (?)", again)
            self._db.executemany(sql, again)

    def forgotten(self) -> list[str]:
        """All that a repair forgot, this one or one that was killed, and that nobody called `collected` yet."""
        with reading("the list of log files that were read", LEDGER_FILE):
            return [name for (name,) in self._db.execute("SELECT name FROM collect_again ORDER BY name")]

    def collected(self) -> None:
        """The forgotten ones were collected, as far as they are still there."""
        with reading("the list of log files that were read", LEDGER_FILE), self._db:
            self._db.execute("DELETE FROM collect_again")


def taken_apart(key: str) -> tuple[str, bool]:
    """(the object's name, whether it was read for some accounts alone) of what the ledger calls it."""
    name = _SCOPE.sub("", key)
    return _PART.sub("", name), name != key
