"""Staged files into the table, each event once.

Decides which staged events are new: by (cloud, account, event id), against everything committed for those accounts. A
commit holds only when nobody committed since that comparison; otherwise it is made again against the new snapshot. The
first copy of an event stays; a later one with other content is reported, for it may be a forgery.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from crosstrail.errors import LakeBusy
from crosstrail.lake.partition import partition_of
from crosstrail.lake.reader import quoted
from crosstrail.lake.table import CommitLost, LakeTable, Snapshot

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

_MOST_TRIES = 60
_LONGEST_PAUSE = 1.0
_COPIED_ROWS = 16_384
_COMPARED_PAIRS = 2_000
"""Whose texts are in memory together."""

_IDS = """
SELECT cloud, account, eventid, eventjsonchecksum AS checksum, filename AS file, file_row_number AS row
FROM read_parquet([{files}], hive_partitioning = false, filename = true, file_row_number = true)
"""
_TOUCHED = """
SELECT DISTINCT filename FROM read_parquet([{files}], hive_partitioning = false, filename = true)
SEMI JOIN fresh USING (cloud, account, eventid)
"""
_OLDER = "UNION ALL SELECT *, 0 AS turn FROM ({ids}) SEMI JOIN fresh USING (cloud, account, eventid)"
_REPEATS = """
WITH copies AS (SELECT *, 1 AS turn FROM fresh {older}),
counted AS (SELECT *, count(*) OVER (PARTITION BY cloud, account, eventid) AS copies FROM copies),
ranked AS (
    SELECT file, row, turn, checksum, row_number() OVER copy AS nth, first_value(file) OVER copy AS kept_file,
        first_value(row) OVER copy AS kept_row, first_value(checksum) OVER copy AS kept_checksum
    FROM counted WHERE copies > 1
    WINDOW copy AS (PARTITION BY cloud, account, eventid ORDER BY turn, parse_filename(file), row)
)
SELECT file, row, kept_file, kept_row, checksum = kept_checksum FROM ranked WHERE nth > 1 AND turn = 1
"""


@dataclass(frozen=True, slots=True)
class Conflict:
    """An event that came again with other content. `source` is the object of the copy that was kept out."""

    cloud: str
    account: str
    event_id: str
    source: str


@dataclass(frozen=True, slots=True)
class Appended:
    """`known` counts the events that the table had already, or that came twice."""

    new: int
    known: int
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    """A staged row that is not to go in, and the copy of it that is kept."""

    file: str
    row: int
    kept_file: str
    kept_row: int
    same: bool


def append(table: LakeTable, staged: Sequence[Path]) -> Appended:
    """Commits the events of `staged` that are new, as one snapshot. Files named by no snapshot are deleted.

    Raises LakeBusy when others kept committing first.
    """
    import pyarrow.parquet as pq

    rows = {str(path): pq.read_metadata(path).num_rows for path in staged}
    for attempt in range(_MOST_TRIES):
        base = table.snapshot()
        if rows and rows.keys() <= {file.path for file in base.files}:
            return Appended(sum(rows.values()), 0, ())  # a commit that was reported lost had landed
        repeats = _repeats(staged, base)
        kept = [_without(path, repeats.get(str(path), ()), rows[str(path)], attempt) for path in staged]
        added = [path for path in kept if path]
        try:
            if added:
                table.commit(base, added)
        except CommitLost:
            for path, original in zip(kept, staged, strict=True):
                if path and path != original:
                    path.unlink(missing_ok=True)
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.02 * 2**attempt)))  # noqa: S311 - no secret
            continue
        conflicts = _conflicts([one for group in repeats.values() for one in group if not one.same])
        for path, original in zip(kept, staged, strict=True):
            if path != original:
                original.unlink(missing_ok=True)
        known = sum(len(group) for group in repeats.values())
        return Appended(sum(rows.values()) - known, known, conflicts)
    raise LakeBusy("other processes kept committing to this lake", hint="Collect again: nothing was lost.")


def _repeats(staged: Sequence[Path], base: Snapshot) -> dict[str, list[_Repeat]]:
    """Staged file -> its rows that the table has, or that an earlier staged row has."""
    accounts = {partition_of(path)[:2] for path in staged}
    committed = [file.path for file in base.files if file.key in accounts]
    found: dict[str, list[_Repeat]] = defaultdict(list)
    if not staged:
        return found
    fresh = _IDS.format(files=_list(map(str, staged)))
    connection = _connect()
    try:
        connection.execute(f"CREATE TEMP TABLE fresh AS {fresh}")
        if committed:  # of most files the ids alone are read: everything else would more than double the time
            committed = [name for (name,) in connection.execute(_TOUCHED.format(files=_list(committed))).fetchall()]
        older = _OLDER.format(ids=_IDS.format(files=_list(committed))) if committed else ""
        rows = connection.execute(_REPEATS.format(older=older)).fetchall()
    except RuntimeError as error:  # DuckDB's word for Ctrl-C in the middle of a statement
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from None
    finally:
        connection.close()
    for row in rows:
        found[row[0]].append(_Repeat(*row))
    return found


def _list(files: Iterable[str]) -> str:
    return ", ".join(quoted(path) for path in files)


def _connect() -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(":memory:", config={"threads": "2", "memory_limit": "2GB"})


def _without(path: Path, repeats: Sequence[_Repeat], rows: int, attempt: int) -> Path | None:
    """The file to commit: `path` itself when nothing repeats, a copy without the repeats, or none when all do."""
    import pyarrow.parquet as pq

    from crosstrail.lake.stage import write_parquet

    if not repeats:
        return path
    if len(repeats) == rows:
        return None
    copy = path.with_name(f"{path.stem}-{attempt}.parquet")
    with pq.ParquetFile(path) as file:
        write_parquet(_others(file, {repeat.row for repeat in repeats}), copy, file.schema_arrow)
    return copy


def _others(file: pq.ParquetFile, dropped: set[int]) -> Iterator[pa.Table]:
    """The rows of the file but those numbers, a part at a time."""
    import pyarrow as pa

    first = 0
    for batch in file.iter_batches(_COPIED_ROWS):
        kept = pa.array([number not in dropped for number in range(first, first + batch.num_rows)])
        first += batch.num_rows
        yield pa.Table.from_batches([batch.filter(kept)])


def _conflicts(pairs: Sequence[_Repeat]) -> tuple[Conflict, ...]:
    """Of the pairs whose texts differ, those whose content does: another order of keys is the same event."""
    in_order = sorted(pairs, key=lambda pair: (pair.kept_file, pair.kept_row))
    found: list[Conflict] = []
    for start in range(0, len(in_order), _COMPARED_PAIRS):
        some = in_order[start : start + _COMPARED_PAIRS]
        wanted: dict[str, set[int]] = defaultdict(set)
        for pair in some:
            wanted[pair.file].add(pair.row)
            wanted[pair.kept_file].add(pair.kept_row)
        events = {(file, row): event for file, rows in wanted.items() for row, event in _rows(file, sorted(rows))}
        for pair in some:
            later, kept = events[pair.file, pair.row], events[pair.kept_file, pair.kept_row]
            if orjson.loads(later["eventjson"]) != orjson.loads(kept["eventjson"]):
                found.append(Conflict(later["cloud"], later["account"], later["eventid"], later["source_object"]))
    return tuple(found)


def _rows(file: str, numbers: Sequence[int]) -> Iterator[tuple[int, dict[str, str]]]:
    """These rows of the file, each with its number; only the row groups they lie in are read."""
    import pyarrow.parquet as pq

    columns = ["cloud", "account", "eventid", "source_object", "eventjson"]
    with pq.ParquetFile(file) as opened:
        first = 0
        for group in range(opened.metadata.num_row_groups):
            size = opened.metadata.row_group(group).num_rows
            inside = numbers[bisect_left(numbers, first) : bisect_left(numbers, first + size)]
            if inside:
                taken = opened.read_row_group(group, columns=columns).take([number - first for number in inside])
                yield from zip(inside, taken.to_pylist(), strict=True)
            first += size
