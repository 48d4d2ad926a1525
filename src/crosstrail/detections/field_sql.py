"""A field of the record, as a rule names it, as SQL over the columns of `events`.

Decides where a value is read: from the column that has it, else from the map of its parameters, else from the record's text.
A column costs next to nothing, a map five times as much, the text thirty times.

What a rule compares is text: a string as it is, a number or a truth value as JSON writes it, an object or a list as compact
JSON. JSON's null is the same as no field. A list has besides its own text the texts of its elements, and a path that leads
through a list goes on in each of its elements; one that fits is enough. A name with dots may be a path or, from the second
part on, keys that contain dots. A parameter whose text is JSON is looked into as if it were written as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

from crosstrail.lake.column_fields import FIELD_OF_COLUMN, IDENTITY_FIELDS, MAP_COLUMNS, RESOURCE_FIELDS
from crosstrail.lake.reader import quoted
from crosstrail.lake.schema import ColumnType, column_types

_COLUMNS = {field: column for column, field in FIELD_OF_COLUMN.items()} | {"eventID": "eventid"}
_PARTS = {field: part for part, field in IDENTITY_FIELDS.items()}
_RESOURCES = {field: part for part, field in RESOURCE_FIELDS.items()}
_OTHERS = ("eventTime", "timeWindow", "summary")
TOP_FIELDS = frozenset(_COLUMNS) | {*_OTHERS}
"""The fields that a record of CloudTrail has, by AWS's documentation."""
RECORD = "eventjson"
"""The column with the record's text."""
WIDE = MAP_COLUMNS | {"resources", RECORD}
_MOST_JOINED = 6
"""Parts of a name up to which keys that contain dots are looked for."""

FIELD_MACROS = (
    "CREATE TEMP MACRO sigma_step(found, one, each_one) AS flatten(list_transform(found, lambda value: "
    "CASE json_type(value) WHEN 'OBJECT' THEN [json_extract(value, one)] WHEN 'ARRAY' THEN json_extract(value, each_one) END))",
    "CREATE TEMP MACRO sigma_texts(found) AS flatten(list_transform(found, lambda value: "
    "CASE WHEN json_type(value) = 'ARRAY' THEN list_concat([value ->> '$'], value ->> '$[*]', value ->> '$[*][*]', "
    "value ->> '$[*][*][*]') ELSE [value ->> '$'] END))",
    "CREATE TEMP MACRO sigma_values(record) AS list_transform(list_filter(json_extract(record, '$..*'), lambda value: "
    "json_type(value) NOT IN ('OBJECT', 'ARRAY', 'NULL')), lambda value: value ->> '$')",
)
"""What the fields' SQL calls; they run before it."""


@dataclass(frozen=True, slots=True)
class FieldSql:
    """`text`: VARCHAR, NULL for no value. `many`: VARCHAR[] with all texts of a field that may lie in or be a list, NULL where
    it surely does not; empty for a field of one value. `reads`: the column of `events` that both stand on; a part of a
    column has dots, and is a column of that name, in quotes, for both."""

    text: str
    reads: str
    many: str = ""

    def holds(self, test: Callable[[str], str], name: str = "one") -> str:
        """That one of the texts fits: `test` writes the condition on one. `name`: of each, inside the condition."""
        if not self.many:
            return test(self.text)
        return f"({test(self.text)} OR len(list_filter({self.many}, lambda {name}: {test(name)})) > 0)"

    @property
    def exists(self) -> str:
        if not self.many:
            return f"{self.text} IS NOT NULL"
        return f"({self.text} IS NOT NULL OR len(list_filter({self.many}, lambda one: one IS NOT NULL)) > 0)"


