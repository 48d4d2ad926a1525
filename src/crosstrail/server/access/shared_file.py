"""A file of lines that several processes write and rotate together.

Decides whose turn it is: a lock on a file beside it is held from the look at the size to the end of the line, so that no
line is lost, torn or written into a file that was already put away. Where the system has no such lock (Windows) only one
process may write.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import IO

from crosstrail import private

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger("crosstrail.audit")
_TURN_SECONDS = 0.2
"""The longest wait for the lock, which is held for a line: whoever has it longer was stopped."""
_MAX_WAITING = 1_000
"""Lines in memory that wait for it."""
_LOOK_SECONDS = 0.001
_NEXT_WAIT_SECONDS = 10.0
"""After a wait in vain, so that a stopped process does not slow every call of the others."""


class SharedFile(RotatingFileHandler):
    """`path`, and `path.1` to `path.<keep>`, the oldest last; `path.lock` stays empty. A pipe or a device is only written."""

    def __init__(self, path: str, *, max_bytes: int, keep: int) -> None:
        """Raises OSError."""
        super().__init__(path, maxBytes=max_bytes, backupCount=keep, encoding="utf-8")
        self._turns: IO[bytes] | None = None
        self._waits_from = 0.0
        self._waiting: deque[logging.LogRecord] = deque()
        self._given_up_at = 0.0
        if path.startswith("/dev/") or not os.path.isfile(path):
            self.maxBytes = 0
        else:
            self._turns = self._lock_file()

    def emit(self, record: logging.LogRecord) -> None:
        """A line that cannot be written stops nobody. Where another process writes just now, the line waits for a thread that
        looks again: this is called on the event loop. Called with the handler's lock, as logging does."""
        if not self._waiting and self._written(record):
            return
        if not self._waiting:
            self._given_up_at = time.monotonic() + _TURN_SECONDS
            threading.Thread(target=self._look_again, name="crosstrail-record", daemon=True).start()
        self._waiting.append(record)
        if len(self._waiting) > _MAX_WAITING:
            self._give_up()

    def _look_again(self) -> None:
        """In a thread, until no line waits."""
        left = True
        while left:
            time.sleep(_LOOK_SECONDS)
            self.acquire()
            try:
                left = self._drain()
            finally:
                self.release()

    def _drain(self) -> bool:
        """Write the lines that wait, in their order, if it is this process's turn or too late. Whether any is left."""
        while self._waiting and self._written(self._waiting[0]):
            self._waiting.popleft()
            self._given_up_at = time.monotonic() + _TURN_SECONDS
        if self._waiting and time.monotonic() > self._given_up_at:
            self._waits_from = time.monotonic() + _NEXT_WAIT_SECONDS
            self._give_up()
        return bool(self._waiting)

    def _give_up(self) -> None:
        while self._waiting:
            self._write(self._waiting.popleft(), alone=False)

    def _written(self, record: logging.LogRecord) -> bool:
        """Whether it was this process's turn: then the line is written."""
        if fcntl is None or self._turns is None:
            self._write(record, alone=True)
            return True
        if self._turns.closed:  # whoever sets up logging anew closes every handler there is
            self._turns = self._lock_file()
        try:
            fcntl.flock(self._turns, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= self._waits_from:
                return False
            self._write(record, alone=False)
            return True
        try:
            self._write(record, alone=True)
        finally:
            fcntl.flock(self._turns, fcntl.LOCK_UN)
        return True

    def _write(self, record: logging.LogRecord, *, alone: bool) -> None:
        """`alone`: nobody else writes meanwhile, so the file may be put away."""
        try:
            self._follow()
            if alone:
                super().emit(record)
            else:
                logging.FileHandler.emit(self, record)
        except (OSError, ValueError):  # ValueError is a file that somebody else closed
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say so in the log: in one line, where logging would write all that it knows."""
        error = sys.exception()
        reason = getattr(error, "strerror", None) or type(error).__name__
        _log.error("a line of the record cannot be written: %s", reason)

    def close(self) -> None:
        self.acquire()
        try:
            while self._drain():  # lines that wait are written first
                time.sleep(_LOOK_SECONDS)
        finally:
            self.release()
        with suppress(OSError):  # what could not be written before cannot be now
            super().close()
        if self._turns:
            self._turns.close()

    def _lock_file(self) -> IO[bytes]:
        return open(f"{self.baseFilename}.lock", "ab", opener=private.opener)

    def _open(self) -> TextIOWrapper:
        """A file that is there keeps its mode, but for one that a umask made readable to everybody."""
        file = private.opener(self.baseFilename, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        private.close_to_others(file)
        return TextIOWrapper(os.fdopen(file, "ab"), encoding=self.encoding, errors=self.errors)

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
