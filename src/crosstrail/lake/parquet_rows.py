"""Rows as a Parquet file, typed: times as timestamps in UTC, integers as int64, flags as booleans, lists as lists of texts.

Decides how a cell of each kind is stored. Rows are held until a row group of them is full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO

from crosstrail.lake import require_libraries
from crosstrail.text import json_text

_GROUP = 50_000


class ParquetRows:
    """Raises LakeError where the libraries of the lake are missing."""

    def __init__(self, file: BinaryIO, columns: Sequence[tuple[str, str]]) -> None:
        """`columns`: (name, kind) of each; kinds are those of the command line's columns."""
        require_libraries()
        import pyarrow
        import pyarrow.parquet

        types = {
            "text": pyarrow.string(),
            "time": pyarrow.timestamp("us", tz="UTC"),
            "integer": pyarrow.int64(),
            "number": pyarrow.float64(),
            "flag": pyarrow.bool_(),
            "list": pyarrow.list_(pyarrow.string()),
            "record": pyarrow.string(),
        }
        self._kinds = [kind for _, kind in columns]
        self._schema = pyarrow.schema([(name, types[kind]) for name, kind in columns])
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._held: list[Sequence[object]] = []

    def write(self, row: Sequence[object]) -> None:
        self._held.append([_stored(kind, value) for kind, value in zip(self._kinds, row, strict=True)])
        if len(self._held) >= _GROUP:
            self._write_group()

    def close(self) -> None:
        self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        import pyarrow

        if not self._held:
            return
        values = zip(*self._held, strict=True)
        arrays = [pyarrow.array(list(one), field.type) for one, field in zip(values, self._schema, strict=True)]
        self._writer.write_batch(pyarrow.record_batch(arrays, schema=self._schema))
        self._held = []


def _stored(kind: str, value: object) -> object:
    if value is None:
        return None
    if kind == "record":
        return json_text(value)
    if kind == "list" and isinstance(value, Sequence):
        return [one if isinstance(one, str) else None if one is None else json_text(one) for one in value]
    if kind == "number" and isinstance(value, int):
        return float(value)
    if kind == "text" and not isinstance(value, str):
        return json_text(value) if isinstance(value, Mapping) else str(value)
    return value
