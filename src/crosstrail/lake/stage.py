"""One job of a collection: read some log files, write their events as Parquet files, one a partition.

Runs in a worker process, so it touches neither catalog nor ledger: nothing it writes counts until somebody commits it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache, partial
from hashlib import file_digest
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crosstrail import private
from crosstrail.lake.containers import LogEntry, entries
from crosstrail.lake.data_files import sealed
from crosstrail.lake.left_out import Kinds, count, count_kept_out
from crosstrail.lake.logs import LogContent, Problem, read_log
from crosstrail.lake.partition import partition_path
from crosstrail.lake.rows import RUN_ROWS, Columns, Row
from crosstrail.lake.sharding import Shard
from crosstrail.lake.sources.base import LogObject
from crosstrail.lake.sources.files import source_of
from crosstrail.models import AccountKey

_BATCH_ROWS = 2_048
"""Rows whose columns are made together: of fewer, the cost of making arrays shows."""
_BATCH_BYTES = 4 * 1024 * 1024
"""Of records whose columns are made together, whatever their number."""
_RUN_BYTES = 1024 * 1024
"""Of records that are held parsed, whatever their number."""
_STAGED_BYTES = 96 * 1024 * 1024
"""Of columns that are held before they are written: a job's 24 MB of events make half of it."""
_COLUMN_BYTES = 2
"""Of the columns of an event, for each of its record's: to add up their buffers takes longer than to make some of them."""
_MAX_PROBLEMS = 1_000
_ROW_GROUP_ROWS = 65_536
_DAY_MICROS = 86_400_000_000
_BY_TIME = attrgetter("cloud", "account", "micros")
_EVENTS_A_KEY = 8
"""What fewer events of an access key cost is a look at a row group that does not hold it."""
_SHORT_SPAN = 32
"""Rows of one partition one behind another: where they are fewer, a slice of every column takes longer than sorting them."""
_Key = tuple[str, str, int]
"""A partition: cloud, account, day since 1970."""
_UNIQUE = ("eventid", "requestid", "eventjson", "eventjsonchecksum", "sharedeventid")
"""Columns whose values hardly repeat: a dictionary of them would only cost."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How every file of a collection is read."""

    account: str
    """Whose the records are that name no account."""
    accounts: frozenset[AccountKey] | None
    """Whose events the files may bring; None for everybody's."""
    max_bytes: int
    """The most that one file may unpack to."""
    roots: tuple[str, ...]
    """What was collected: see sources.source_of."""
    shard: Shard | None = None
    """Which accounts this collector takes of them; None for all."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one call of `stage` reads. `prefix` begins the names of the files it writes below `folder`."""

    objects: tuple[LogObject, ...]
    folder: str
    prefix: str
    schema: bytes
    """The Arrow schema, serialised: a worker need not load Iceberg to make it."""
    terms: Terms


@dataclass(frozen=True, slots=True)
class Eventless:
    """A file named by the user, or a part of one, that was read without a problem and gave no event: `entries` files of these
    kinds were in it. Whether that is one is known when all its parts are."""

    log: LogObject
    kinds: frozenset[str]
    entries: int


@dataclass(slots=True)
class Staged:
    """What came of a job. `complete` are the objects read without a problem, with the number of events in each; `read` and
    `failed` count files, those in archives too. `problems` are the first ones."""

    files: list[str] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    read: int = 0
    failed: int = 0
    complete: list[tuple[LogObject, int]] = field(default_factory=list)
    damaged: list[tuple[LogObject, int]] = field(default_factory=list)
    """Objects of which a part could not be read, with the number of events of the rest."""
    left_out: Kinds = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    kept_out: dict[str, int] = field(default_factory=dict)
    """Events of accounts that the files do not speak for, by `cloud/account`."""
    eventless: list[Eventless] = field(default_factory=list)


def stage(job: Job) -> Staged:
    """Raises OSError when the lake's disk cannot be written; what is wrong with log files is in the answer."""
    return _Stage(job).run()


