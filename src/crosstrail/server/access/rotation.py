"""The files of the record that were put away: compressed, and deleted when their time, or the room for them, is over.

Decides which file goes when. It works in a thread, and can be killed at any point: a file is deleted once its compressed form is
whole and has its name, and what was left half done is done again at the next start. Of several processes one compresses a file:
the lock on it, which nobody gets who still writes into it.
"""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import stat
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crosstrail import private
from crosstrail.record.files import RotatedFile, compressed_name, rotated_files

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger("crosstrail.audit")
_CHUNK = 1 << 20
_LEVEL = 6
_END_SECONDS = 2.0
"""How long the end of the process waits for a file that is being compressed."""


class RotatedFiles:
    """Those beside `path`. One a process and record."""

    def __init__(self, path: Path, *, keep_days: int, max_total: int) -> None:
        self._path = path
        self._keep = timedelta(days=keep_days)
        self._max_total = max_total
        self._is_short = False
        self._again = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def tidy_soon(self) -> None:
        """In a thread, of which there is one at a time."""
        with self._lock:
            self._again.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="crosstrail-rotation", daemon=True)
                self._thread.start()

    def close(self) -> None:
        if thread := self._thread:
            thread.join(_END_SECONDS)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._again.is_set():
                    self._thread = None
                    return
                self._again.clear()
            try:
                self._tidy()
            except OSError as error:
                _log.warning("files of the record cannot be compressed or deleted now: %s", error.strerror)

    def _tidy(self) -> None:
        for one in rotated_files(self._path):
            if not one.compressed:
                _compress(one.path)
        self._delete_old(datetime.now(UTC))

    def _delete_old(self, now: datetime) -> None:
        files = rotated_files(self._path)
        sizes = {one.path: _size(one.path) for one in files}
        total = sum(sizes.values()) + _size(self._path)
        for one in files:
            is_old = now - one.time > self._keep
            if not is_old and total <= self._max_total:
                continue
            if not is_old:
                self._warn(one, now)
            with suppress(FileNotFoundError):  # another process was faster
                one.path.unlink()
            total -= sizes[one.path]

    def _warn(self, oldest: RotatedFile, now: datetime) -> None:
        """Once: it goes on as it is."""
        if not self._is_short:
            self._is_short = True
            _log.warning(
                "the record is deleted after %.1f days where audit.keep_days asks for %d: its files would be larger than "
                "audit.max_total, %d bytes",
                (now - oldest.time) / timedelta(days=1),
                self._keep.days,
                self._max_total,
            )


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _compress(path: Path) -> None:
    """Raises OSError; then the file stays as it is."""
    with suppress(FileNotFoundError), open(path, "rb") as file:  # another process may have done it
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another process does it, or still writes
                return
        done = compressed_name(path)
        if not path.exists():
            return
        if not done.exists():
            _write_compressed(file.fileno(), path, done)
        path.unlink()


def _write_compressed(source: int, path: Path, done: Path) -> None:
    about, part = os.fstat(source), done.with_name(f"{done.name}.part")
    try:
        with open(part, "wb", opener=private.opener) as target:
            if hasattr(os, "fchmod"):
                os.fchmod(target.fileno(), stat.S_IMODE(about.st_mode))
            with open(source, "rb", closefd=False) as plain, gzip.GzipFile("", "wb", _LEVEL, target) as packed:
                shutil.copyfileobj(plain, packed, _CHUNK)
            target.flush()
            os.fsync(target.fileno())
        os.utime(part, ns=(about.st_atime_ns, about.st_mtime_ns))
        os.rename(part, done)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
