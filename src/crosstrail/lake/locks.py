"""Locks that tell whether the process that made a file still works on it: they end with their holder, however it ends.

Decides nothing else. By flock and not the filelock library, which has exclusive locks alone: two processes that look whether
somebody holds one would each take the other for the holder.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


def take(path: Path) -> IO[bytes]:
    """Waits for the lock of a file that is there; closing what is returned gives it up. Raises OSError."""
    file = path.open("rb+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except BaseException:
        file.close()
        raise
    return file


def is_taken(path: Path) -> bool:
    """Whether a process holds the lock. Raises OSError where the file cannot be opened, or its file system has no locks."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
