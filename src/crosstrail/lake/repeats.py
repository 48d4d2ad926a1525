"""Which events of staged files are in the table already, or come twice among them.

Decides what is compared: hashes of ids first (event_ids.py), then the ids of the few events whose hash is known, in the data files
that may hold their copies. A copy has the same time with hardly an exception, so the files of that account and time are looked
at first, and all others of the account where a hash is found in none of them. It commits nothing and changes no file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.lake.data_files import named_sha256
from crosstrail.lake.faults import absence, data_fault, fault
from crosstrail.lake.partition import partition_of
from crosstrail.lake.reader import quoted
from crosstrail.lake.snapshot import LakeFile, Snapshot
from crosstrail.lake.table import LakeTable
from crosstrail.lake.versions import Repeat
from crosstrail.models import AccountKey

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_COVERED_ROWS = 4_000_000
"""Hashes that are sorted together, where no segment has them."""
_MAX_TRIES = 5
_MINUTE = 60

_HASH = "md5_number_lower(concat_ws('/', cloud, account, eventid))"
"""The same in every version of DuckDB, since it is kept. What it finds is compared."""
_FRESH = """
SELECT {hash} AS h, file_index::INTEGER AS file, (epoch_us(eventtime) // 60000000)::INTEGER AS minute
FROM read_parquet([{files}], hive_partitioning = false)
"""
_HASHES = "SELECT DISTINCT {hash} AS h FROM read_parquet([{files}], hive_partitioning = false) ORDER BY h"
_CANDIDATES = "SELECT h FROM fresh GROUP BY h HAVING count(*) > 1 UNION SELECT h FROM hits"
"""Hashes of all ids that come twice, and of some that do not."""
_IDS = """
SELECT cloud, account, eventid, eventjsonchecksum AS checksum, filename AS file, file_row_number AS row, {turn} AS turn
FROM read_parquet([{files}], hive_partitioning = false, filename = true, file_row_number = true)
WHERE {hash} IN (SELECT h FROM candidates)
"""
_ELSEWHERE = """
SELECT 1 FROM hits ANTI JOIN (
    SELECT {hash} AS h FROM read_parquet([{files}], hive_partitioning = false)
) USING (h) LIMIT 1
"""
"""Whether a hash is of none of the events of these files."""
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
class RepeatedEvents:
    """Staged file -> its rows that the table has, or that an earlier staged row has. `hashes`: of all staged ids, in order."""

    repeats: dict[str, list[Repeat]]
    hashes: pa.Array


def find_repeats(table: LakeTable, staged: Sequence[Path], base: Snapshot) -> RepeatedEvents:
    """First by a hash of each id, of which 16 bytes an event of the staged files are held: everything else is read of few rows.

    Raises LakeError for data files that are gone or cannot be read.
    """
    import duckdb
    import pyarrow as pa

    if not staged:
        return RepeatedEvents({}, pa.array([], pa.uint64()))
    accounts = {partition_of(path)[:2] for path in staged}
    known = {file.path: file for file in base.files if file.key in accounts}
    connection = duckdb.connect(":memory:", config={"threads": "2", "memory_limit": "2GB"})
    found: dict[str, list[Repeat]] = defaultdict(list)
    try:
        _check(table, known.values())
        comparison = _Comparison(connection, table, staged, known)
        for row in comparison.repeats():
            found[row[0]].append(Repeat(*row))
        return RepeatedEvents(found, comparison.hashes)
    except duckdb.Error as error:
        raise data_fault(str(error), list(known)) or fault(error, "the lake's events") from error
    except RuntimeError as error:  # DuckDB's word for Ctrl-C in the middle of a statement
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from None
    finally:
        connection.close()


def _check(table: LakeTable, files: Iterable[LakeFile]) -> None:
    """Nothing is added to a table whose files are gone, though most of them are not read: raises LakeError."""
    for file in files if table.mirror is None else ():
        if error := absence(file.path, file.bytes):
            raise error


class _Comparison:
    """Of some staged files with the data files of the same accounts."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: LakeTable,
        staged: Sequence[Path],
        known: dict[str, LakeFile],
    ) -> None:
        self._connection = connection
        self._table = table
        self._staged = staged
        self._known = known
        connection.execute(f"CREATE TEMP TABLE fresh AS {_FRESH.format(hash=_HASH, files=_list(map(str, staged)))}")
        self.hashes = self._sorted("SELECT DISTINCT h FROM fresh ORDER BY h")

    def repeats(self) -> list[tuple[str, int, str, int, bool]]:
        import pyarrow as pa

        hits = self._hits()
        self._connection.register("hit_hashes", pa.table({"h": hits}))
        self._connection.execute("CREATE TEMP TABLE hits AS SELECT DISTINCT h FROM hit_hashes")
        self._connection.execute(f"CREATE TEMP TABLE candidates AS {_CANDIDATES}")
        if not self._some("SELECT 1 FROM candidates LIMIT 1"):
            return []
        copies = [_IDS.format(hash=_HASH, files=_list(map(str, self._staged)), turn=1)]
        if files := self._with_copies() if len(hits) else []:
            copies.append(_IDS.format(hash=_HASH, files=_list(files), turn=0))
        return self._connection.execute(_REPEATS.format(copies=" UNION ALL ".join(copies))).fetchall()

    def _hits(self) -> pa.Array:
        """The hashes that data files have too."""
        import pyarrow as pa

        ids = self._table.event_ids
        for _ in range(_MAX_TRIES):
            uncovered = ids.uncovered(self._known)
            found = [self._remembered(some) for some in self._groups(path for path in uncovered if named_sha256(path))]
            if (hits := ids.known(self.hashes)) is not None:
                unnamed = self._groups(path for path in uncovered if not named_sha256(path))
                return pa.concat_arrays([hits, *found, *map(self._common, map(self._hashes_of, unnamed))])
        # others keep taking the segments away
        found = [self._common(self._hashes_of(some)) for some in self._groups(self._known)]
        return pa.concat_arrays([*found, self.hashes.slice(0, 0)])

    def _remembered(self, paths: Sequence[str]) -> pa.Array:
        """The hashes of these data files are written down; those that they have in common with the staged ones."""
        hashes = self._hashes_of(paths)
        with suppress(OSError):  # they are read again next time
            self._table.event_ids.add(hashes, paths)
        return self._common(hashes)

    def _groups(self, paths: Iterable[str]) -> Iterator[list[str]]:
        group: list[str] = []
        rows = 0
        for path in paths:
            if group and rows + self._known[path].rows > _COVERED_ROWS:
                yield group
                group, rows = [], 0
            group.append(path)
            rows += self._known[path].rows
        if group:
            yield group

    def _hashes_of(self, paths: Sequence[str]) -> pa.Array:
        self._table.fetch(self._known[path] for path in paths)
        return self._sorted(_HASHES.format(hash=_HASH, files=_list(paths)))

    def _common(self, others: pa.Array) -> pa.Array:
        import pyarrow.compute as pc

        return self.hashes.filter(pc.is_in(self.hashes, value_set=others))

    def _sorted(self, sql: str) -> pa.Array:
        import pyarrow as pa

        found: pa.Table = self._connection.sql(sql).to_arrow_table()
        return pa.concat_arrays([pa.array([], pa.uint64()), *found.column("h").chunks])

    def _some(self, sql: str) -> bool:
        return self._connection.execute(sql).fetchone() is not None

    def _with_copies(self) -> list[str]:
        """Data files that hold what the hits are of: those of the same minutes, unless one is in none of these."""
        minutes: dict[AccountKey, list[int]] = defaultdict(list)
        asked = "SELECT DISTINCT file, minute FROM fresh SEMI JOIN hits USING (h) ORDER BY minute"
        for number, minute in self._connection.execute(asked).fetchall():
            minutes[partition_of(self._staged[number])[:2]].append(minute)
        near = [path for path, file in self._known.items() if _meet(file, minutes[file.key])]
        self._table.fetch(self._known[path] for path in near)
        if near and not self._some(_ELSEWHERE.format(hash=_HASH, files=_list(near))):
            return near
        self._table.fetch(self._known.values())
        return list(self._known)


def _meet(file: LakeFile, minutes: Sequence[int]) -> bool:
    """Whether one of the minutes, which are in order, is between the file's first and last one."""
    place = bisect_left(minutes, _minute(file.first))
    return place < len(minutes) and minutes[place] <= _minute(file.last)


def _minute(moment: datetime) -> int:
    return int(moment.timestamp() // _MINUTE)


def _list(files: Iterable[str]) -> str:
    return ", ".join(quoted(path) for path in files)
