"""The three forms of exported records: JSON lines, the same packed by gzip, Parquet. Each is written and read as a stream.

Decides how a record stands in a file. The bytes of a record are its line, or the text in Parquet's column `eventjson` (of a
row of a result: `row`); whatever stands beside it is for readers, and proves nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import IO, TYPE_CHECKING, NamedTuple

from crosstrail.errors import InvalidRequest
from crosstrail.evidence.manifest import Form, Kind

if TYPE_CHECKING:
    import pyarrow as pa

_GZIP_LEVEL = 4
_GROUP_BYTES = 4 * 2**20
_GROUP_ROWS = 20_000
_KEPT = 2**20
"""Of a line: what is there to tell the record's id by."""
_CHUNK = 2**20


class ExportedRecord(NamedTuple):
    """One original record; `text` is as its cloud wrote it. Of a row alone `text` is there: the row as JSON."""

    text: bytes
    cloud: str = ""
    account: str = ""
    event_id: str = ""
    source: str = ""
    """The object it was read from; empty where an API gave it."""
    verified: bool | None = None
    """Whether that object passed the validation of its digests; None where nobody tried."""


class Damaged(Exception):
    """A file of records that ends in the middle, or is not of its form."""


class StoredRecord(NamedTuple):
    """One record as a file has it; `text` is its beginning where it is very long."""

    sha256: str
    text: bytes


class Sink(ABC):
    """Takes records one after the other. The file is closed by whoever opened it."""

    def __init__(self, file: IO[bytes], kind: Kind) -> None:
        self._file = file
        self._kind = kind

    @abstractmethod
    def add(self, text: bytes, record: ExportedRecord) -> None:
        """`text`: the record on one line. Raises OSError."""

    @abstractmethod
    def finish(self) -> None:
        """Everything is in the file afterwards. Raises OSError."""


class _Lines(Sink):
    def add(self, text: bytes, record: ExportedRecord) -> None:
        self._file.write(text)
        self._file.write(b"\n")

    def finish(self) -> None:
        self._file.flush()


class _Packed(Sink):
    def __init__(self, file: IO[bytes], kind: Kind) -> None:
        super().__init__(file, kind)
        self._packed = gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0)
        self._waiting = bytearray()

    def add(self, text: bytes, record: ExportedRecord) -> None:
        self._waiting += text
        self._waiting += b"\n"
        if len(self._waiting) > 1 << 18:  # each call of it costs more than a short line
            self._packed.write(self._waiting)
            self._waiting.clear()

    def finish(self) -> None:
        self._packed.write(self._waiting)
        self._packed.close()
        self._file.flush()


class _Parquet(Sink):
    """Columns: `row` of a result's rows; of records what the index of records says, and `eventjson`."""

    def __init__(self, file: IO[bytes], kind: Kind) -> None:
        super().__init__(file, kind)
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = (
            ("row",) if kind == "rows" else ("cloud", "account", "eventid", "source_object", "verified", "eventjson")
        )
        self._schema = pa.schema([pa.field(name, pa.bool_() if name == "verified" else pa.string()) for name in names])
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd", write_page_checksum=True)
        self._rows: list[tuple[object, ...]] = []
        self._size = 0

    def add(self, text: bytes, record: ExportedRecord) -> None:
        try:
            shown = text.decode()
        except UnicodeDecodeError:
            raise InvalidRequest(
                "a record is no UTF-8, which Parquet's texts are", hint="Export it as JSON lines."
            ) from None
        about = (record.cloud, record.account, record.event_id, record.source or None, record.verified)
        self._rows.append((*about, shown) if self._kind == "records" else (shown,))
        self._size += len(text)
        if self._size > _GROUP_BYTES or len(self._rows) >= _GROUP_ROWS:
            self._write()

    def _write(self) -> None:
        self._writer.write_table(_table(self._schema, self._rows))
        self._rows.clear()
        self._size = 0

    def finish(self) -> None:
        if self._rows:
            self._write()
        self._writer.close()
        self._file.flush()


def _table(schema: pa.Schema, rows: list[tuple[object, ...]]) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True))
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def sink_of(form: Form) -> Callable[[IO[bytes], Kind], Sink]:
    return {"jsonl": _Lines, "jsonl.gz": _Packed, "parquet": _Parquet}[form]


def records_in(file: IO[bytes], form: Form, kind: Kind) -> Iterator[StoredRecord]:
    """The records of a file, in order. Raises Damaged, after those that can be read; OSError."""
    if form == "parquet":
        yield from _rows(file, "row" if kind == "rows" else "eventjson")
    elif form == "jsonl":
        yield from _lines(file)
    else:
        with closing(gzip.GzipFile(fileobj=file)) as packed:
            try:
                yield from _lines(packed)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise Damaged("the gzip stream is broken or ends too early") from error


def _lines(file: IO[bytes] | gzip.GzipFile) -> Iterator[StoredRecord]:
    """Each line; what follows the last line break is a record too, since nothing may hide there."""
    while first := file.readline(_CHUNK):
        if first.endswith(b"\n"):
            yield StoredRecord(hashlib.sha256(first[:-1]).hexdigest(), first[:-1])
            continue
        digest, part = hashlib.sha256(), first
        while part and not part.endswith(b"\n"):
            digest.update(part)
            part = file.readline(_CHUNK)
        digest.update(part[:-1])
        yield StoredRecord(digest.hexdigest(), first[:_KEPT])


def _rows(file: IO[bytes], column: str) -> Iterator[StoredRecord]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InvalidRequest("Parquet cannot be read here", hint="Install crosstrail[lake].") from None
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            for batch in parquet.iter_batches(1000, columns=[column]):
                for value in batch.column(0).to_pylist():
                    raw = value.encode() if isinstance(value, str) else b""
                    yield StoredRecord(hashlib.sha256(raw).hexdigest(), raw)
    except (pa.ArrowException, OSError, IndexError, KeyError) as error:
        raise Damaged("the Parquet file is damaged") from error
