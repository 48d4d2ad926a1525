"""The file of a query's rows as it is written: within its limits, in row groups that a reader of one page can hold.

Decides what is too large. It is the same for every engine, so that a page of results costs the same whoever ran the query.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from crosstrail import private
from crosstrail.engines.exporting import TooLarge

if TYPE_CHECKING:
    import pyarrow

_GROUP_BYTES = 4 * 2**20
"""Of a row group: what a reader of one page has in memory at once."""
_ROW_BYTES = 32 * 2**20


class ResultWriter:
    """Made for one file, which must not exist yet; `rows` counts those written."""

    def __init__(self, path: Path, schema: pyarrow.Schema, *, max_rows: int, max_bytes: int) -> None:
        import pyarrow.parquet as pq

        private.create(path)
        self.rows = 0
        self._size = 0
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._file = pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)

    def write(self, batch: pyarrow.RecordBatch) -> None:
        """Raises TooLarge, OSError."""
        self.rows += batch.num_rows
        self._size += batch.nbytes
        if self.rows > self._max_rows or self._size > self._max_bytes:
            limit = f"more than {self._max_rows} rows or {self._max_bytes // 2**20} MB"
            raise TooLarge(f"its result has {limit}; add LIMIT, fewer columns or an aggregate")
        for part in _parts(batch):
            self._file.write_batch(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def _parts(batch: pyarrow.RecordBatch) -> list[pyarrow.RecordBatch]:
    """The batch in row groups that a page's reader can hold."""
    step = max(1, batch.num_rows * _GROUP_BYTES // max(batch.nbytes, 1))
    parts = [batch.slice(first, step) for first in range(0, batch.num_rows, step)]
    if any(part.nbytes > max(_ROW_BYTES, _GROUP_BYTES) and part.num_rows == 1 for part in parts):
        raise TooLarge(f"a row of its result has more than {_ROW_BYTES // 2**20} MB; take a part of it with substr")
    return parts
