"""How the command line speaks: lines broken between words on a terminal, its own names for what to give, clean characters.

Whatever is printed passes here, to a pipe as to a terminal, so that no text of a log, no name of a file and no server's
answer steers the terminal that shows it, now or later.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace

import click
import orjson

from crosstrail.cli.cells import width_of, wrapped
from crosstrail.cli.translation import translated
from crosstrail.stderr_log import said_as_json
from crosstrail.text import json_text, visible
from crosstrail.vocabulary import PLAIN

_GAP = re.compile(r"^\s+|\s{2,}")
"""After the name of a line's value, or the line's indent."""
COMMAND_WORDS = replace(
    PLAIN,
    account="--account",
    start="--since",
    end="--until",
    first_page="with the same command",
    lookup="`crosstrail lookup`",
    sql="`crosstrail query`",
    cancel="Ctrl-C",
    accounts="`crosstrail accounts list`",
    coverage="`crosstrail coverage`",
    summary="`crosstrail summarize`",
    stores="`aws cloudtrail list-event-data-stores`",
    sql_page="`crosstrail help sql`",
)
"""What errors and answers call commands and options. Page tokens and query ids are nothing that its users give."""


def say(text: str, level: int = logging.INFO) -> None:
    """A line on stderr; in a file or a pipe it stays one line. Where a server logs JSON, an entry of that level."""
    if said_as_json(text, level):
        return
    text = translated(visible(text))
    if sys.stderr.isatty():
        text = "\n".join(wrapped(text, stderr_columns()))
    click.echo(text, err=True)


def say_excerpt(lines: Iterable[str]) -> None:
    """Lines on stderr whose columns stand below each other: never broken."""
    for line in lines:
        click.echo(visible(line), err=True)


def out(text: str) -> None:
    """Lines on stdout. On a terminal one that is too wide goes on below its own beginning, or what its name says."""
    lines = [translated(visible(line)) for line in text.split("\n")]
    if sys.stdout.isatty():
        lines = [part for line in lines for part in fitted(line)]
    click.echo("\n".join(lines))


def fitted(line: str) -> list[str]:
    """A line as the terminal behind stdout takes it: what is too wide goes on below what its name says."""
    width = shutil.get_terminal_size().columns
    if width_of(line) <= width:
        return [line]
    gap = _GAP.search(line)
    first = line[: gap.end()] if gap and 2 * gap.end() < width else ""
    return wrapped(line[len(first) :], width, first=first, rest=" " * width_of(first))


def out_document(text: str) -> None:
    """What could be a file, a statement or a command, as it is in every language."""
    click.echo("\n".join(map(visible, text.split("\n"))))


def ask(question: str, *, default: str = "") -> str:
    """The answer to a question on stderr; the default of one that has one is shown. Raises click.Abort."""
    question = translated(question)
    room = stderr_columns() - (width_of(default) + 3 if default else 0) - 2
    if sys.stderr.isatty() and room > 0:
        question = "\n".join(wrapped(question, room))
    return str(click.prompt(question, default=default, show_default=bool(default), err=True))


def confirm(question: str) -> bool:
    """Whether the answer to a question on stderr is yes; no if none is given. Raises click.Abort."""
    return click.confirm(translated(question), default=False, err=True)


def out_columns(text: str, *, to_stderr: bool) -> None:
    """A line whose columns are parted by tabs, as another tool prints it: never broken."""
    click.echo("\t".join(map(visible, text.split("\t"))), err=to_stderr)


def out_json(value: object, *, indent: bool = False, utc_z: bool = False) -> None:
    """A value as JSON on stdout: on one line, or as a reader likes it."""
    click.echo(json_text(value, (orjson.OPT_INDENT_2 if indent else 0) | (orjson.OPT_UTC_Z if utc_z else 0)))


def stderr_columns() -> int:
    """Of the terminal behind stderr, whatever stdout is."""
    try:
        return max(os.get_terminal_size(sys.stderr.fileno()).columns, 20)
    except OSError:
        return 80
