"""Staged files into the table, each event once.

Decides which staged events are new: by (cloud, account, event id), against everything committed for those accounts. A
commit holds only when nobody committed since that comparison; otherwise it is made again against the new snapshot. What
becomes of one event's different contents is decided in versions.py; a committed file that such a row lies in is replaced.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.errors import LakeBusy
from crosstrail.lake.data_files import sealed, unsealed_stem
from crosstrail.lake.faults import data_fault, fault
from crosstrail.lake.partition import partition_of
from crosstrail.lake.reader import quoted
from crosstrail.lake.snapshot import Snapshot
from crosstrail.lake.table import CommitLost, LakeTable
from crosstrail.lake.versions import Change, Conflict, Repeat, changed, resolve

if TYPE_CHECKING:
    import duckdb
    import pyarrow.parquet as pq

_MAX_TRIES = 60
_LONGEST_PAUSE = 1.0

_FRESH = "SELECT hash(eventid) AS h FROM read_parquet([{files}], hive_partitioning = false)"
_HITS = """
SELECT DISTINCT filename, h FROM (
    SELECT filename, hash(eventid) AS h FROM read_parquet([{files}], hive_partitioning = false, filename = true)
) SEMI JOIN fresh USING (h)
"""
_CANDIDATES = "SELECT h FROM fresh GROUP BY h HAVING count(*) > 1 UNION SELECT h FROM hits"
"""Hashes of all ids that come twice, and of some that do not."""
_IDS = """
SELECT cloud, account, eventid, eventjsonchecksum AS checksum, filename AS file, file_row_number AS row, {turn} AS turn
FROM read_parquet([{files}], hive_partitioning = false, filename = true, file_row_number = true)
WHERE hash(eventid) IN (SELECT h FROM candidates)
"""
_REPEATS = """
WITH copies AS ({copies}),
counted AS (SELECT *, count(*) OVER (PARTITION BY cloud, account, eventid) AS copies FROM copies),
ranked AS (
    SELECT file, row, turn, checksum, row_number() OVER copy AS nth, first_value(file) OVER copy AS first_file,
        first_value(row) OVER copy AS first_row, first_value(checksum) OVER copy AS first_checksum
    FROM counted WHERE copies > 1
    WINDOW copy AS (PARTITION BY cloud, account, eventid ORDER BY turn, parse_filename(file), row)
)
SELECT file, row, first_file, first_row, checksum = first_checksum FROM ranked WHERE nth > 1 AND turn = 1
"""


@dataclass(frozen=True, slots=True)
class Appended:
    """`known` counts the events that the table had already, or that came twice."""

    new: int
    known: int
    conflicts: tuple[Conflict, ...]


def append(table: LakeTable, staged: Sequence[Path]) -> Appended:
    """Commits the events of `staged` that are new, as one snapshot. Files named by no snapshot are deleted.

    Raises LakeBusy when others kept committing first.
    """
    import pyarrow.parquet as pq

    footers = {str(path): pq.read_metadata(path) for path in staged}
    rows = {path: footer.num_rows for path, footer in footers.items()}
    proved = {path for path, footer in footers.items() if _has_verified(footer)}
    lost: list[Path] = []
    landed: Appended | None = None
    for attempt in range(_MAX_TRIES):
        base = table.snapshot()
        if landed and table.names(lost):
            _delete(set(staged) - set(lost))
            return landed  # the commit that was reported lost had been made
        _delete(set(lost) - set(staged))
        repeats = _repeats(table, staged, base)
        changes, conflicts = resolve((one for group in repeats.values() for one in group), proved)
        added: list[Path] = []
        for path, count in rows.items():
            dropped = {one.row for one in repeats.get(path, ())}
            if not dropped and path not in changes:
                added.append(Path(path))
            elif len(dropped) < count:
                added.append(_rewritten(path, dropped, changes.get(path, {}), f"{unsealed_stem(Path(path))}-{attempt}"))
        replaced = changes.keys() - rows.keys()
        for number, path in enumerate(sorted(replaced)):
            added.append(_rewritten(path, (), changes[path], f"{unsealed_stem(staged[0])}-{attempt}-{number:04d}"))
        known = sum(len(group) for group in repeats.values())
        appended = Appended(sum(rows.values()) - known, known, conflicts)
        try:
            if added:
                table.commit(base, added, replaced)
        except CommitLost:
            lost, landed = added, appended
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.02 * 2**attempt)))  # noqa: S311 - no secret
            continue
        _delete(set(staged) - set(added))
        return appended
    raise LakeBusy("other processes kept committing to this lake", hint="Collect again: nothing was lost.")


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _has_verified(footer: pq.FileMetaData) -> bool:
    """Whether any row of the file is of a log file that a digest proves, as its statistics say."""
    if not footer.num_row_groups:
        return False
    columns = range(footer.num_columns)
    [place] = [one for one in columns if footer.row_group(0).column(one).path_in_schema == "verified"]
    groups = (footer.row_group(number).column(place).statistics for number in range(footer.num_row_groups))
    return any(told and told.has_min_max and told.max for told in groups)


def _rewritten(path: str, dropped: Collection[int], changes: Mapping[int, Change], name: str) -> Path:
    """A file beside that one, with those rows left out and these changed."""
    from crosstrail.lake.schema import ARROW_SCHEMA
    from crosstrail.lake.stage import write_parquet

    copy = Path(path).with_name(f"{name}.parquet")
    write_parquet(changed(path, dropped, changes), copy, ARROW_SCHEMA)
    return sealed(copy)


def _repeats(table: LakeTable, staged: Sequence[Path], base: Snapshot) -> dict[str, list[Repeat]]:
    """Staged file -> its rows that the table has, or that an earlier staged row has.

    First by a hash of each id, of which 8 bytes an event of the staged files are held: everything else is read of few rows.
    """
    import duckdb

    accounts = {partition_of(path)[:2] for path in staged}
    known = [file for file in base.files if file.key in accounts]
    table.fetch(known)
    committed = [file.path for file in known]
    found: dict[str, list[Repeat]] = defaultdict(list)
    if not staged:
        return found
    connection = _connect()
    try:
        connection.execute(f"CREATE TEMP TABLE fresh AS {_FRESH.format(files=_list(map(str, staged)))}")
        hits = _HITS.format(files=_list(committed)) if committed else "SELECT '' AS filename, h FROM fresh LIMIT 0"
        connection.execute(f"CREATE TEMP TABLE hits AS {hits}")
        connection.execute(f"CREATE TEMP TABLE candidates AS {_CANDIDATES}")
        committed = [name for (name,) in connection.execute("SELECT DISTINCT filename FROM hits").fetchall()]
        copies = [_IDS.format(files=_list(map(str, staged)), turn=1)]
        copies += [_IDS.format(files=_list(committed), turn=0)] if committed else []
        some = connection.execute("SELECT 1 FROM candidates LIMIT 1").fetchone()
        rows = connection.execute(_REPEATS.format(copies=" UNION ALL ".join(copies))).fetchall() if some else []
    except duckdb.Error as error:
        raise data_fault(str(error), committed) or fault(error, "the lake's events") from error
    except RuntimeError as error:  # DuckDB's word for Ctrl-C in the middle of a statement
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from None
    finally:
        connection.close()
    for row in rows:
        found[row[0]].append(Repeat(*row))
    return found


def _list(files: Iterable[str]) -> str:
    return ", ".join(quoted(path) for path in files)


def _connect() -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(":memory:", config={"threads": "2", "memory_limit": "2GB"})
