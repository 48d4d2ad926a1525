"""The forms that rows are written in, row by row: JSON, JSON Lines, CSV, tab-separated lines.

Decides each form's syntax. Every text passes text.py, so that none steers a terminal and none is a spreadsheet's formula. The
table of a terminal is terminal_table.py's, Parquet the lake's.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, TextIO

from crosstrail.cli.output.colour import coloured
from crosstrail.cli.output.columns import Cell, RowColumn, cell_text
from crosstrail.cli.output.zones import Zone
from crosstrail.text import clean, csv_cell, json_text


class RowWriter(Protocol):
    """Rows have the columns that it was made with."""

    def write(self, row: Sequence[Cell]) -> None: ...

    def close(self) -> None:
        """Write what ends them. Not called where writing failed: what is not whole must not look so."""
        ...


class JsonLines:
    """An object a line."""

    def __init__(self, stream: TextIO, columns: Sequence[RowColumn], zone: Zone) -> None:
        self._stream = stream
        self._names = [one.name for one in columns]
        self._zone = zone

    def write(self, row: Sequence[Cell]) -> None:
        self._stream.write(f"{json_row(self._names, row, self._zone)}\n")

    def close(self) -> None:
        """Nothing ends them."""


class JsonArray:
    """One document: an array, an object a line."""

    def __init__(self, stream: TextIO, columns: Sequence[RowColumn], zone: Zone) -> None:
        self._stream = stream
        self._names = [one.name for one in columns]
        self._zone = zone
        self._began = False

    def write(self, row: Sequence[Cell]) -> None:
        self._stream.write(f"{',' if self._began else '['}\n{json_row(self._names, row, self._zone)}")
        self._began = True

    def close(self) -> None:
        self._stream.write("\n]\n" if self._began else "[]\n")


def json_row(names: Sequence[str], row: Sequence[Cell], zone: Zone) -> str:
    return json_text({name: _json_value(value, zone) for name, value in zip(names, row, strict=True)})


def _json_value(value: object, zone: Zone) -> object:
    """Times in the zone; of numbers those that JSON has, null for the others."""
    match value:
        case datetime():
            return zone.text(value)
        case float() if not math.isfinite(value):
            return None
        case str():
            return value
        case Mapping():
            return {str(name): _json_value(one, zone) for name, one in value.items()}
        case Sequence():
            return [_json_value(one, zone) for one in value]
        case _:
            return value


class Csv:
    """For spreadsheets: a header, and no cell that is a formula."""

    def __init__(self, stream: TextIO, columns: Sequence[RowColumn], zone: Zone) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._columns = columns
        self._zone = zone
        self._writer.writerow([csv_cell(one.name) for one in columns])

    def write(self, row: Sequence[Cell]) -> None:
        cells = zip(self._columns, row, strict=True)
        self._writer.writerow([csv_cell(cell_text(column, value, self._zone)) for column, value in cells])

    def close(self) -> None:
        """Nothing ends it."""


class TabSeparated:
    """What a table is where no terminal shows it: a header where there are rows, a line a row, whole."""

    def __init__(self, stream: TextIO, columns: Sequence[RowColumn], zone: Zone, *, colour: bool = False) -> None:
        self._stream = stream
        self._columns = columns
        self._zone = zone
        self._colour = colour
        self._began = False

    def write(self, row: Sequence[Cell]) -> None:
        if not self._began:
            self._line([clean(one.name) for one in self._columns])
            self._began = True
        self._line([self._cell(column, value) for column, value in zip(self._columns, row, strict=True)])

    def _cell(self, column: RowColumn, value: Cell) -> str:
        text = clean(cell_text(column, value, self._zone))
        return coloured(text, column.meaning(value)) if self._colour and column.meaning and text else text

    def _line(self, cells: Sequence[str]) -> None:
        self._stream.write("\t".join(cells) + "\n")

    def close(self) -> None:
        """Nothing ends it."""


__all__ = ["Csv", "JsonArray", "JsonLines", "RowWriter", "TabSeparated", "json_row"]
