"""Many small data files of one partition made into one, so that lookups stay fast after many small collections.

Decides which partitions are worth it and when replaced files may go. It changes no event: a partition holds the same
rows before and after. Losing a race to another process is no error; somebody compacts later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from crosstrail.lake.table import CommitLost, LakeFile, LakeTable

MOST_FILES = 16
"""Of a partition, before it is compacted."""
_MOST_BYTES = 256 * 1024 * 1024
"""Of the files that become one: what is read into memory, several times that once unpacked."""
_KEPT = timedelta(hours=24)
"""How long readers may go on with the files that were replaced."""


def compact(table: LakeTable, prefix: str) -> int:
    """Returns how many data files were replaced. New files begin with `prefix`, the name of a living run."""
    replaced = 0
    base = table.snapshot()
    for number, group in enumerate(_groups(base.files)):
        path = Path(group[0].path).parent / f"{prefix}-compact-{number:04d}.parquet"
        _write_one([file.path for file in group], path)
        try:
            table.commit(base, [path], {file.path for file in group})
        except CommitLost:
            path.unlink()
            break
        replaced += len(group)
        base = table.snapshot()
    if replaced:
        table.expire(datetime.now(UTC) - _KEPT)
    return replaced


def _groups(files: tuple[LakeFile, ...]) -> Iterator[list[LakeFile]]:
    partitions: dict[tuple[str, str, date], list[LakeFile]] = defaultdict(list)
    for file in files:
        partitions[*file.key, file.day].append(file)
    for members in partitions.values():
        small: list[LakeFile] = []
        for file in sorted(members, key=lambda one: one.bytes):
            if sum(one.bytes for one in small) + file.bytes <= _MOST_BYTES:
                small.append(file)
        if len(small) > MOST_FILES:
            yield small


def _write_one(files: list[str], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from crosstrail.lake.schema import ARROW_SCHEMA
    from crosstrail.lake.stage import write_parquet

    whole = pa.concat_tables(pq.read_table(file, schema=ARROW_SCHEMA, partitioning=None) for file in files)
    write_parquet(whole.sort_by("eventtime").cast(ARROW_SCHEMA), path)
