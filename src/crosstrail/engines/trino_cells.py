"""Cells of Trino's answers as the text that the embedded engine prints for the same values.

Decides the text by the types that Trino names for its columns. What Trino sends as text is that text already; numbers and
containers read as rendering.py prints them. An answer whose values do not fit its types is refused, never guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from crosstrail.engines.rendering import renderer
from crosstrail.engines.sql.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    REAL,
    SMALLINT,
    TINYINT,
    VARCHAR,
    Type,
    array_of,
    map_of,
    row_of,
)
from crosstrail.json_values import items, table, text

Cell = Callable[[object], str | None]
"""From a value of JSON."""

_NUMBERS = {kind.name: kind for kind in (TINYINT, SMALLINT, INTEGER, BIGINT)}
_FLOATS = {kind.name: kind for kind in (DOUBLE, REAL)}


class NotOfItsType(ValueError):
    """A value or a type that no Trino sends."""


def cells(columns: Iterable[object]) -> tuple[Cell, ...]:
    """For each column of an answer, what makes its cells. Raises NotOfItsType."""
    return tuple(_cell(_kind(table(column).get("typeSignature"))) for column in columns)


def _cell(kind: Type) -> Cell:
    show = renderer(kind)
    if kind == VARCHAR:
        return _text
    return lambda value: show(_fitted(value, kind))


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise NotOfItsType("a text")


def _kind(signature: object) -> Type:
    """The type as far as the text depends on it: VARCHAR for all that Trino sends as text, keys of maps among them."""
    name = text(table(signature).get("rawType"))
    if known := {"boolean": BOOLEAN, **_NUMBERS, **_FLOATS}.get(name):
        return known
    if not name:
        raise NotOfItsType("a type")
    parts = [table(part).get("value") for part in items(table(signature).get("arguments"))]
    match name:
        case "array" if len(parts) == 1:
            return array_of(_kind(parts[0]))
        case "map" if len(parts) == 2:
            return map_of(VARCHAR, _kind(parts[1]))
        case "row" if parts:
            names = [text(table(table(part).get("fieldName")).get("name")) for part in parts]
            return row_of([_kind(table(part).get("typeSignature")) for part in parts], names)
        case "array" | "map" | "row":
            raise NotOfItsType("a type")
    return VARCHAR


def _fitted(value: object, kind: Type) -> object:
    """The value as Arrow would give it. Raises NotOfItsType."""
    if value is None:
        return None
    match kind.name:
        case "array" if isinstance(value, list):
            return [_fitted(item, kind.element) for item in value]
        case "map" if isinstance(value, dict):
            return {key: _fitted(item, kind.args[1]) for key, item in value.items()}
        case "row" if isinstance(value, list) and len(value) == len(kind.args):
            parts = zip(kind.keys, value, kind.args, strict=True)
            return {key: _fitted(item, part) for key, item, part in parts}
        case "varchar" if isinstance(value, str):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case name if name in _NUMBERS and isinstance(value, int) and not isinstance(value, bool):
            return value
        case name if name in _FLOATS and isinstance(value, (int, float, str)) and not isinstance(value, bool):
            return float(value)  # "NaN", "Infinity" and "-Infinity" are texts
    raise NotOfItsType(kind.name)


def rendered(rows: Sequence[Sequence[object]], shown: Sequence[Cell]) -> list[tuple[str | None, ...]]:
    """Raises NotOfItsType, also for a row of another width; ValueError."""
    if any(not isinstance(row, list) or len(row) != len(shown) for row in rows):
        raise NotOfItsType("a row")
    return [tuple(show(value) for show, value in zip(shown, row, strict=True)) for row in rows]
