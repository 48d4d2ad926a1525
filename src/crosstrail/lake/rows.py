"""Audit records to Arrow: the columns of the lake, a batch of runs at a time.

Decides how the values of typed records (typed_records.py) become columns. Two costs decide the form: a call into Arrow takes
as long as forty values, and values that have left the processor's cache take twice as long as others. So the texts of all
columns of a short run of rows become one array, after which nothing of the rows is needed any more, and columns are made of
slices of many runs' arrays. Loaded only by what reads log files, so it imports Arrow at the top.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from operator import itemgetter
from typing import NamedTuple, Protocol, cast

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import astuple

from crosstrail.lake.column_fields import FIELD_OF_COLUMN, MAP_COLUMNS
from crosstrail.lake.typed_records import Entries, TypedRecord, iso_or_none


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
RUN_ROWS = 256
"""Rows whose values stay in the processor's cache until they are columns: of 1,000 they do not."""


def to_table(rows: Sequence[Row], schema: pa.Schema, source_of: Callable[[str], str] = str) -> pa.Table:
    """The rows with all columns of `schema`, in the order given. `source_of`: what is kept of the name of a row's file."""
    columns = Columns(schema)
    for start in range(0, len(rows), RUN_ROWS):
        columns.add(rows[start : start + RUN_ROWS], source_of)
    return columns.table()


class Columns:
    """Makes tables of one schema. What is asked of its types is asked once: Arrow answers more slowly than it makes a column."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._kinds = {field.name: _Kind(field.type) for field in schema}
        self._begin()

    def _begin(self) -> None:
        self._count = 0
        self._texts = _Texts()
        self._columns = {
            name: _MapColumn(kind, self._texts) if name in MAP_COLUMNS else kind.column(self._texts)
            for name, kind in self._kinds.items()
        }
        self._resources = [cast(_ListColumn, self._columns[name]) for name in ("resource_types", "resource_names")]
        self._fields = [self._columns[name] for name in FIELD_OF_COLUMN]
        self._micros = array("q")
        self._json: list[pa.Array] = []
        self._digests: list[bytes] = []

    def add(
        self,
        rows: Sequence[Row],
        source_of: Callable[[str], str] = str,
        verified: Mapping[str, bool] | None = None,
    ) -> None:
        """Some more rows, of which no object is needed afterwards. `verified`: by the name of a row's file, where its check told
        something."""
        count, columns = len(rows), self._columns
        clouds, accounts, micros, ids, records, texts, resources, usernames, principals, sources = zip(
            *rows, strict=True
        )
        fields = zip(*map(astuple, records), strict=True)  # behind those of the columns come the time and the id
        for column, values in zip(self._fields, fields, strict=False):
            column.add(values)
        keys = [one.userIdentity and one.userIdentity.accessKeyId for one in records]
        for name, texts_of in (
            ("principal", principals),
            ("username", usernames),
            ("access_key_id", keys),
            ("eventid", ids),
            ("cloud", clouds),
            ("account", accounts),
            ("source_object", list(map(source_of, sources))),
        ):
            columns[name].add(texts_of)
        lengths, pairs = list(map(len, resources)), list(chain.from_iterable(resources))
        for place, column in enumerate(self._resources):
            column.extend([pair[place] for pair in pairs], lengths)
        columns["verified"].add(list(map(verified.get, sources)) if verified else (None,) * count)
        columns["other_versions"].skip(count)
        self._micros.extend(micros)
        self._json.append(_strings(self._kinds["eventjson"], texts))
        self._digests += [hashlib.sha256(text).digest() for text in texts]
        self._texts.end_run()
        self._count += count

    def table(self) -> pa.Table:
        """All rows that were added since the last one was made, in their order."""
        if not self._count:
            return self._schema.empty_table()
        kinds, made = self._kinds, dict[str, pa.Array]()
        made["eventtime"] = pa.Array.from_buffers(
            kinds["eventtime"].type, self._count, [None, pa.py_buffer(self._micros)]
        )
        made["eventjson"] = _joined(self._json)
        digests = b"".join(self._digests).hex().encode()
        offsets = array("i", range(0, len(digests) + 1, _DIGEST_LETTERS))
        made["eventjsonchecksum"] = _from_text(kinds["eventjsonchecksum"], offsets, digests)
        columns = [made[name] if name in made else column.made() for name, column in self._columns.items()]
        self._begin()
        return pa.Table.from_arrays(columns, schema=self._schema)


class _Column(Protocol):
    """A column, or a part of one: given values run by run, then made once."""

    def add(self, values: Sequence[object]) -> None: ...
    def skip(self, count: int) -> None:
        """So many values that are not there."""

    def made(self) -> pa.Array: ...


class _Kind:
    """A column's type, or that of a part of one."""

    def __init__(self, kind: pa.DataType) -> None:
        self.type = kind
        self.fields: list[pa.Field] = list(kind) if pa.types.is_struct(kind) else []
        self.parts = [_Kind(field.type) for field in self.fields]
        if pa.types.is_list(kind):
            self.parts = [_Kind(kind.value_type)]
        self.is_time = pa.types.is_timestamp(kind)
        self.nulls = lru_cache(maxsize=16)(lambda count: pa.nulls(count, kind))
        self._form: Callable[[_Kind, _Texts], _Column] = _TextColumn
        if self.fields:
            self._form = _StructColumn
        elif pa.types.is_list(kind):
            self._form = _ListColumn
        elif pa.types.is_map(kind):
            self._form = _DictionaryColumn
        elif pa.types.is_boolean(kind):
            self._form = _BooleanColumn

    def column(self, texts: _Texts) -> _Column:
        return self._form(self, texts)


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)


