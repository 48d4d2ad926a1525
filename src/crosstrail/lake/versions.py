"""Event ids that came with different contents: which content their row shows, and the others kept on it.

Decides that an addendum (UPDATED_DATA) is shown instead of what it corrects, that otherwise the first copy stays, and that
no content is lost: the others stand in the row's `other_versions`, so whoever reads the row sees that there are any, and what
they say. Two texts of the same content, with another order of keys, are one version. It commits nothing.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, TypedDict

import orjson

from crosstrail.clouds.record_text import parsed_record, without_halves

if TYPE_CHECKING:
    import pyarrow as pa

MAX_OTHERS = 8
"""Other versions that a row keeps; whoever writes more gets no more space."""
_COPIED_ROWS = 16_384
_COMPARED_PAIRS = 2_000
"""Whose texts are in memory together."""
_COMPARED = ("cloud", "account", "eventid", "eventtime", "source_object", "eventjson", "other_versions")

Place = tuple[str, int]
"""A data file and the number of a row in it."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A staged row that is not to go in, and the copy of it that is kept. `same`: their texts are, byte for byte."""

    file: str
    row: int
    first_file: str
    first_row: int
    same: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """An event that came again with other content. `source` is the object of the copy that is not shown."""

    cloud: str
    account: str
    event_id: str
    source: str


@dataclass(slots=True)
class Change:
    """What becomes of a kept row: the row that is shown in its place, and what joins its other versions."""

    shown: Place
    others: list[Place] = field(default_factory=list)


@dataclass(slots=True)
class _Event:
    change: Change
    contents: set[bytes]
    stored: int
    addendum: bool
    day: date


class _VersionRow(TypedDict):
    """The columns that are compared, or some of them."""

    cloud: str
    account: str
    eventid: str
    eventtime: datetime
    source_object: str
    eventjson: str
    other_versions: list[_OtherVersion] | None


class _OtherVersion(TypedDict):
    source_object: str
    eventjson: str


def resolve(repeats: Iterable[Repeat]) -> tuple[dict[str, dict[int, Change]], tuple[Conflict, ...]]:
    """File -> kept row -> its change, of the repeats whose content differs; and those that are conflicts."""
    pairs = sorted((one for one in repeats if not one.same), key=lambda one: (one.first_file, one.first_row))
    changes: dict[str, dict[int, Change]] = defaultdict(dict)
    conflicts: list[Conflict] = []
    place: Place = ("", -1)
    event: _Event | None = None
    for start in range(0, len(pairs), _COMPARED_PAIRS):
        some = pairs[start : start + _COMPARED_PAIRS]
        wanted = {(one.file, one.row) for one in some} | {(one.first_file, one.first_row) for one in some}
        rows = dict(_read(wanted, _COMPARED))
        for pair in some:
            if event is None or place != (pair.first_file, pair.first_row):
                place = pair.first_file, pair.first_row
                event = _event(place, rows[place])
            later = rows[pair.file, pair.row]
            conflict = _join(event, (pair.file, pair.row), later)
            if event.change.others:
                changes[place[0]][place[1]] = event.change
            if conflict:
                conflicts.append(Conflict(later["cloud"], later["account"], later["eventid"], later["source_object"]))
    return changes, tuple(conflicts)


def _event(place: Place, row: _VersionRow) -> _Event:
    stored = [one["eventjson"] for one in row["other_versions"] or ()]
    contents = {_content(text) for text in (row["eventjson"], *stored)}
    return _Event(Change(place), contents, len(stored), _is_addendum(row["eventjson"]), row["eventtime"].date())


def _join(event: _Event, place: Place, row: _VersionRow) -> bool:
    """Adds a version to what is known of its event. True for a conflict: no addendum and no addendum's original."""
    content = _content(row["eventjson"])
    if content in event.contents:
        return False
    event.contents.add(content)
    change = event.change
    others = event.stored + len(change.others)
    is_addendum = _is_addendum(row["eventjson"])
    if is_addendum and not event.addendum and row["eventtime"].date() == event.day:
        change.others.insert(0, change.shown)  # first, so that no flood of others displaces it
        del change.others[max(MAX_OTHERS - event.stored, 1) :]
        change.shown, event.addendum = place, True
        return False
    if others < MAX_OTHERS:
        change.others.append(place)
    return not is_addendum and (others > 0 or not event.addendum)


