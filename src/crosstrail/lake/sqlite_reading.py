"""SQLite files of the lake opened by who only reads them.

Decides what is done about a transaction that a killed process left behind: it is rolled back, as the next writer would. Nothing else
is ever written.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_BUSY_SECONDS = 30
_LEFT_BEHIND = frozenset({"SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY"})
"""What SQLite says to a reader of a file whose journal must be applied first: https://www.sqlite.org/rescode.html"""
_LOOK = "SELECT 1 FROM sqlite_master LIMIT 1"


def open_to_read(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.Error for a file that is not there, damaged or busy for long."""
    connection = _connected(path, "ro")
    try:
        connection.execute(_LOOK).fetchone()
    except sqlite3.Error as error:
        connection.close()
        if getattr(error, "sqlite_errorname", "") not in _LEFT_BEHIND:
            raise
        with closing(_connected(path, "rw")) as writing:
            writing.execute(_LOOK).fetchone()
        return _connected(path, "ro")
    return connection


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_SECONDS)
