"""A file of lines that several processes write and put away together.

Decides whose turn it is: a lock on a file beside it is held from the look at the size to the end of the line, so that no
line is lost, torn or written into a file that was already put away. Where the system has no such lock (Windows) only one
process may write.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from crosstrail import private
from crosstrail.record.files import rotated_name
from crosstrail.server.access.record_sink import Line, RecordSink
from crosstrail.server.access.rotation import RotatedFiles

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger("crosstrail.audit")
_TURN_SECONDS = 0.2
"""The longest wait for the lock, which is held for a line: whoever has it longer was stopped."""
_NEXT_WAIT_SECONDS = 10.0
"""After a wait in vain, so that a stopped process does not slow every call of the others."""
_PIN_ATTEMPTS = 10
"""A file that is being put away is another one at the next look."""
_HAS_PREAD = hasattr(os, "pread")


class SharedFile(RecordSink):
    """`path`, which is put away under a name of its own when it is full; `path.lock` stays empty. A pipe or a device is only
    written."""

    def __init__(
        self, path: str, lost: Callable[[int], bytes], *, max_bytes: int, keep_days: int, max_total: int
    ) -> None:
        """`keep_days`, `max_total`: of the files put away, see rotation.py. Raises OSError."""
        super().__init__(lost)
        self._path = Path(path).absolute()
        self._max_bytes = max_bytes
        self._defined: set[str] = set()
        self._cannot_rotate = False
        self._patient_from = 0.0
        self._wait_until = 0.0
        self._turns: IO[bytes] | None = None
        self._rotated: RotatedFiles | None = None
        self._file, self._about = self._open()
        if not path.startswith("/dev/") and self._path.is_file():
            self._turns = self._lock_file()
            self._rotated = RotatedFiles(self._path, keep_days=keep_days, max_total=max_total)
            self._rotated.tidy_soon()

    def _turn(self) -> bool | None:
        if fcntl is None or self._turns is None:
            return True
        try:
            fcntl.flock(self._turns, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._patient()
        except OSError:  # a file system without locks
            return False
        self._wait_until = 0.0
        return True

    def _patient(self) -> bool | None:
        """None while it is worth waiting, then False."""
        now = time.monotonic()
        if now < self._patient_from:
            return False
        self._wait_until = self._wait_until or now + _TURN_SECONDS
        if now <= self._wait_until and len(self._lines) <= self.max_waiting:
            return None
        self._wait_until, self._patient_from = 0.0, now + _NEXT_WAIT_SECONDS
        return False

    def _end_turn(self) -> None:
        if fcntl is not None and self._turns is not None:
            with suppress(OSError):
                fcntl.flock(self._turns, fcntl.LOCK_UN)

    def _write(self, line: Line, *, alone: bool) -> None:
        size = self._followed() if alone else self._pinned()
        try:
            if alone and self._rotated and size and size + len(line.text) > self._max_bytes:
                size = self._put_away(size)
            new = line.defines if line.defines and line.defines[0] not in self._defined else None
            data = (new[1] if new else b"") + line.text
            if data and size and self._is_torn(size):
                data = b"\n" + data
            while data:
                data = data[os.write(self._file, data) :]
            if new:
                self._defined.add(new[0])
        finally:
            if not alone and fcntl is not None and self._file >= 0:
                with suppress(OSError):
                    fcntl.flock(self._file, fcntl.LOCK_UN)

    def _followed(self) -> int:
        """The size of the file that has the name now: another process, or somebody's own rotation, may have moved ours away."""
        if self._turns is None and self._file >= 0:
            return 0  # a device, or a pipe
        with suppress(FileNotFoundError):
            there = os.stat(self._path)
            if self._file >= 0 and os.path.samestat(there, self._about):
                return there.st_size
        self._close_file()
        self._file, self._about = self._open()
        return self._about.st_size

    def _pinned(self) -> int:
        """The same where another process may put the file away meanwhile: a lock on it lets nobody compress it (rotation.py).
        Raises BlockingIOError where somebody holds the file itself."""
        for _ in range(_PIN_ATTEMPTS):
            size = self._followed()
            if fcntl is None:
                return size
            try:
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                if self._turns is None or os.path.samestat(os.stat(self._path), self._about):
                    return size
            except BlockingIOError:
                self._close_file()
            except FileNotFoundError:
                pass
            except OSError:  # a file system without locks
                return size
        raise BlockingIOError(errno.EWOULDBLOCK, "another process holds it locked")

    def _put_away(self, size: int) -> int:
        """Begin a new file; its size. A file that cannot be renamed goes on."""
        try:
            os.rename(self._path, rotated_name(self._path, datetime.now(UTC)))
        except OSError as error:
            if not self._cannot_rotate:
                self._cannot_rotate = True
                _log.warning("the record of calls grows beyond audit.max_bytes: %s", error.strerror)
            return size
        self._close_file()
        self._file, self._about = self._open()
        if self._rotated:
            self._rotated.tidy_soon()
        return 0

    def _is_torn(self, size: int) -> bool:
        """Whether its last line has no end: there was no room for it, or whoever wrote it was killed."""
        return _HAS_PREAD and os.pread(self._file, 1, size - 1) != b"\n"

    def _open(self) -> tuple[int, os.stat_result]:
        """A file that is there keeps its mode, but for one that a umask made readable to everybody."""
        try:  # one look: another process may make the file between two, and what cannot be read back cannot be written
            is_regular = stat.S_ISREG(os.stat(self._path).st_mode)
        except FileNotFoundError:
            is_regular = True
        access = os.O_RDWR if is_regular else os.O_WRONLY
        file = private.opener(str(self._path), os.O_CREAT | os.O_APPEND | access)
        private.close_to_others(file)
        self._defined.clear()
        return file, os.fstat(file)

    def _lock_file(self) -> IO[bytes]:
        return open(f"{self._path}.lock", "ab", opener=private.opener)

    def _close_file(self) -> None:
        if self._file >= 0:
            with suppress(OSError):  # what could not be written before cannot be now
                os.close(self._file)
        self._file = -1

    def _close(self) -> None:
        self._close_file()
        if self._turns:
            self._turns.close()
        if self._rotated:
            self._rotated.close()
