"""What a command hands its rows to: one value, whatever form, file, columns and time zone it was asked for.

Decides which columns a form shows. Rows are written as they come; only the table of a terminal waits for the last.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
import orjson

from crosstrail.cli.output.colour import wants_colour
from crosstrail.cli.output.columns import Cell, RowColumn, RowType
from crosstrail.cli.output.destination import Destination
from crosstrail.cli.output.nearest import nearest
from crosstrail.cli.output.terminal_table import TerminalTable
from crosstrail.cli.output.writers import Csv, JsonArray, JsonLines, RowWriter, TabSeparated
from crosstrail.cli.output.zones import Zone
from crosstrail.cli.translation import translated
from crosstrail.cli.words import fitted
from crosstrail.text import json_text, visible


class Rows:
    """Rows of one type, being written. A row has a value for each column of its type, in their order."""

    def __init__(self, writer: RowWriter, places: Sequence[int] | None, destination: Destination) -> None:
        self._writer = writer
        self._places = places
        self._destination = destination
        self._destination.rows = destination.rows or 0

    def write(self, row: Sequence[Cell]) -> None:
        chosen = row if self._places is None else [row[place] for place in self._places]
        self._writer.write(chosen)
        self._destination.rows = (self._destination.rows or 0) + 1

    def write_all(self, rows: Iterable[Sequence[Cell]]) -> None:
        """And let whoever reads have them."""
        for row in rows:
            self.write(row)
        self.flush()

    def flush(self) -> None:
        """What was written is there for whoever reads; the table of a terminal still waits for its last row."""
        self._destination.text.flush()


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """The output that a command was asked for."""

    form: str
    """table, json, jsonl, csv, parquet, or a form of the command's own."""
    destination: Destination
    names: tuple[str, ...] = ()
    """--columns, in their order; empty for those that the form shows."""
    wide: bool = False
    zone: Zone = field(default_factory=Zone)
    older: bool = False
    """Whether it was asked for by --json, which a command may answer as it always did."""
    vertical: bool = False
    """On a terminal: a block of lines for each row, with whole values."""

    @property
    def on_terminal(self) -> bool:
        """Whether people look at it: a table that a terminal shows."""
        return self.form == "table" and self.destination.on_terminal

    @property
    def colour(self) -> bool:
        return wants_colour(terminal=self.destination.on_terminal)

    def shows(self, rows: RowType, name: str) -> bool:
        """Whether that column will be seen: what nobody sees need not be found out."""
        return any(one.name == name for one in self.columns(rows))

    def columns(self, rows: RowType) -> tuple[RowColumn, ...]:
        """Raises click.UsageError for a name of --columns that is none."""
        if self.names:
            return chosen_columns(rows, self.names)
        if self.form in ("json", "jsonl", "parquet"):
            return rows.columns
        everything = self.wide or not self.on_terminal
        return tuple(one for one in rows.columns if not one.by_name and (everything or not one.wide))

    @contextmanager
    def rows(self, rows: RowType) -> Iterator[Rows]:
        """What ends the rows is written when this ends well."""
        columns = self.columns(rows)
        known = {id(one): place for place, one in enumerate(rows.columns)}
        places = None if columns == rows.columns else [known[id(one)] for one in columns]
        writer = self._writer(rows, columns)
        yield Rows(writer, places, self.destination)
        writer.close()
        self.destination.text.flush()

    def _writer(self, rows: RowType, columns: tuple[RowColumn, ...]) -> RowWriter:
        stream = self.destination.text
        match self.form:
            case "json":
                return JsonArray(stream, columns, self.zone)
            case "jsonl":
                return JsonLines(stream, columns, self.zone)
            case "csv":
                return Csv(stream, columns, self.zone)
            case "parquet":
                from crosstrail.lake.parquet_rows import ParquetRows

                return ParquetRows(self.destination.binary, [(one.name, one.kind) for one in columns])
        if not self.destination.on_terminal:
            return TabSeparated(stream, columns, self.zone, colour=self.colour)
        first_to_go = () if self.wide else rows.first_to_go
        return TerminalTable(
            columns,
            self.zone,
            first_to_go=first_to_go,
            named=bool(self.names),
            colour=self.colour,
            vertical=self.vertical,
        )

    def line(self, text: str) -> None:
        """A line for people, in their language, of a form of the command's own; a terminal's is broken between words."""
        said = translated(visible(text))
        for part in fitted(said) if self.destination.on_terminal else [said]:
            self.destination.text.write(f"{part}\n")

    def tabbed_line(self, text: str) -> None:
        """A line whose columns are parted by tabs, as another tool prints it."""
        self.destination.text.write("\t".join(map(visible, text.split("\t"))) + "\n")

    def json_line(self, value: object) -> None:
        """The same, JSON."""
        self.destination.text.write(f"{json_text(value)}\n")
        self.destination.rows = (self.destination.rows or 0) + 1

    def json_document(self, value: object) -> None:
        """A report that is no rows, as a reader likes it."""
        self.destination.text.write(f"{json_text(value, orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)}\n")

    def flush(self) -> None:
        self.destination.text.flush()


def table_on_stdout() -> CommandOutput:
    """For a command without options of its own for that."""
    return CommandOutput("table", Destination(sys.stdout, sys.stdout.buffer))


def chosen_columns(rows: RowType, names: Sequence[str]) -> tuple[RowColumn, ...]:
    """Raises click.UsageError for a name that is none."""
    known = {one.name.lower(): one for one in rows.columns}
    for name in names:
        if name.lower() not in known:
            all_names = ", ".join(rows.names)
            if near := nearest(name, rows.names):
                raise click.UsageError(
                    f"There is no column {name[:60]!r}. Did you mean {near}? There are: {all_names}."
                )
            raise click.UsageError(f"There is no column {name[:60]!r}. There are: {all_names}.")
    return tuple(known[name.lower()] for name in names)


__all__ = ["CommandOutput", "Rows", "chosen_columns", "table_on_stdout"]