def _offsets(lengths: Iterable[int]) -> array[int]:
    return array("i", accumulate(lengths, initial=0))


def _from_text(kind: _Kind, offsets: array[int], text: bytes) -> pa.Array:
    return pa.Array.from_buffers(kind.type, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def _strings(kind: _Kind, texts: Sequence[bytes]) -> pa.Array:
    """Raises ArrowInvalid where they are no UTF-8."""
    text = b"".join(texts)
    made = _from_text(kind, _offsets(map(len, texts)), text)
    if not text.isascii():
        made.validate(full=True)
    return made


class _Texts:
    """The texts of all columns of one run after another: a run's become one array."""

    def __init__(self) -> None:
        self.values: list[str | bytes | None] = []
        """Of the run that goes on."""
        self.arrays: list[pa.Array] = []

    def end_run(self) -> None:
        self.arrays.append(pa.array(self.values, pa.string()))
        self.values = []


class _TextColumn:
    """Texts, also those of times."""

    def __init__(self, kind: _Kind, texts: _Texts) -> None:
        self._kind = kind
        self._texts = texts
        self._count = self._nulls = 0
        self._pieces: list[tuple[int, int, int]] = []
        """(run, where in its texts, how many); run -1 for values that are not there."""

    def add(self, values: Sequence[object]) -> None:
        count = len(values)
        if not any(values) and values.count(None) == count:
            self.skip(count)
            return
        self._end_nulls()
        flat = self._texts.values
        self._pieces.append((len(self._texts.arrays), len(flat), count))
        flat += values  # type: ignore[arg-type]
        self._count += count

    def skip(self, count: int) -> None:
        self._nulls += count
        self._count += count

    def _end_nulls(self) -> None:
        if self._nulls:
            self._pieces.append((-1, 0, self._nulls))
            self._nulls = 0

    def made(self) -> pa.Array:
        if not self._pieces:
            return self._kind.nulls(self._count)
        self._end_nulls()
        arrays, nulls = self._texts.arrays, _TEXT.nulls
        found = _joined(
            [arrays[run].slice(start, count) if run >= 0 else nulls(count) for run, start, count in self._pieces]
        )
        return _times(found, self._kind.type) if self._kind.is_time else found


class _BooleanColumn:
    def __init__(self, kind: _Kind, texts: _Texts) -> None:
        self._kind = kind
        self._values: list[object] = []

    def add(self, values: Sequence[object]) -> None:
        self._values += values

    def skip(self, count: int) -> None:
        self._values += (None,) * count

    def made(self) -> pa.Array:
        return pa.array(self._values, self._kind.type)


class _StructColumn:
    """Structs of msgspec with fields in the order of the type's."""

    def __init__(self, kind: _Kind, texts: _Texts) -> None:
        self._kind = kind
        self._parts = [part.column(texts) for part in kind.parts]
        self._missing = bytearray()

    def add(self, values: Sequence[object]) -> None:
        structs, count = cast(Sequence[Struct | None], values), len(values)
        if all(structs):
            self._missing += bytes(count)
            parts = zip(*map(astuple, cast(Sequence[Struct], structs)), strict=True)
        elif first := next(filter(None, structs), None):
            empty = type(first)()
            self._missing += bytes([value is None for value in structs])
            parts = zip(*(astuple(value or empty) for value in structs), strict=True)
        else:
            self.skip(count)
            return
        for part, inner in zip(self._parts, parts, strict=True):
            part.add(inner)

    def skip(self, count: int) -> None:
        self._missing += b"\1" * count
        for part in self._parts:
            part.skip(count)

    def made(self) -> pa.Array:
        count = len(self._missing)
        missing = self._missing.count(1)
        if missing == count:
            return self._kind.nulls(count)
        mask = _mask(self._missing) if missing else None
        return pa.StructArray.from_arrays([part.made() for part in self._parts], fields=self._kind.fields, mask=mask)


class _ListColumn:
    def __init__(self, kind: _Kind, texts: _Texts) -> None:
        self._kind = kind
        self._part = kind.parts[0].column(texts)
        self._lengths = array("i")
        self._missing = bytearray()

    def add(self, values: Sequence[object]) -> None:
        lists = cast(Sequence[Sequence[object] | None], values)
        if not any(lists) and lists.count(None) == len(lists):
            self.skip(len(lists))
            return
        flat = list(chain.from_iterable(filter(None, lists)))
        self.extend(flat, [len(value) if value else 0 for value in lists])
        self._missing[-len(lists) :] = bytes([value is None for value in lists])

    def extend(self, flat: Sequence[object], lengths: Sequence[int]) -> None:
        """The elements of lists that are all there, one behind another."""
        if flat:
            self._part.add(flat)
        self._lengths.extend(lengths)
        self._missing += bytes(len(lengths))

    def skip(self, count: int) -> None:
        self._lengths.extend((0,) * count)
        self._missing += b"\1" * count

    def made(self) -> pa.Array:
        count = len(self._missing)
        missing = self._missing.count(1)
        if missing == count:
            return self._kind.nulls(count)
        mask = _mask(self._missing) if missing else None
        offsets = pa.array(_offsets(self._lengths), pa.int32())
        return pa.ListArray.from_arrays(offsets, self._part.made(), type=self._kind.type, mask=mask)


def _mask(missing: bytearray) -> pa.Array:
    return pa.Array.from_buffers(pa.uint8(), len(missing), [None, pa.py_buffer(missing)]).cast(pa.bool_())


class _MapColumn:
    """Maps that came as Entries."""

    def __init__(self, kind: _Kind, texts: _Texts) -> None:
        self._kind = kind
        self._keys, self._items = _TextColumn(_TEXT, texts), _TextColumn(_TEXT, texts)
        self._lengths: list[int | None] = []

    def add(self, values: Sequence[object]) -> None:
        entries = cast(Sequence[Entries | None], values)
        present = list(filter(None, entries))
        if not present:
            self.skip(len(values))
            return
        if keys := list(chain.from_iterable(map(_KEYS, present))):
            self._keys.add(keys)
            self._items.add(list(chain.from_iterable(map(_ITEMS, present))))
        self._lengths += [one and len(one[0]) for one in entries]

    def skip(self, count: int) -> None:
        self._lengths += (None,) * count

    def made(self) -> pa.Array:
        if self._lengths.count(None) == len(self._lengths):
            return self._kind.nulls(len(self._lengths))
        ends = _offsets(length or 0 for length in self._lengths)
        starts = [None if length is None else start for length, start in zip(self._lengths, ends, strict=False)]
        offsets = pa.array([*starts, ends[-1]], pa.int32())
        return pa.MapArray.from_arrays(offsets, self._keys.made(), self._items.made(), type=self._kind.type)


class _DictionaryColumn(_MapColumn):
    """Maps that came as dictionaries of texts."""

    def add(self, values: Sequence[object]) -> None:
        super().add([None if one is None else _entries(cast(dict[str, str | None], one)) for one in values])


_KEYS, _ITEMS = itemgetter(0), itemgetter(1)
_TEXT = _Kind(pa.string())


def _entries(value: dict[str, str | None]) -> Entries:
    keys = sorted(value)
    return keys, [value[key] for key in keys]


def _times(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return texts.cast(_UTC_MICROS).cast(kind)
    except pa.ArrowInvalid:
        return pa.array(map(iso_or_none, texts.to_pylist()), pa.string()).cast(_UTC_MICROS).cast(kind)
