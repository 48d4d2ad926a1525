"""Audit records to Arrow: the columns of the lake, a batch at a time.

Decides how the values of typed records (typed_records.py) become columns. A call into Arrow costs as much as forty values,
so the texts of all columns of a batch are made into one array, of which each column is a slice. Loaded only by what reads
log files, so it imports Arrow at the top.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, repeat
from typing import NamedTuple, cast

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import astuple

from crosstrail.lake.typed_records import FIELD_OF_COLUMN, MAP_COLUMNS, Entries, TypedRecord, iso_or_none


class Row(NamedTuple):
    """One event. `micros` is its time in microseconds since 1970, UTC; `json` is the whole record."""

    cloud: str
    account: str
    micros: int
    id: str
    record: TypedRecord
    json: bytes
    resources: Sequence[tuple[str, str]]
    username: str
    principal: str
    source: str


_UTC_MICROS = pa.timestamp("us", "UTC")
_DIGEST_LETTERS = 64
_Made = Callable[[], pa.Array]
"""Gives a column once the texts of all columns are in one array."""


def to_table(rows: Sequence[Row], schema: pa.Schema, source_of: Callable[[str], str] = str) -> pa.Table:
    """The rows with all columns of `schema`, in the order given. `source_of`: what is kept of the name of a row's file."""
    return Columns(schema).table(rows, source_of)


class Columns:
    """Makes tables of one schema. What is asked of its types is asked once: Arrow answers more slowly than it makes a column."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._kinds = {field.name: _Kind(field.type) for field in schema}

    def table(
        self,
        rows: Sequence[Row],
        source_of: Callable[[str], str] = str,
        verified: Mapping[str, bool] | None = None,
    ) -> pa.Table:
        """As `to_table` says. `verified`: by the name of a row's file, where its check told something."""
        batch = _Batch(len(rows))
        kinds, made = self._kinds, dict[str, _Made]()
        clouds, accounts, micros, ids, records, texts, resources, usernames, principals, sources = (
            zip(*rows, strict=True) if rows else ((),) * 10
        )
        fields = zip(*map(astuple, records), strict=True) if rows else ((),) * len(FIELD_OF_COLUMN)
        for name, values in zip(FIELD_OF_COLUMN, fields, strict=False):  # behind them come the time and the id
            made[name] = (
                batch.map_column(values, kinds[name]) if name in MAP_COLUMNS else batch.column(values, kinds[name])
            )
        for name, values in (
            ("principal", principals),
            ("username", usernames),
            ("access_key_id", tuple(one.userIdentity and one.userIdentity.accessKeyId for one in records)),
            ("eventid", ids),
            ("cloud", clouds),
            ("account", accounts),
            ("source_object", tuple(map(source_of, sources))),
        ):
            made[name] = batch.column(values, kinds[name])
        batch.make_texts()
        columns = {name: make() for name, make in made.items()}
        columns["eventtime"] = _fixed(kinds["eventtime"].type, array("q", micros))
        columns |= _resource_columns(resources, kinds)
        columns["eventjson"] = _strings(kinds["eventjson"], b"".join(texts), map(len, texts))
        digests = b"".join(hashlib.sha256(text).digest() for text in texts).hex().encode()
        columns["eventjsonchecksum"] = _strings(kinds["eventjsonchecksum"], digests, repeat(_DIGEST_LETTERS, len(rows)))
        columns |= {name: kinds[name].nulls(len(rows)) for name in ("verified", "other_versions")}
        if verified:
            columns["verified"] = pa.array(map(verified.get, sources), pa.bool_())
        return pa.Table.from_arrays([columns[name] for name in self._schema.names], schema=self._schema)


class _Kind:
    """A column's type, or that of a part of one."""

    def __init__(self, kind: pa.DataType) -> None:
        self.type = kind
        self.fields: list[pa.Field] = list(kind) if pa.types.is_struct(kind) else []
        self.parts = [_Kind(field.type) for field in self.fields]
        if pa.types.is_list(kind):
            self.parts = [_Kind(kind.value_type)]
        self.is_map, self.is_list = pa.types.is_map(kind), pa.types.is_list(kind)
        self.is_boolean, self.is_time = pa.types.is_boolean(kind), pa.types.is_timestamp(kind)
        self.nulls = lru_cache(maxsize=16)(lambda count: pa.nulls(count, kind))