def _content(text: str) -> bytes:
    """The same for the same content, however its keys stand; numbers are compared as floats, as older lakes hold them."""
    with suppress(orjson.JSONDecodeError, orjson.JSONEncodeError):
        text = orjson.dumps(orjson.loads(without_halves(text.encode())), option=orjson.OPT_SORT_KEYS).decode()
    return hashlib.sha256(text.encode()).digest()


def _is_addendum(text: str) -> bool:
    if '"addendum"' not in text:
        return False
    try:
        record = parsed_record(text)
    except ValueError:
        return False
    addendum = record.get("addendum") if isinstance(record, dict) else None
    return isinstance(addendum, dict) and addendum.get("reason") == "UPDATED_DATA"


def changed(path: str, dropped: Collection[int], changes: Mapping[int, Change]) -> Iterator[pa.Table]:
    """The rows of the file without those numbers, and with these changes; a part at a time, with all of the lake's columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    places = {row: number for number, row in enumerate(sorted(changes))}
    replaced = _replacements(path, changes) if changes else None
    first = 0
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(_COPIED_ROWS):
            table = _complete(pa.Table.from_batches([batch]))
            numbers = [number for number in range(first, first + len(table)) if number not in dropped]
            indices = [len(table) + places[number] if number in places else number - first for number in numbers]
            first += len(table)
            if replaced is not None and any(index >= len(table) for index in indices):
                table = pa.concat_tables([table, replaced])
            yield table.take(pa.array(indices, pa.int64()))


def _replacements(path: str, changes: Mapping[int, Change]) -> pa.Table:
    """The changed rows of the file, whole, in the order of their numbers."""
    import pyarrow as pa

    from crosstrail.lake.schema import ARROW_SCHEMA

    shown = [changes[row].shown for row in sorted(changes)]
    stored = dict(_read({(path, row) for row in changes}, ("eventid", "other_versions")))
    texts = dict(
        _read({place for change in changes.values() for place in change.others}, ("source_object", "eventjson"))
    )
    others = [
        [*(stored[path, row]["other_versions"] or ()), *(texts[place] for place in changes[row].others)]
        for row in sorted(changes)
    ]
    tables = list(_tables(set(shown), None))
    places = {place: number for number, place in enumerate(place for some, _ in tables for place in some)}
    whole = pa.concat_tables([table for _, table in tables]).take(pa.array([places[one] for one in shown]))
    column = ARROW_SCHEMA.get_field_index("other_versions")
    return whole.set_column(column, ARROW_SCHEMA.field(column), pa.array(others, ARROW_SCHEMA.field(column).type))


def _read(places: Collection[Place], columns: Sequence[str]) -> Iterator[tuple[Place, _VersionRow]]:
    for some, table in _tables(places, columns):
        rows: list[_VersionRow] = table.to_pylist()
        yield from zip(some, rows, strict=True)


def _tables(places: Collection[Place], columns: Sequence[str] | None) -> Iterator[tuple[list[Place], pa.Table]]:
    """These rows, with their places; only the row groups that they lie in are read."""
    import pyarrow.parquet as pq

    files: dict[str, list[int]] = defaultdict(list)
    for file, row in sorted(places):
        files[file].append(row)
    for file, numbers in files.items():
        with pq.ParquetFile(file) as opened:
            there = None if columns is None else [name for name in columns if name in opened.schema_arrow.names]
            first = 0
            for group in range(opened.metadata.num_row_groups):
                size = opened.metadata.row_group(group).num_rows
                inside = numbers[bisect_left(numbers, first) : bisect_left(numbers, first + size)]
                if inside:
                    table = opened.read_row_group(group, columns=there).take([number - first for number in inside])
                    yield [(file, number) for number in inside], _complete(table, columns)
                first += size


def _complete(table: pa.Table, columns: Sequence[str] | None = None) -> pa.Table:
    """The table with the columns of the lake, or these of them: NULL where its file was written before a column came."""
    import pyarrow as pa

    from crosstrail.lake.schema import ARROW_SCHEMA

    names = ARROW_SCHEMA.names if columns is None else columns
    schema = pa.schema([ARROW_SCHEMA.field(name) for name in names])
    present = set(table.column_names)
    parts = [
        table.column(name) if name in present else pa.nulls(len(table), ARROW_SCHEMA.field(name).type) for name in names
    ]
    return pa.Table.from_arrays(parts, names=list(names)).cast(schema)
