"""Many small data files of one partition made into fewer, so that lookups stay fast after many small collections.

Decides which files are worth it and when replaced files may go. It changes no event: a partition holds the same rows
before and after. Files are merged until what they unpack to fills one of the size wanted, and a full one is never read
again, so the memory of a compaction does not grow with a partition, nor the work with a lake. Losing a race to another
process is no error; somebody compacts later. A failure leaves the lake as it was, and none of its own files behind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

from crosstrail.errors import LakeError
from crosstrail.lake.data_files import named_sha256, sealed
from crosstrail.lake.faults import damage_of
from crosstrail.lake.keeping import KEEP_SNAPSHOTS
from crosstrail.lake.snapshot import LakeFile
from crosstrail.lake.table import CommitLost, LakeTable

MAX_FILES = 16
"""Of a partition, that are not full, before it is compacted."""
FULL_BYTES = 64 * 1024 * 1024
"""Unpacked; at most twice as much becomes one file. Arrow takes about three times that while it is sorted."""
_MERGES_A_COMMIT = 32
_LINKS_A_COMMIT = 5_000
_VERIFY = "`crosstrail lake verify` names every damaged one."
_SORTED_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class _Small:
    """A file that is not full."""

    file: LakeFile
    unpacked: int


def compact(table: LakeTable, prefix: str, *, max_files: int | None = None, keep: timedelta = KEEP_SNAPSHOTS) -> int:
    """Returns how many data files were replaced. New files begin with `prefix`, the name of a living run.

    `max_files` that are not full may stay in a partition (None: MAX_FILES); `keep`: how long replaced ones stay for readers
    and for AS OF. Raises what reading and writing files raises.
    """
    replaced = number = 0
    base = table.snapshot()
    groups = _groups(table, base.files, MAX_FILES if max_files is None else max_files)
    while some := list(islice(groups, _MERGES_A_COMMIT)):
        made: list[Path] = []
        try:
            for group in some:
                path = Path(group[0].path).parent / f"{prefix}-compact-{number:06d}.parquet"
                number += 1
                table.fetch(group)
                made.append(_write_one([file.path for file in group], path))
            old = {file.path for group in some for file in group}
            table.commit(base, made, old)
        except CommitLost:
            if not table.names(made):
                _remove(made)
                break
        except BaseException:
            _remove(made)
            raise
        replaced += len(old)
        base = table.snapshot()
    # Also what a correction or a conflict replaced, whoever compacted nothing.
    table.expire(datetime.now(UTC) - keep)
    return replaced


def give_hashes(table: LakeTable, prefix: str) -> int:
    """Names the data files of an older version by their hashes, without a copy: how many. Raises OSError for a damaged one."""
    named = 0
    base = table.snapshot()
    unnamed = iter([file for file in base.files if not named_sha256(file.path)])
    while files := list(islice(unnamed, _LINKS_A_COMMIT)):
        made: list[Path] = []
        some = [file.path for file in files]
        try:
            table.fetch(files)
            for path in some:
                if reason := damage_of(path, thorough=True):  # it would get the right hash of wrong contents
                    raise LakeError(f"a data file of the lake {reason[0]}", hint=_VERIFY).about(path)
                link = Path(path).with_name(f"{prefix}-named-{named + len(made):06d}.parquet")
                link.hardlink_to(path)
                made.append(link)
                made[-1] = sealed(link)
            table.commit(base, made, set(some))
        except CommitLost:
            if not table.names(made):
                _remove(made)
                break
        except BaseException:
            _remove(made)
            raise
        named += len(some)
        base = table.snapshot()
    return named


def _remove(files: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)


def _groups(table: LakeTable, files: tuple[LakeFile, ...], max_files: int) -> Iterator[list[LakeFile]]:
    """What becomes one file each: neighbours in time, so that the new files overlap as little as the old ones."""
    partitions: dict[tuple[str, str, date], list[LakeFile]] = defaultdict(list)
    for file in files:
        partitions[*file.key, file.day].append(file)
    for members in partitions.values():
        if len(members) <= max_files:
            continue
        table.fetch(file for file in members if file.bytes < 2 * FULL_BYTES)
        small = [one for one in map(_measured, members) if one.unpacked < FULL_BYTES]
        if len(small) <= max_files:
            continue
        group: list[LakeFile] = []
        size = 0
        for one in sorted(small, key=lambda each: (each.file.first, each.file.path)):
            if size + one.unpacked > 2 * FULL_BYTES:
                yield group
                group, size = [], 0
            group.append(one.file)
            size += one.unpacked
        if len(group) > 1:
            yield group


def _measured(file: LakeFile) -> _Small:
    import pyarrow.parquet as pq

    if file.bytes >= 2 * FULL_BYTES:
        return _Small(file, file.bytes)
    footer = pq.read_metadata(file.path)
    # Compressed sizes say nothing. What a dictionary hides of other columns is in eventjson, which has none.
    return _Small(file, sum(footer.row_group(index).total_byte_size for index in range(footer.num_row_groups)))


def _write_one(files: list[str], path: Path) -> Path:
    """The name that the new file has when it is complete; a failure leaves none."""
    try:
        _merge(files, path)
        return sealed(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _merge(files: list[str], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from crosstrail.lake.schema import ARROW_SCHEMA
    from crosstrail.lake.stage import write_parquet

    # Verified, because a copy of damaged pages would have right checksums.
    merged = pa.concat_tables(
        pq.read_table(file, schema=ARROW_SCHEMA, partitioning=None, page_checksum_verification=True) for file in files
    )
    order = pc.sort_indices(merged, sort_keys=[("eventtime", "ascending")])
    parts = (
        merged.take(order.slice(start, _SORTED_ROWS)).cast(ARROW_SCHEMA)
        for start in range(0, len(merged), _SORTED_ROWS)
    )
    write_parquet(parts, path, ARROW_SCHEMA)
    del merged
    pa.default_memory_pool().release_unused()
