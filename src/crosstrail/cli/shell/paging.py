"""A pager for what has more lines than the terminal.

Decides when there is one. Which one, the user's PAGER says, as for other programs.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


class _Screen(io.StringIO):
    """Stands for a terminal, whose lines are counted before they are shown."""

    def isatty(self) -> bool:
        return True


@contextmanager
def paged(*, colour: bool) -> Iterator[None]:
    """What is printed on stdout inside is shown when it ends well: a screen at a time where it is longer than one."""
    terminal, screen = sys.stdout, _Screen()
    sys.stdout = screen
    try:
        yield
    finally:
        sys.stdout = terminal
    text = screen.getvalue()
    if text.count("\n") < shutil.get_terminal_size().lines:
        click.echo(text, nl=False, color=colour)
    else:
        click.echo_via_pager(text, color=None if colour else False)  # None: as the pager can
