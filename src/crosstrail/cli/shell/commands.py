"""The commands of the shell by name: what each takes and is for. shell.py does them.

Decides names alone: those of psql after a backslash and those of the DuckDB and SQLite shells after a dot are one set here, and each
answers to both signs.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from crosstrail.answers.sql_reference import column_fields, function_groups
from crosstrail.cli.output.options import FORMS
from crosstrail.cli.shell.completion import CommandWords
from crosstrail.errors import InvalidRequest
from crosstrail.text import clean

Action = Literal[
    "accounts", "coverage", "edit", "examples", "explain", "format", "functions", "help", "limit", "output", "quit", "read", "saved",
    "schema", "timing", "vertical",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class CommandForm:
    """`names`: the first is shown with its sign, the others do the same. `argument`: as help shows it."""

    action: Action
    names: tuple[str, ...]
    about: str
    argument: str = ""
    sign: str = "."
    values: tuple[str, ...] = ()
    takes_path: bool = False

    @property
    def shown(self) -> str:
        return f"{self.sign}{self.names[0]} {self.argument}".rstrip()


COMMANDS: tuple[CommandForm, ...] = (
    CommandForm(
        "schema",
        ("schema", "d"),
        "Columns with type and meaning; of one column its fields.",
        "[COLUMN]",
        values=tuple(one.path for one in column_fields() if one.type.startswith(("row(", "array(row("))),
    ),
    CommandForm(
        "functions",
        ("functions", "df"),
        "Functions by group; of one group, or of a name, what they take.",
        "[GROUP|NAME]",
        values=tuple(one.key for one in function_groups()),
    ),
    CommandForm("examples", ("examples",), "Example queries; by number: put one here, to edit and run.", "[NUMBER]"),
    CommandForm("accounts", ("accounts", "tables", "dt"), "What FROM takes: accounts and their event data stores."),
    CommandForm("coverage", ("coverage",), "What the last answer could read, and what was missing."),
    CommandForm("saved", ("saved",), "Saved queries; by name: run one.", "[NAME [PARAMETER=VALUE]...]"),
    CommandForm("read", ("read", "i"), "Run the statements of a file.", "FILE", takes_path=True),
    CommandForm("explain", ("explain",), "What a statement would read; EXPLAIN before it does the same.", "STATEMENT"),
    CommandForm("format", ("format", "mode"), "How rows are written: table, json, jsonl, csv, parquet.", "[FORMAT]", values=FORMS),
    CommandForm(
        "output",
        ("output", "o"),
        "Write the rows that follow to a file; without one, to the terminal again.",
        "[FILE [--overwrite]]",
        takes_path=True,
    ),
    CommandForm("limit", ("limit",), "Most rows that the terminal shows.", "[NUMBER]"),
    CommandForm("timing", ("timing",), "Whether the time of each statement is shown.", "[on|off]", values=("on", "off")),
    CommandForm("vertical", ("x",), "A block of lines for each row, with whole values; without, where they do not fit.", "[on|auto]", "\\", values=("on", "auto")),
    CommandForm("edit", ("e", "edit"), "Edit the last statement in your editor.", "", "\\"),
    CommandForm("help", ("?", "help", "h"), "This list.", "", "\\"),
    CommandForm("quit", ("q", "quit", "exit"), "Leave, as Ctrl-D does.", "", "\\"),
)  # fmt: skip
ENDS = (
    ("; or \\g", "Run the statement."),
    ("\\gx", "Run it and show a block of lines for each row."),
    ("Ctrl-C", "Cancel the statement that runs, or drop what was typed."),
)
_BY_NAME = {name: one for one in COMMANDS for name in one.names}


def command_named(name: str) -> CommandForm:
    """Raises InvalidRequest."""
    if found := _BY_NAME.get(name.lower()):
        return found
    near = difflib.get_close_matches(name.lower()[:30], _BY_NAME, n=1)
    hint = f"Did you mean {_BY_NAME[near[0]].sign}{near[0]}?" if near else "\\? lists the commands."
    raise InvalidRequest(f"there is no command {clean(name, 30)}", hint=hint)


def command_words() -> tuple[CommandWords, ...]:
    """For completion."""
    return tuple(CommandWords(name, one.about, one.values, one.takes_path) for name, one in _BY_NAME.items())
