"""A file of lines that several processes write and rotate together.

Decides whose turn it is: a lock on a file beside it is held from the look at the size to the end of the line, so that no
line is lost, torn or written into a file that was already put away. Where the system has no such lock (Windows) only one
process may write.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from typing import IO

_log = logging.getLogger("crosstrail.audit")


class SharedFile(RotatingFileHandler):
    """`path`, and `path.1` to `path.<keep>`, the oldest last; `path.lock` stays empty. A pipe or a device is only written."""

    def __init__(self, path: str, *, most_bytes: int, keep: int) -> None:
        """Raises OSError."""
        super().__init__(path, maxBytes=most_bytes, backupCount=keep, encoding="utf-8")
        self._turns: IO[bytes] | None = None
        if path.startswith("/dev/") or not os.path.isfile(path):
            self.maxBytes = 0
        else:
            self._turns = self._lock_file()

    def emit(self, record: logging.LogRecord) -> None:
        """A line that cannot be written stops nobody."""
        try:
            with self._turn():
                self._follow()
                super().emit(record)
        except (OSError, ValueError):  # ValueError is a file that somebody else closed
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say so in the log: in one line, where logging would write all that it knows."""
        error = sys.exception()
        reason = getattr(error, "strerror", None) or type(error).__name__
        _log.error("a line of the record cannot be written: %s", reason)

    def close(self) -> None:
        with suppress(OSError):  # what could not be written before cannot be now
            super().close()
        if self._turns:
            self._turns.close()

    def _lock_file(self) -> IO[bytes]:
        return open(f"{self.baseFilename}.lock", "ab")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        try:
            import fcntl
        except ImportError:
            fcntl = None  # type: ignore[assignment]
        if self._turns is None or fcntl is None:
            yield
            return
        if self._turns.closed:  # whoever sets up logging anew closes every handler there is
            self._turns = self._lock_file()
        fcntl.flock(self._turns, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turns, fcntl.LOCK_UN)

    def _follow(self) -> None:
        """To the file that has the name now: another process, or somebody's own rotation, may have moved ours away."""
        if self.stream is None or self._turns is None:
            return
        try:
            there = os.stat(self.baseFilename)
        except FileNotFoundError:
            there = None
        if there is None or not os.path.samestat(there, os.fstat(self.stream.fileno())):
            self.stream.close()
            self.stream = self._open()
