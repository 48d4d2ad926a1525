"""How the command line speaks on stderr: lines broken between words on a terminal, and its own names for what to give.

Errors and coverage are written for callers of the tools. Here their parameters are options, and the tools are commands.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap

import click

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
    if sys.stderr.isatty():
        text = textwrap.fill(text, _columns(), break_long_words=False, break_on_hyphens=False)
    click.echo(text, err=True)


def in_options(text: str) -> str:
    """The same with the names that the command line has for a tool and its parameters."""
    return _TOOLS_WORD.sub(lambda found: _HERE[found[0]], text)


def _columns() -> int:
    """Of the terminal behind stderr, whatever stdout is."""
    try:
        return max(os.get_terminal_size(sys.stderr.fileno()).columns, 20)
    except OSError:
        return 80
