"""Which regions the data files of the lake hold events of.

Decides what is read and kept for it: one column of each file, once, because a committed file never changes. A partition
is an account's day, so this is what the days of a region cost. It never chooses files and knows no snapshot.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from crosstrail.accounts.lru_cache import LruCache
from crosstrail.coverage import Days, day_bits, runs

if TYPE_CHECKING:
    from crosstrail.lake.snapshot import LakeFile

MAX_READ = 1_000
"""Data files that one call reads the column of: about a second. What is known is kept."""
_MAX_FILES = 200_000
"""About 150 bytes each: most files hold the same few regions, which are kept once."""
_known: LruCache[str, frozenset[str]] = LruCache(_MAX_FILES)
_same: dict[frozenset[str], frozenset[str]] = {}
_lock = threading.Lock()


def days_by_region(files: Iterable[LakeFile]) -> dict[str, Days]:
    """The days of these files that hold an event of each region. A file that is not known yet takes about a millisecond.

    Raises OSError.
    """
    found: defaultdict[str, set[date]] = defaultdict(set)
    for file in files:
        for region in _regions(file.path):
            found[region].add(file.day)
    return {region: runs(days) for region, days in found.items()}


def bits_by_region(files: Iterable[LakeFile], most: int, *, otherwise: str) -> tuple[dict[str, int], int]:
    """The days of these files that hold an event of each region, as bits (coverage.py), and how many files were read for it.

    At most `most` are; the days of the others are those of `otherwise`. Raises OSError.
    """
    alike: defaultdict[frozenset[str], int] = defaultdict(int)
    read, unread = 0, frozenset([otherwise])
    for file in files:
        with _lock:
            regions = _known.get(file.path)
        if regions is None and read < most:
            read += 1
            regions = _regions(file.path)
        alike[regions or unread] |= day_bits([(file.day, file.day)])
    found: defaultdict[str, int] = defaultdict(int)
    for regions, days in alike.items():
        for region in regions:
            found[region] |= days
    return dict(found), read


def holding(files: Iterable[LakeFile], region: str) -> list[LakeFile]:
    """Those of the files that have an event in the region. Raises OSError."""
    return [file for file in files if region in _regions(file.path)]


def unknown(files: Iterable[LakeFile]) -> int:
    """How many of these files would have to be read."""
    with _lock:
        return sum(_known.get(file.path) is None for file in files)


def _regions(path: str) -> frozenset[str]:
    with _lock:
        regions = _known.get(path)
    if regions is None:
        regions = _read(path)
        with _lock:
            if len(_same) > 10_000:
                _same.clear()
            regions = _same.setdefault(regions, regions)
            _known.put(path, regions)
    return regions


def _read(path: str) -> frozenset[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:  # not read_table, nor unique() of its column: the libraries they load take longer than all the files
        with pq.ParquetFile(path, read_dictionary=["awsregion"]) as file:
            column = file.read(columns=["awsregion"])[0]
    except pa.ArrowException as error:
        raise OSError(str(error)) from error
    return frozenset(value for chunk in column.chunks for value in chunk.dictionary.to_pylist() if value)
