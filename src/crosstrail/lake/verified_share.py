"""How many of the events in data files are verified, as the table's lists of files say: no data file is opened for it.

But for files that hold both verified and failed events, which only `collect --verify --keep-failed` makes: of these one column
is read, once, because a committed file never changes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from crosstrail.accounts.lru_cache import LruCache
from crosstrail.coverage import NONE_READ, Verified
from crosstrail.lake.snapshot import MIXED

if TYPE_CHECKING:
    from crosstrail.lake.snapshot import LakeFile

_known: LruCache[str, Verified] = LruCache(10_000)
_lock = threading.Lock()


def verified_share(files: Iterable[LakeFile], *, here: bool = True) -> Verified:
    """Of all of these together. `here`: whether they are on this machine; else those that would have to be read prove nothing.

    Raises OSError.
    """
    valid = failed = events = 0
    mixed = NONE_READ
    for file in files:
        if file.valid != MIXED:
            valid, failed, events = valid + file.valid, failed + file.failed, events + file.rows
        else:
            mixed += _of_mixed(file.path) if here else Verified(untried=file.rows)
    return mixed + Verified(valid, failed, events - valid - failed)


def _of_mixed(path: str) -> Verified:
    with _lock:
        found = _known.get(path)
    if found is None:
        found = _read(path)
        with _lock:
            _known.put(path, found)
    return found


def _read(path: str) -> Verified:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            column = file.read(columns=["verified"])[0].to_pylist()
    except pa.ArrowException as error:
        raise OSError(str(error)) from error
    return Verified(column.count(True), column.count(False), column.count(None))
