"""What a command's rows are made of: declared once, and read by every form that rows are written in.

Decides how a value looks as text and which columns a form shows. It never prints, and knows no form's own syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from crosstrail.cli.output.colour import Meaning
from crosstrail.cli.output.zones import Zone
from crosstrail.text import json_text

Kind = Literal["text", "time", "integer", "number", "flag", "list", "record"]
"""`integer` has 64 bits, `number` is a float, `list` is of texts, `record` any JSON object."""
Cell: TypeAlias = str | int | float | datetime | Sequence[object] | Mapping[str, object] | None
"""None for no value. Times are aware."""
_SCHEMAS: dict[Kind, dict[str, object]] = {
    "text": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "list": {"type": "array"},
    "record": {"type": "object"},
}


@dataclass(frozen=True, slots=True)
class RowColumn:
    """One column of a command's rows."""

    name: str
    kind: Kind = "text"
    about: str = ""
    """For the documentation: what it says."""
    optional: bool = False
    """Whether it may be null."""
    whole: bool = False
    """On a terminal: never cut."""
    readable: int = 14
    """On a terminal: how many columns wide its values say enough, before a column that matters less is shown beside it."""
    cut: Literal["end", "middle", "apart"] = "end"
    """On a terminal: where what does not fit is cut. `apart`: wherever most values stay told apart, the beginning first."""
    wide: bool = False
    """On a terminal: shown with --wide, or by name with --columns."""
    by_name: bool = False
    """In tables and CSV: only where --columns names it, as whole records."""
    as_day: bool = False
    """In tables: a time shown as its day."""
    thousands: bool = False
    """On a terminal: 1,234,567. For counts, not for years or ports."""
    shown: Callable[[Cell], str] | None = None
    """How a terminal shows a value: sizes and ages that people read."""
    meaning: Callable[[Cell], Meaning | None] | None = None
    """What a value's colour says; the value must say it too."""


@dataclass(frozen=True, slots=True)
class RowType:
    """The rows of one command."""

    name: str
    columns: tuple[RowColumn, ...]
    first_to_go: tuple[str, ...] = ()
    """On a terminal that is too narrow to read all columns these are left out; the last of them have first what room there is."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.columns)


def json_schema(rows: RowType) -> dict[str, object]:
    """The JSON Schema of one row, as `json` and `jsonl` write it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": rows.name,
        "type": "object",
        "properties": {one.name: _column_schema(one) for one in rows.columns},
        "required": list(rows.names),
        "additionalProperties": False,
    }


def _column_schema(column: RowColumn) -> dict[str, object]:
    schema = dict(_SCHEMAS[column.kind])
    if column.optional:
        schema["type"] = [schema["type"], "null"]
    return schema | ({"description": column.about} if column.about else {})


def cell_text(column: RowColumn, value: Cell, zone: Zone, *, grouped: bool = False) -> str:
    """As tables and CSV have it. Not cleaned: what may be shown, the form decides. `grouped`: as a terminal shows it."""
    if grouped and column.shown and value is not None:
        return column.shown(value)
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() if grouped and column.thousands:
            return f"{value:,}"
        case str():
            return value
        case datetime():
            return zone.day(value) if column.as_day else zone.text(value)
        case Mapping():
            return json_text(value)
        case Sequence():
            return ", ".join(one if isinstance(one, str) else json_text(one) for one in value)
        case _:
            return str(value)
