"""Which regions the data files of the lake hold events of.

Decides what is read and kept for it: one column of each file, once, because a committed file never changes. A partition
is an account's day, so this is what the days of a region cost. It never chooses files and knows no snapshot.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from crosstrail.accounts.lru import LeastRecentlyUsed

if TYPE_CHECKING:
    from crosstrail.lake.table import LakeFile

_MOST_FILES = 200_000
"""About 150 bytes each: most files hold the same few regions, which are kept once."""
_known: LeastRecentlyUsed[str, frozenset[str]] = LeastRecentlyUsed(_MOST_FILES)
_same: dict[frozenset[str], frozenset[str]] = {}
_lock = threading.Lock()


def regions_of(files: Iterable[LakeFile]) -> frozenset[str]:
    """Every region with an event in these files; a file that is not known yet takes about a millisecond. Raises OSError."""
    return frozenset().union(*(_regions(file.path) for file in files))


def unknown(files: Iterable[LakeFile]) -> int:
    """How many of these files would have to be read."""
    with _lock:
        return sum(_known.get(file.path) is None for file in files)


def _regions(path: str) -> frozenset[str]:
    with _lock:
        kept = _known.get(path)
    if kept is None:
        kept = _read(path)
        with _lock:
            if len(_same) > 10_000:
                _same.clear()
            kept = _same.setdefault(kept, kept)
            _known.put(path, kept)
    return kept


def _read(path: str) -> frozenset[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        column = pq.read_table(path, columns=["awsregion"], partitioning=None, read_dictionary=["awsregion"])[0]
    except pa.ArrowException as error:
        raise OSError(str(error)) from error
    return frozenset(value for value in column.unique().to_pylist() if value)
