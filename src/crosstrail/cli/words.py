"""How the command line speaks: lines broken between words on a terminal, its own names for what to give, clean characters.

Errors and coverage are written for callers of the tools. Here their parameters are options, and the tools are commands.
Whatever is printed passes here, to a pipe as to a terminal, so that no text of a log, no name of a file and no server's
answer steers the terminal that shows it, now or later.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import Any

import click
import orjson

from crosstrail.text import json_text, visible

_HERE = {
    "target_account_id": "--account",
    "start_time": "--since",
    "end_time": "--until",
    "attribute_value": "the filter's value",
    "list_accounts": "`crosstrail accounts list`",
    "lake_query": "`crosstrail query`",
    "lookup_events": "`crosstrail lookup`",
}
_TOOLS_WORD = re.compile(rf"\b({'|'.join(_HERE)})\b")


def say(text: str) -> None:
    """A line on stderr. In a file or a pipe it stays one line."""
    text = visible(text)
    if sys.stderr.isatty():
        text = textwrap.fill(text, _columns(), break_long_words=False, break_on_hyphens=False)
    click.echo(text, err=True)


def out(text: str) -> None:
    """Lines on stdout."""
    click.echo("\n".join(map(visible, text.split("\n"))))


def out_json(value: Any, *, indent: bool = False, utc_z: bool = False) -> None:
    """A value as JSON on stdout: on one line, or as a reader likes it."""
    click.echo(json_text(value, (orjson.OPT_INDENT_2 if indent else 0) | (orjson.OPT_UTC_Z if utc_z else 0)))


def in_options(text: str) -> str:
    """The same with the names that the command line has for a tool and its parameters."""
    return _TOOLS_WORD.sub(lambda found: _HERE[found[0]], text)


def _columns() -> int:
    """Of the terminal behind stderr, whatever stdout is."""
    try:
        return max(os.get_terminal_size(sys.stderr.fileno()).columns, 20)
    except OSError:
        return 80