@lru_cache(maxsize=10_000)
def field_sql(name: str) -> FieldSql:
    """Of any name: one that no record has is NULL for every event."""
    top, *rest = name.split(".")
    column = _COLUMNS.get(top)
    if column is None:
        return _from_record(top, rest)
    if column == "eventid":
        return _from_record(top, rest) if rest else FieldSql(column, column)
    kind = column_types()[column]
    if kind.word == "varchar":
        return _from_record(top, rest) if rest else FieldSql(column, column)
    if kind.word == "boolean":
        return _from_record(top, rest) if rest else FieldSql(f"CAST({column} AS VARCHAR)", column)
    if column in MAP_COLUMNS and rest:
        return _from_map(column, rest)
    if column == "resources" and len(rest) == 1 and rest[0] in _RESOURCES:
        part = _RESOURCES[rest[0]]
        return FieldSql("CAST(NULL AS VARCHAR)", column, f"list_transform(resources, lambda value: value.{part})")
    return _of_struct(column, kind, rest) or _from_record(top, rest)


def is_known(name: str) -> bool:
    """Whether a record of CloudTrail can have the field at all."""
    top, *rest = name.split(".")
    column = _COLUMNS.get(top)
    if column is None or not rest or column in MAP_COLUMNS:
        return top in TOP_FIELDS
    if column == "resources":
        return rest[0] in _RESOURCES
    kind = column_types().get(column)
    return kind is not None and kind.word == "row" and _is_part(kind, rest)


def _is_part(kind: ColumnType, rest: Sequence[str]) -> bool:
    for name in rest:
        if kind.word == "map":
            return True
        parts = dict(kind.parts) if kind.word == "row" else {}
        found = parts.get(_PARTS.get(name, name))
        if found is None:
            return False
        kind = found
    return True


def _of_struct(column: str, kind: ColumnType, rest: Sequence[str]) -> FieldSql | None:
    """None where it is not one text of the column."""
    path = column
    for name in rest:
        part = _PARTS.get(name, name)
        parts = dict(kind.parts) if kind.word == "row" else {}
        if part not in parts or (name in IDENTITY_FIELDS):
            return None
        path, kind = f"{path}.{part}", parts[part]
    return FieldSql(f'"{path}"', path) if kind.word == "varchar" else None


def _from_map(column: str, rest: Sequence[str]) -> FieldSql:
    texts, many = [], ""
    for number, keys in enumerate(_readings(rest)):
        base = f"{column}[{_text(keys[0])}]"
        if len(keys) == 1:
            texts.append(base)
        else:
            texts.append(f"CASE WHEN json_valid({base}) THEN json_extract_string({base}, {_path(keys[1:])}) END")
        if number == 0:
            many = _many(base, keys[1:])
    return FieldSql(_first(texts), column, many)


def _from_record(top: str, rest: Sequence[str]) -> FieldSql:
    base = f"json_extract_string(eventjson, {_path([top])})"
    if not rest:
        return FieldSql(base, RECORD, _many(base, ()))
    texts = [f"json_extract_string(eventjson, {_path([top, *keys])})" for keys in _readings(rest)]
    return FieldSql(_first(texts), RECORD, _many(base, rest))


def _many(base: str, keys: Sequence[str]) -> str:
    """All texts of a path below a value that has a list in it."""
    found = reduce(
        lambda inner, key: f"sigma_step({inner}, {_path([key])}, {_text('$[*]' + _path_text([key])[1:])})",
        keys,
        f"[CAST({base} AS JSON)]",
    )
    return f"CASE WHEN contains({base}, '[') AND json_valid({base}) THEN sigma_texts({found}) END"


def _first(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"COALESCE({', '.join(texts)})"


def _readings(parts: Sequence[str]) -> Iterator[list[str]]:
    """The parts as keys, then with each run of them joined to one key."""
    yield list(parts)
    if len(parts) > _MOST_JOINED:
        return
    for start in range(len(parts)):
        for end in range(start + 2, len(parts) + 1):
            yield [*parts[:start], ".".join(parts[start:end]), *parts[end:]]


def _path(keys: Sequence[str]) -> str:
    return _text(_path_text(keys))


def _path_text(keys: Sequence[str]) -> str:
    quoted_keys = (key.replace("\\", "\\\\").replace('"', '\\"') for key in keys)
    return "$" + "".join(f'."{key}"' for key in quoted_keys)


def _text(text: str) -> str:
    return quoted(text)
