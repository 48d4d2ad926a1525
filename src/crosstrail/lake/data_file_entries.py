"""A data file as the table's lists have it: described from its footer, and read back.

Decides what is said of a file: its partition from where it lies, its statistics from its footer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.lake.locations import Relocation
from crosstrail.lake.partition import partition_of
from crosstrail.lake.snapshot import LakeFile, verdicts

if TYPE_CHECKING:
    from pyiceberg.io.pyarrow import StatisticsCollector
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

_TOLD = {"write.metadata.metrics.column.verified": "full"}
"""So that the lists of files tell how many of the events in each are verified."""


def data_files(table: Table, paths: Iterable[Path], here: Relocation) -> Iterator[DataFile]:
    """Describes Parquet files that hold one partition's events each, from their footers."""
    from pyiceberg.io import pyarrow as files

    schema = table.schema()
    properties = table.properties | _TOLD  # which older tables do not say
    plan = files.compute_statistics_plan(schema, properties)  # which, like the next, takes longer than a footer
    ids = files.parquet_path_to_id_mapping(schema)
    for path in paths:
        yield _data_file(table, path, here, plan, ids)


def _data_file(
    table: Table, path: Path, here: Relocation, plan: dict[int, StatisticsCollector], ids: dict[str, int]
) -> DataFile:
    import pyarrow.parquet as pq
    from pyiceberg.io import pyarrow as files
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.typedef import Record

    statistics = files.data_file_statistics_from_parquet_metadata(pq.read_metadata(path), plan, ids)
    cloud, account, day = partition_of(path)
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=here.location(str(path)),
        file_format=FileFormat.PARQUET,
        partition=Record(cloud, account, (day - date(1970, 1, 1)).days),
        file_size_in_bytes=path.stat().st_size,
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def lake_file(file: DataFile, here: Relocation) -> LakeFile:
    from pyiceberg.conversions import from_bytes
    from pyiceberg.types import TimestampType

    from crosstrail.lake.schema import ICEBERG_SCHEMA

    field_id, verified = (ICEBERG_SCHEMA.find_field(name).field_id for name in ("eventtime", "verified"))
    first, last = (
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(from_bytes(TimestampType(), bounds[field_id])))
        for bounds in (file.lower_bounds, file.upper_bounds)
    )
    day = date(1970, 1, 1) + timedelta(days=file.partition[2])
    path = here(file.file_path)
    bounds = file.lower_bounds.get(verified), file.upper_bounds.get(verified)
    judged = verdicts(file.record_count, (file.null_value_counts or {}).get(verified), *bounds)
    return LakeFile(
        path,
        file.partition[0],
        file.partition[1],
        day,
        file.record_count,
        file.file_size_in_bytes,
        first,
        last,
        *judged,
    )
