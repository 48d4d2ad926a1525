"""Data files compared with the hash in their names before events are read from them: once a process for each state of a file.

DuckDB looks at no checksum of Parquet's pages, so a flipped bit may read back as other events and nothing tells. SHA-256 takes
a processor about 0.7 s a gigabyte, more than most statements over a large lake take themselves, so only what is small, and in few files, is
compared here, whole or not at all; `crosstrail lake verify` compares everything. A file counts as known as long as its inode, size and
times are what they were. What came from a bucket was compared when it was fetched.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crosstrail.accounts.lru_cache import LruCache
from crosstrail.errors import LakeError
from crosstrail.lake import snapshot
from crosstrail.lake.data_files import named_sha256, sha256_of
from crosstrail.lake.snapshot import LakeFile

MAX_BYTES = 256 * 1024**2
"""Of files that were not compared yet, together: 0.2 s of a processor."""
_AT_ONCE = 2
_State = tuple[int, int, int, int]
_sound: LruCache[str, _State] = LruCache(50_000)
_lock = threading.Lock()


def check_sound(files: Sequence[LakeFile]) -> None:
    """Raises LakeError for a file that is not as it was written. What is missing or cannot be read is left to the reader, who
    has the words for it. Of many files none is compared: a statement over them may need to open none (snapshot.counts)."""
    new: list[str] = []
    if len(files) > snapshot.MANY_FILES:
        return
    size = 0
    for file in files:
        if named_sha256(file.path) and (state := _state(file.path)) and _known(file.path) != state:
            new.append(file.path)
            size += file.bytes
            if size > MAX_BYTES:
                return
    if not new:
        return
    with ThreadPoolExecutor(_AT_ONCE, "compare") as threads:
        for _ in threads.map(_compare, new):
            pass


def _compare(path: str) -> None:
    state = _state(path)
    try:
        sound = sha256_of(Path(path)) == named_sha256(path)
    except OSError:
        return
    if not sound:
        name = os.sep.join(Path(path).parts[-6:])
        raise LakeError(
            f"a data file of the lake ({name}) is damaged: it is not as it was written",
            hint="Run crosstrail lake repair.",
        )
    if state and state == _state(path):
        with _lock:
            _sound.put(path, state)


def _known(path: str) -> _State | None:
    with _lock:
        return _sound.get(path)


def _state(path: str) -> _State | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
