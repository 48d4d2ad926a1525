"""Values of SQL results, which come as text, as the typed values that rows are made of.

Decides what Trino's types are in JSON, CSV and Parquet: numbers, booleans, times, lists and objects where they are ones; all
else stays text, as do decimals of more digits than a float holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from crosstrail.cli.output.columns import Cell, Kind, RowColumn

_INTEGERS = frozenset({"tinyint", "smallint", "integer", "bigint"})
_FLOAT_DIGITS = 15
_DECIMAL = re.compile(r"decimal\((\d+),")
_TIMESTAMP = re.compile(r"timestamp\((\d+)\)( with time zone)?")
_MICROSECONDS = 6


def sql_column(name: str, type_name: str) -> RowColumn:
    """`type_name`: Trino's; empty where it is not known. A time that is cut says nothing; of an ARN or a path both ends tell."""
    kind = _kind(type_name)
    return RowColumn(name, kind, optional=True, whole=kind == "time", cut="middle" if kind == "text" else "end")


def sql_cell(kind: Kind, text: str | None) -> Cell:
    """The value of a text; the text itself where it is none of that kind."""
    if text is None or kind == "text":
        return text
    try:
        return _READERS[kind](text)
    except ValueError:
        return text


def _kind(type_name: str) -> Kind:
    if type_name in _INTEGERS:
        return "integer"
    if type_name in ("double", "real"):
        return "number"
    if type_name == "boolean":
        return "flag"
    if (found := _DECIMAL.match(type_name)) and int(found[1]) <= _FLOAT_DIGITS:
        return "number"
    if type_name.startswith("array("):
        return "list"
    if type_name.startswith(("map(", "row(")):
        return "record"
    if (moment := _TIMESTAMP.fullmatch(type_name)) and not moment[2] and int(moment[1]) <= _MICROSECONDS:
        return "time"
    return "text"


def _moment(text: str) -> datetime:
    """Of a timestamp without a zone, which in the lake is UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _json(text: str) -> Cell:
    value: Cell = orjson.loads(text)
    return value


_READERS: dict[Kind, Callable[[str], Cell]] = {
    "integer": int,
    "number": float,
    "flag": _flag,
    "time": _moment,
    "list": _json,
    "record": _json,
}
