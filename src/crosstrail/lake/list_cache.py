"""What the table's lists of data files say, kept in a form that is read a hundred times as fast as they are.

Decides nothing: a list is a file that never changes, and is known here by its name, so what is kept cannot be out of date, only
be missing. The file may be deleted at any time, and is not made where the lake cannot be written or has few data files. A hash
over all of it tells damage, and then the lists themselves are read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from crosstrail import private
from crosstrail.lake.partition import partition_path
from crosstrail.lake.snapshot import LakeFile

CACHE_FILE = "lists.cache"
MANY_FILES = 2_000
"""Data files: the lists of fewer are read in a tenth of a second."""
_HASH_BYTES = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Lists = Mapping[str, Sequence[LakeFile]]
"""The data files that each list names, by the list's own name."""
_Row = tuple[str, str, int, str, int, int, int, int, int, int]


def load(lake: Path) -> Lists:
    """Nothing where there is no such file, or a damaged one."""
    import msgspec

    with suppress(OSError, msgspec.MsgspecError, ValueError, OverflowError):
        content = (lake / CACHE_FILE).read_bytes()
        if sha256(content[_HASH_BYTES:]).digest() == content[:_HASH_BYTES]:
            kept = msgspec.msgpack.decode(content[_HASH_BYTES:], type=dict[str, list[_Row]])
            data = str(lake / "events" / "data")
            return {name: tuple(_file(row, data) for row in rows) for name, rows in kept.items()}
    return {}


def store(lake: Path, lists: Lists) -> None:
    """Keeps these and no others, where the lake can be written."""
    import msgspec

    payload = msgspec.msgpack.encode({name: [_row(file) for file in files] for name, files in lists.items()})
    new = lake / f"{CACHE_FILE}.{os.getpid()}"
    with suppress(OSError):
        try:
            private.create(new)
            new.write_bytes(sha256(payload).digest() + payload)
            new.replace(lake / CACHE_FILE)
        finally:
            new.unlink(missing_ok=True)


def _row(file: LakeFile) -> _Row:
    first, last = ((moment - _EPOCH) // _MICROSECOND for moment in (file.first, file.last))
    return (
        file.cloud,
        file.account,
        file.day.toordinal(),
        os.path.basename(file.path),
        file.rows,
        file.bytes,
        first,
        last,
        file.valid,
        file.failed,
    )


def _file(row: _Row, data: str) -> LakeFile:
    cloud, account, ordinal, name, rows, size, first, last, *judged = row
    day = date.fromordinal(ordinal)
    path = f"{data}/{_folder(cloud, account)}/{day.isoformat()}/{name}"
    times = _EPOCH + first * _MICROSECOND, _EPOCH + last * _MICROSECOND
    return LakeFile(path, cloud, account, day, rows, size, *times, *judged)


@lru_cache(10_000)
def _folder(cloud: str, account: str) -> str:
    """Of an account, as partition_path has it."""
    return partition_path(cloud, account, "")[:-1]
