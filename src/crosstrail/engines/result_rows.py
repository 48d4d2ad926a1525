"""The rows of a finished query's result, as text: the part of its Parquet file that one page needs.

Decides which row groups are read. Whoever calls it has decided who may read the file, and bounds what is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crosstrail.engines.rendering import renderer
from crosstrail.engines.sql.types import Type


def read_rows(path: Path, types: Sequence[Type], offset: int, limit: int) -> tuple[tuple[str | None, ...], ...]:
    """Rows `offset` to `offset + limit`, reading only the row groups they lie in. Raises what Arrow does of a damaged file."""
    import pyarrow.parquet as pq

    render = [renderer(kind) for kind in types]
    rows: list[tuple[str | None, ...]] = []
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        first = 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if first + size > offset and len(rows) < limit:
                table = file.read_row_group(group).slice(max(0, offset - first), limit - len(rows))
                columns = [column.to_pylist() for column in table.columns]
                rows += [
                    tuple(show(value) for show, value in zip(render, cells, strict=True))
                    for cells in zip(*columns, strict=True)
                ]
            first += size
    return tuple(rows)
