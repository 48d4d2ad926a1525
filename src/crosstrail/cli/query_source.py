"""Where a statement comes from: the command line, a file, standard input, or the saved queries.

Decides which of them was meant and puts values in the place of parameters. It runs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli.output import RowColumn, RowType

if TYPE_CHECKING:
    from crosstrail.cli.output import CommandOutput
    from crosstrail.settings.config import Settings

SAVED = RowType(
    "query --list-saved",
    (
        RowColumn("name", whole=True, about="What --saved takes."),
        RowColumn("description", about="What it asks."),
        RowColumn("parameters", "list", about="What --set gives values to, with their defaults."),
    ),
)
_MOST_BYTES = 1_000_000
_SOURCES = "Give a statement, @FILE, - for standard input, or --saved NAME."


def statement_of(settings: Settings, given: str | None, saved: str, values: Sequence[str]) -> str:
    """The statement with its values. Raises click.UsageError, InvalidRequest."""
    from crosstrail.answers.saved_queries import filled, parameters_of, saved_queries

    if bool(saved) == (given is not None):
        raise click.UsageError(_SOURCES)
    named = named_values(values, "--set")
    if saved:
        return saved_queries(settings.query.saved).named(saved).filled(named)
    sql = _read(given or "")
    return filled(sql, parameters_of(sql), named)


def print_saved(settings: Settings, output: CommandOutput) -> None:
    """The saved queries with what they are and take."""
    from crosstrail.answers.saved_queries import saved_queries
    from crosstrail.cli.words import say

    found = saved_queries(settings.query.saved)
    rows = [(one.name, one.description, [each.shown for each in one.parameters]) for one in found.queries]
    with output.rows(SAVED) as written:
        written.write_all(rows)
    for line in found.left_out:
        say(line)
    if not found.queries:
        say(f"No saved queries: {settings.query.saved or 'query.saved'} is the folder for them, one NAME.sql each.")


def decoded(text: bytes, place: str) -> str:
    """Text of a file or of standard input. Raises click.UsageError."""
    if len(text) > _MOST_BYTES:
        raise click.UsageError(f"{place} is longer than any statement may be.")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{place} is no UTF-8 text.") from None


def named_values(values: Sequence[str], option: str) -> dict[str, str]:
    """Of NAME=VALUE, for that option. Raises click.UsageError."""
    found = {}
    for one in values:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"{option} takes NAME=VALUE, not {one[:60]!r}.")
        found[name.strip()] = value
    return found


def _read(given: str) -> str:
    if given == "-":
        return decoded(sys.stdin.buffer.read(_MOST_BYTES + 1), "Standard input")
    if not given.startswith("@"):
        return given
    path = Path(given[1:])
    try:
        with path.open("rb") as file:
            return decoded(file.read(_MOST_BYTES + 1), str(path))
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None