def _fixed(kind: pa.DataType, values: array[int]) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _strings(kind: _Kind, text: bytes, lengths: Iterable[int]) -> pa.Array:
    """Texts that lie one behind another. Raises ArrowInvalid where they are no UTF-8."""
    offsets = array("i", accumulate(lengths, initial=0))
    made = pa.Array.from_buffers(kind.type, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    if not text.isascii():
        made.validate(full=True)
    return made


def _resource_columns(
    resources: Sequence[Sequence[tuple[str, str]]], kinds: Mapping[str, _Kind]
) -> dict[str, pa.Array]:
    """Two lists a row, beside each other, made of all rows' values at once."""
    offsets = pa.array(array("i", accumulate(map(len, resources), initial=0)), pa.int32())
    flat = [one for listed in resources for one in listed]
    return {
        name: pa.ListArray.from_arrays(
            offsets, pa.array([one[place] for one in flat], pa.string()), type=kinds[name].type
        )
        for place, name in enumerate(("resource_types", "resource_names"))
    }


class _Batch:
    """Columns of so many rows: given value by value first, then made."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: list[str | bytes | None] = []
        self._texts = pa.array([], pa.string())

    def make_texts(self) -> None:
        """What `column` and `map_column` gave may be called from here on."""
        self._texts = pa.array(self._values, pa.string())

    def column(self, values: Sequence[object], kind: _Kind) -> _Made:
        missing = values.count(None)
        if missing == len(values):
            return lambda: kind.nulls(len(values))
        if kind.fields:
            return self._struct(cast(Sequence[Struct | None], values), missing, kind)
        if kind.is_list:
            return self._list(cast(Sequence[Sequence[Struct] | None], values), missing, kind)
        if kind.is_map:
            return self.map_column(
                [None if one is None else _entries(cast(dict[str, str | None], one)) for one in values], kind
            )
        if kind.is_boolean:
            return lambda: pa.array(values, kind.type)
        texts = self._text(values)
        return (lambda: _times(texts(), kind.type)) if kind.is_time else texts

    def _text(self, values: Sequence[object]) -> _Made:
        start = len(self._values)
        self._values += values  # type: ignore[arg-type]
        return lambda: self._texts.slice(start, len(values))

    def _struct(self, values: Sequence[Struct | None], missing: int, kind: _Kind) -> _Made:
        if missing:
            empty = type(next(value for value in values if value is not None))()
            parts = zip(*(astuple(value or empty) for value in values), strict=True)
        else:
            parts = zip(*map(astuple, cast(Sequence[Struct], values)), strict=True)
        made = [self.column(part, inner) for part, inner in zip(parts, kind.parts, strict=True)]
        mask = pa.array([value is None for value in values]) if missing else None
        return lambda: pa.StructArray.from_arrays([make() for make in made], fields=kind.fields, mask=mask)

    def _list(self, values: Sequence[Sequence[Struct] | None], missing: int, kind: _Kind) -> _Made:
        flat = [one for value in values if value for one in value]
        lengths = accumulate((len(value) if value else 0 for value in values), initial=0)
        made = self.column(flat, kind.parts[0])
        offsets = pa.array(array("i", lengths), pa.int32())
        mask = pa.array([value is None for value in values]) if missing else None
        return lambda: pa.ListArray.from_arrays(offsets, made(), type=kind.type, mask=mask)

    def map_column(self, values: Sequence[Entries | None], kind: _Kind) -> _Made:
        offsets: list[int | None] = []
        keys: list[str] = []
        items: list[str | bytes | None] = []
        for value in values:
            if value is None:
                offsets.append(None)
                continue
            offsets.append(len(keys))
            keys += value[0]
            items += value[1]
        if not keys and offsets.count(None) == len(values):
            return lambda: kind.nulls(len(values))
        offsets.append(len(keys))
        key_texts, item_texts = self._text(keys), self._text(items)
        places = pa.array(offsets, pa.int32())
        return lambda: pa.MapArray.from_arrays(places, key_texts(), item_texts(), type=kind.type)


def _entries(value: dict[str, str | None]) -> Entries:
    keys = sorted(value)
    return keys, [value[key] for key in keys]


def _times(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return texts.cast(_UTC_MICROS).cast(kind)
    except pa.ArrowInvalid:
        return pa.array(map(iso_or_none, texts.to_pylist()), pa.string()).cast(_UTC_MICROS).cast(kind)
