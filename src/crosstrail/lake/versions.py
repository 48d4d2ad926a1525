"""Event ids that came with different contents: which content their row shows, and the others kept on it.

Decides that an addendum (UPDATED_DATA) is shown instead of what it corrects, and a copy that a digest proves instead of one that
none does, that otherwise the first copy stays, and that no content is lost: the others stand in the row's `other_versions`, so whoever reads the row sees that there are any, and what
they say. Two texts of the same content, with another order of keys, are one version. It commits nothing.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
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
_COMPARED = ("cloud", "account", "eventid", "eventtime", "source_object", "eventjson", "other_versions", "verified")

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
    shown: bytes
    """The content that is."""
    verified: bool | None
    source: str

    def show(self, place: Place, row: _VersionRow, content: bytes) -> None:
        self.change.shown = place
        self.shown, self.verified, self.source = content, row["verified"], row["source_object"]

    def hide_shown(self) -> None:
        self.change.others.insert(0, self.change.shown)  # first, so that no flood of others displaces it
        del self.change.others[max(MAX_OTHERS - self.stored, 1) :]


class _VersionRow(TypedDict):
    """The columns that are compared, or some of them."""

    cloud: str
    account: str
    eventid: str
    eventtime: datetime
    source_object: str
    eventjson: str
    other_versions: list[_OtherVersion] | None
    verified: bool | None


class _OtherVersion(TypedDict):
    source_object: str
    eventjson: str


def resolve(repeats: Iterable[Repeat], proved: Set[str]) -> tuple[dict[str, dict[int, Change]], tuple[Conflict, ...]]:
    """File -> kept row -> its change, of the repeats whose content differs, or whose proof the kept row lacks; and those that are
    conflicts. `proved`: the staged files that have verified rows."""
    wanted_ones = (one for one in repeats if not one.same or one.file in proved)
    pairs = sorted(wanted_ones, key=lambda one: (one.first_file, one.first_row))
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
            hidden = _join(event, (pair.file, pair.row), later)
            if event.change.others or event.change.shown != place:
                changes[place[0]][place[1]] = event.change
            if hidden is not None:
                conflicts.append(Conflict(later["cloud"], later["account"], later["eventid"], hidden))
    return changes, tuple(conflicts)


def _event(place: Place, row: _VersionRow) -> _Event:
    stored = [one["eventjson"] for one in row["other_versions"] or ()]
    shown = _content(row["eventjson"])
    contents = {shown, *map(_content, stored)}
    addendum, day = _is_addendum(row["eventjson"]), row["eventtime"].date()
    return _Event(Change(place), contents, len(stored), addendum, day, shown, row["verified"], row["source_object"])


def _join(event: _Event, place: Place, row: _VersionRow) -> str | None:
    """Adds a version to what is known of its event. For a conflict, which is no addendum and no addendum's original, the object of
    the copy that is not shown."""
    content, change = _content(row["eventjson"]), event.change
    same_day = row["eventtime"].date() == event.day
    proves = bool(row["verified"]) and not event.verified and same_day
    if content == event.shown:
        if proves:
            event.show(place, row, content)
        return None
    is_new = content not in event.contents
    event.contents.add(content)
    is_addendum = _is_addendum(row["eventjson"])
    others = event.stored + len(change.others)
    if is_addendum and not event.addendum and same_day and is_new:
        event.hide_shown()
        event.show(place, row, content)
        event.addendum = True
        return None
    if proves and not event.addendum:
        hidden = event.source
        event.hide_shown()
        event.show(place, row, content)
        return hidden if is_new else None
    if is_new and others < MAX_OTHERS:
        change.others.append(place)
    conflicts = is_new and not is_addendum and (others > 0 or not event.addendum)
    return row["source_object"] if conflicts else None


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

    first = 0
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(_COPIED_ROWS):
            table = _complete(pa.Table.from_batches([batch]))
            rows = range(first, first + len(table))
            some = {row: changes[row] for row in rows if row in changes}
            places = {row: len(table) + number for number, row in enumerate(sorted(some))}
            indices = [places.get(row, row - first) for row in rows if row not in dropped]
            first += len(table)
            if some:  # of a part at a time: a trail that proves what another source brought changes every row
                table = pa.concat_tables([table, _replacements(path, some)])
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
        [*(stored[path, row]["other_versions"] or ()), *(texts[place] for place in changes[row].others)] or None
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
