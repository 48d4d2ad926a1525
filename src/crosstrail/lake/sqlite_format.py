"""The version of a SQLite file that crosstrail keeps, in its `user_version`: stated by whoever writes it, checked by everybody.

Decides that a file of a newer version is refused in words before anything is read of it or written to it. Files of before versions
were stated have 0, and are as version 1.
"""

from __future__ import annotations

import sqlite3

from crosstrail.errors import LakeError


def check_version(db: sqlite3.Connection, newest: int, file: str, *, without: str) -> None:
    """`without`: what becomes of deleting the file, for the hint. Raises LakeError, sqlite3.Error."""
    if (found := int(db.execute("PRAGMA user_version").fetchone()[0])) > newest:
        raise LakeError(
            f"{file} has the format {found}, which a newer version of crosstrail wrote; this version knows formats up to {newest}",
            hint=f"Update crosstrail, or delete {file} in the lake's folder: {without}",
        )


def write_schema(db: sqlite3.Connection, version: int, schema: str) -> None:
    """Makes the tables that are missing, and states the version. Raises sqlite3.Error."""
    db.executescript(schema)
    if db.execute("PRAGMA user_version").fetchone()[0] != version:
        db.execute(f"PRAGMA user_version = {version}")