class _Stage:
    """One job: rows that wait for their columns, columns that wait to be written. Both are bounded in bytes."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._schema = pa.ipc.read_schema(pa.py_buffer(job.schema))
        self._columns = Columns(self._schema)
        self._verified: dict[str, bool] = {}
        self._done = Staged()
        self._source_of = lru_cache(4_096)(partial(source_of, roots=job.terms.roots))
        self._rows: list[Row] = []
        self._row_bytes = 0
        self._keys: list[_Key] = []
        """Of the rows whose columns wait to be made."""
        self._batch_bytes = 0
        self._parts: dict[_Key, list[pa.Table]] = defaultdict(list)
        self._part_bytes = 0

    def run(self) -> Staged:
        for log in self._job.objects:
            before = self._done.rows, self._done.problem_count
            log = _hashed(log)
            if log.verified is not None:
                self._verified[log.name] = log.verified
            eventless = self._read(log)
            events, problems = self._done.rows - before[0], self._done.problem_count - before[1]
            if eventless:
                self._done.eventless.append(eventless)
            elif problems:
                self._done.damaged.append((log, events))
            else:
                self._done.complete.append((log, events))
        self._end_run()
        self._to_columns()
        self._write()
        return self._done

    def _read(self, log: LogObject) -> Eventless | None:
        done = self._done
        events = problems = count = 0
        kinds: set[str] = set()
        try:
            for entry in entries(log, self._job.terms.max_bytes):
                content = self._entry(entry, log.owner)
                count += 1
                events += content.events
                problems += content.problem_count
                kinds |= content.left_out
        except OSError as error:
            done.failed += 1
            self._problem(Problem(log.name, "byte 0", error.strerror or "cannot be read"))
            return None
        return Eventless(log, frozenset(kinds), count) if log.named and not events and not problems else None

    def _entry(self, entry: LogEntry, owner: AccountKey | None) -> LogContent:
        done, content, shard = self._done, LogContent(), self._job.terms.shard
        for row in read_log(entry.name, entry.head, entry.chunks, self._job.terms.account, content, owner):
            if self._job.terms.accounts is not None and (row.cloud, row.account) not in self._job.terms.accounts:
                count_kept_out(done.kept_out, f"{row.cloud}/{row.account}")
                continue
            if shard and not shard.takes(row.cloud, row.account):
                continue
            self._rows.append(row)
            self._row_bytes += len(row.json)
            if len(self._rows) >= RUN_ROWS or self._row_bytes > _RUN_BYTES:
                self._end_run()
        if entry.damages:
            content.damaged(entry.name, entry.damages)
        done.bytes += content.bytes
        done.rows += content.events
        done.problems += content.problems[: _MAX_PROBLEMS - len(done.problems)]
        done.problem_count += content.problem_count
        done.failed += content.problem_count > 0
        done.read += not content.problem_count and (content.events > 0 or not content.left_out)
        for kind in content.left_out:
            count(done.left_out, kind, entry.name)
        return content

    def _problem(self, problem: Problem) -> None:
        self._done.problem_count += 1
        if len(self._done.problems) < _MAX_PROBLEMS:
            self._done.problems.append(problem)

    def _end_run(self) -> None:
        """Adds the rows to the columns, by partition and time."""
        rows = self._rows
        if not rows:
            return
        rows.sort(key=_BY_TIME)
        self._columns.add(rows, self._source_of, self._verified)
        keys = [(cloud, account, micros // _DAY_MICROS) for cloud, account, micros in map(_BY_TIME, rows)]
        self._keys += keys
        self._batch_bytes += self._row_bytes
        self._rows, self._row_bytes = [], 0
        if len(self._keys) >= _BATCH_ROWS or self._batch_bytes > _BATCH_BYTES:
            self._to_columns()

    def _to_columns(self) -> None:
        """Adds a table to each partition that the rows touch."""
        keys, table = self._keys, self._columns.table()
        spans = _spans(keys)
        if len(spans) * _SHORT_SPAN > len(keys) and len(spans) > len(set(keys)):
            table = table.take(pa.array(sorted(range(len(keys)), key=keys.__getitem__)))
            spans = _spans(sorted(keys))
        start = 0
        for key, length in spans:
            self._parts[key].append(table.slice(start, length))
            start += length
        self._part_bytes += _COLUMN_BYTES * self._batch_bytes
        self._keys, self._batch_bytes = [], 0
        if self._part_bytes > _STAGED_BYTES:
            self._write()

    def _write(self) -> None:
        for key, tables in sorted(self._parts.items()):
            path = _path(self._job, key, len(self._done.files))
            private.make_folder(path.parent)
            write_parquet([pa.concat_tables(tables)], path, self._schema)
            self._done.files.append(str(sealed(path)))
        self._parts.clear()
        self._part_bytes = 0


def _spans(keys: Sequence[_Key]) -> list[tuple[_Key, int]]:
    return [(key, len(list(same))) for key, same in groupby(keys)]


def _hashed(log: LogObject) -> LogObject:
    """With its SHA-256, unless that is known, or it is a part of a file. What cannot be read is found out by reading it."""
    if log.sha256 or log.part[1] > 1:
        return log
    try:
        with open(log.path, "rb") as file:
            return log._replace(sha256=file_digest(file, "sha256").hexdigest())
    except OSError:
        return log


def write_parquet(parts: Iterable[pa.Table], path: Path, schema: pa.Schema) -> None:
    """One data file of the rows of `parts`, which are already in the order wanted; no part is needed twice."""
    named = [name for name in schema.names if name not in _UNIQUE]
    leaves = [leaf for name in named for leaf in _leaves(schema.field(name))]
    rest = iter(parts)
    first = next(rest, None)
    ids = 1 if first is None else max(1, min(first.num_rows, _ROW_GROUP_ROWS))
    private.create(path)
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=leaves,
        write_statistics=["eventtime", "account", "cloud", "eventname", "access_key_id", "verified"],
        store_schema=False,
        bloom_filter_options={
            "eventid": {"ndv": ids, "fpp": 0.01},
            "access_key_id": {"ndv": max(1, ids // _EVENTS_A_KEY), "fpp": 0.01},
        },
        write_page_checksum=True,  # of zstd's frames nothing else tells a flipped bit
    ) as writer:
        for part in chain(() if first is None else (first,), rest):
            if part.num_rows:  # a row group without rows has no statistics, and then the file has none
                writer.write_table(part, row_group_size=_ROW_GROUP_ROWS)


def _path(job: Job, key: _Key, number: int) -> Path:
    cloud, account, days = key
    day = (date(1970, 1, 1) + timedelta(days=days)).isoformat()
    return Path(job.folder) / partition_path(cloud, account, day) / f"{job.prefix}-{number:04d}.parquet"


def _leaves(field: pa.Field, path: str = "") -> Sequence[str]:
    """The Parquet paths of a column's leaves."""
    path = f"{path}.{field.name}" if path else field.name
    kind = field.type
    if pa.types.is_struct(kind):
        return [leaf for part in kind for leaf in _leaves(part, path)]
    if pa.types.is_map(kind):
        return [f"{path}.key_value.key", f"{path}.key_value.value"]
    if pa.types.is_list(kind):
        return _leaves(pa.field("element", kind.value_type), f"{path}.list")
    return [path]
