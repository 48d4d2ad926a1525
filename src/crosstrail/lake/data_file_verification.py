"""Whether the lake's data files are as they were written: every file read whole and compared with the hash in its name.

Decides what counts as damage and what a damaged file held; it changes nothing: see repair.py. Of a warehouse in a bucket the
bucket's own files are read, each into a file that goes at once; only a damaged copy of one in the mirror is dropped. Parquet has a checksum for each
page and none for its footer, and most readers look at neither, so one flipped bit may read back as other events. Files of
older lakes, which have no hash in their names, are compared with their page checksums alone, and counted as such.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.lake.data_files import named_sha256, sha256_of
from crosstrail.lake.faults import damage_of

if TYPE_CHECKING:
    from crosstrail.lake.snapshot import LakeFile
    from crosstrail.lake.table import LakeTable
    from crosstrail.lake.warehouse import Mirror

Progress = Callable[[int, int], None]
"""(data files done, data files in all); called from the thread that verifies."""
_AT_ONCE = 4
"""Hashing lets go of the interpreter: threads are enough. Each holds a quarter of a megabyte."""


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """A data file that is missing or not as it was written. `path` is relative to the lake; `rows` as the table lists them.

    `sources`: the log objects its events came from; empty where that cannot be read any more.
    """

    path: str
    reason: str
    cloud: str
    account: str
    day: date
    rows: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataFileVerification:
    """`unhashed` are the files that have no hash in their names; `list_damage` is empty or what is wrong with the table's own
    list of files. `copies_dropped`: sound files of a bucket, whose copies on this machine were damaged and are gone."""

    snapshot: int | None
    files: int
    events: int
    bytes: int
    unhashed: int
    damaged: tuple[DamagedFile, ...]
    list_damage: str = ""
    copies_dropped: int = 0

    @property
    def sound(self) -> bool:
        return not self.damaged and not self.list_damage


def verify(table: LakeTable, *, progress: Progress | None = None) -> DataFileVerification:
    """Reads every data file of the newest snapshot. Raises LakeError where the table's metadata cannot be read."""
    snapshot = table.snapshot()
    files = snapshot.files
    mirror = table.mirror
    damaged = []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lake-verify") as pool:
        examined = pool.map(partial(_examined, table.folder, mirror), files)
        for done, found in enumerate(examined, start=1):
            if found:
                damaged.append(found)
            if progress:
                progress(done, len(files))
        dropped = sum(pool.map(mirror.drop_damaged, [file.path for file in files])) if mirror else 0
    return DataFileVerification(
        snapshot.id,
        len(files),
        sum(file.rows for file in files),
        sum(file.bytes for file in files),
        sum(not named_sha256(file.path) for file in files),
        tuple(damaged),
        _list_damage(table, files),
        dropped,
    )


def _examined(lake: Path, mirror: Mirror | None, file: LakeFile) -> DamagedFile | None:
    """Raises CloudError where a bucket cannot be asked."""
    sources: tuple[str, ...] = ()
    try:
        with mirror.copied(file.path) if mirror else nullcontext(Path(file.path)) as path:
            reason = _damage(file, path)
            sources = _sources(path) if reason else ()
    except FileNotFoundError:
        reason = "is missing"
    if not reason:
        return None
    relative = os.path.relpath(file.path, lake)
    return DamagedFile(relative, reason, file.cloud, file.account, file.day, file.rows, sources)


def _list_damage(table: LakeTable, files: Sequence[LakeFile]) -> str:
    """Iceberg's lists have no checksum either; their number of files and rows stands in the table's metadata once more."""
    stated = table.stated_totals()
    found = len(files), sum(file.rows for file in files)
    if stated is None or stated == found:
        return ""
    return f"it names {found[0]:,} files with {found[1]:,} events, the table's metadata says {stated[0]:,} with {stated[1]:,}"


def _damage(file: LakeFile, path: Path) -> str:
    """What is wrong with the file that is at `path`, as the end of a sentence; empty for a sound one. Raises
    FileNotFoundError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"has {size:,} bytes instead of {file.bytes:,}"
        if (expected := named_sha256(file.path)) and sha256_of(path) != expected:
            return "is not as it was written: its SHA-256 is another one"
        if not expected and (reason := damage_of(str(path), thorough=True)):
            return reason[0]
        rows = pq.read_metadata(path).num_rows
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        return getattr(error, "strerror", "") or "cannot be read"
    return "" if rows == file.rows else f"holds {rows:,} events, the table lists {file.rows:,}"


def _sources(path: Path) -> tuple[str, ...]:
    """The column of the log objects, where its own pages are sound."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: set[str] = set()
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(columns=["source_object"]):
                found.update(filter(None, batch.column(0).to_pylist()))
    except (OSError, pa.ArrowException, ValueError):
        return ()
    return tuple(sorted(found))
