"""One job of a collection: read some log files, write their events as Parquet files, one a partition.

Runs in a worker process, so it touches neither catalog nor ledger: nothing it writes counts until somebody commits it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crosstrail.errors import CorruptLogFile
from crosstrail.lake.logs import Problem, read_log
from crosstrail.lake.partition import partition_path
from crosstrail.lake.rows import Row, to_table
from crosstrail.lake.sources import LogObject, read

_BATCH_ROWS = 1_000
"""Parsed records that are turned into columns together: of more, every column's pass finds them gone from the processor's
cache (a quarter more time at 2,000); of fewer, the cost of making arrays shows."""
_ROW_GROUP_ROWS = 65_536
_DAY_MICROS = 86_400_000_000
_UNIQUE = ("eventid", "requestid", "eventjson", "eventjsonchecksum", "sharedeventid")
"""Columns whose values hardly repeat: a dictionary of them would only cost."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one call of `stage` reads. `prefix` begins the names of the files it writes below `folder`."""

    objects: tuple[LogObject, ...]
    account: str
    folder: str
    prefix: str
    schema: bytes
    """The Arrow schema, serialised: a worker need not load Iceberg to make it."""


@dataclass(slots=True)
class Staged:
    """What came of a job. `whole` are the objects read without a problem, with the number of events in each."""

    files: list[str] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    whole: list[tuple[LogObject, int]] = field(default_factory=list)
    not_logs: list[LogObject] = field(default_factory=list)
    failed: list[LogObject] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def stage(job: Job) -> Staged:
    """Raises OSError when the lake's disk cannot be written; what is wrong with log files is in the answer."""
    schema = pa.ipc.read_schema(pa.py_buffer(job.schema))
    done = Staged()
    rows: list[Row] = []
    parts: dict[tuple[str, str, int], list[pa.Table]] = defaultdict(list)
    for log in job.objects:
        rows += _read(log, job.account, done)
        while len(rows) >= _BATCH_ROWS:
            _split(rows[:_BATCH_ROWS], schema, parts)
            del rows[:_BATCH_ROWS]
    _split(rows, schema, parts)
    for number, (key, tables) in enumerate(sorted(parts.items())):
        path = _path(job, key, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet([pa.concat_tables(tables)], path, schema)
        done.files.append(str(path))
    return done


def write_parquet(parts: Iterable[pa.Table], path: Path, schema: pa.Schema) -> None:
    """One data file of the rows of `parts`, which are already in the order wanted; no part is needed twice."""
    named = [name for name in schema.names if name not in _UNIQUE]
    leaves = [leaf for name in named for leaf in _leaves(schema.field(name))]
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=leaves,
        write_statistics=["eventtime", "account", "cloud", "eventname", "access_key_id"],
        store_schema=False,
    ) as writer:
        for part in parts:
            writer.write_table(part, row_group_size=_ROW_GROUP_ROWS)


def _read(log: LogObject, account: str, done: Staged) -> list[Row]:
    try:
        data, damage = read(log)
    except CorruptLogFile as error:
        done.failed.append(log)
        done.problems.append(Problem(log.name, error.position, error.reason))
        return []
    except OSError as error:
        done.failed.append(log)
        done.problems.append(Problem(log.name, "byte 0", error.strerror or "cannot be read"))
        return []
    content = read_log(data, log.name, account)
    if damage:
        content.is_log = True
        content.problems = [problem for problem in content.problems if problem.reason != "cut short"]
        content.problems.append(Problem(log.name, f"byte {len(data)}", damage))
    done.bytes += len(data)
    done.rows += len(content.rows)
    if not content.is_log:
        if log.named:
            content.problems.append(Problem(log.name, "byte 0", "holds no audit events"))
        else:
            done.not_logs.append(log)
            return []
    if content.problems:
        done.failed.append(log)
        done.problems += content.problems
    else:
        done.whole.append((log, len(content.rows)))
    return content.rows


def _split(rows: list[Row], schema: pa.Schema, parts: dict[tuple[str, str, int], list[pa.Table]]) -> None:
    """Sorts the rows by partition and time and adds a table to each partition they touch."""
    if not rows:
        return
    rows.sort(key=lambda row: (row.cloud, row.account, row.micros))
    table = to_table(rows, schema)
    keys = [(row.cloud, row.account, row.micros // _DAY_MICROS) for row in rows]
    start = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[start]:
            parts[keys[start]].append(table.slice(start, end - start))
            start = end


def _path(job: Job, key: tuple[str, str, int], number: int) -> Path:
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
