"""The bytes of log objects in local files: those of a job's small objects in one file, since to make and remove a file each takes
longer than to fetch them; big ones in a file each, a piece at a time.

Decides where bytes lie, and how they are read again. Files are their owner's alone, and gone when their folder is removed.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable
from contextlib import closing
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO

from crosstrail import private
from crosstrail.lake.sources.base import LogObject

MAX_TOGETHER = 1024 * 1024
"""Bytes of an object that is held whole, and shares a file."""
_WRITTEN_AT_ONCE = 256 * 1024


class Spool:
    """A context: inside, any thread adds objects to the folder, which need not be there. At the end everything is in its file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shared = folder / "objects"
        self._file: IO[bytes] | None = None
        self._end = 0
        self._own = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Spool:
        private.make_folder(self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, log: LogObject, pieces: Iterable[bytes], size: int, stamp: str) -> LogObject:
        """The object with its bytes, `size` of them, in a file. Raises OSError of the disk, and what `pieces` raises."""
        if size <= MAX_TOGETHER:
            data = b"".join(pieces)
            return log.fetched(str(self._shared), self._append(data), len(data), stamp, sha256(data).hexdigest())
        with self._lock:
            path = self._folder / f"{self._own:05d}"
            self._own += 1
        private.create(path)
        digest, written = sha256(), 0
        try:
            with path.open("wb") as file:
                for piece in pieces:
                    written += file.write(piece)
                    digest.update(piece)
        except BaseException:
            path.unlink()
            raise
        return log.fetched(str(path), -1, written, stamp, digest.hexdigest())

    def _append(self, data: bytes) -> int:
        """Where it begins."""
        with self._lock:
            if self._file is None:
                private.create(self._shared)
                self._file = self._shared.open("wb", buffering=_WRITTEN_AT_ONCE)
            begin = self._end
            self._end += self._file.write(data)
            return begin


def opened(log: LogObject) -> closing[IO[bytes]]:
    """Its bytes, for reading. Raises OSError also for what has become a device or a pipe since it was found, and for a shared file
    that ends before the object does."""
    if log.offset >= 0:
        with open(log.path, "rb", buffering=0) as shared:
            data = os.pread(shared.fileno(), log.bytes, log.offset)
        if len(data) < log.bytes:
            raise OSError(0, "is not there whole any more; collect it again")
        return closing(BytesIO(data))
    handle = os.open(log.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "is no regular file any more")
        return closing(os.fdopen(handle, "rb", buffering=0))
    except BaseException:
        os.close(handle)
        raise
