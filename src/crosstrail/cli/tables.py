"""Tables for people: fitted to the terminal; tab-separated and whole when the output goes to a file or a pipe.

Cells are hostile text (whoever is in a log chose them): control characters never reach the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from crosstrail.server.render import clean


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    """One line a row. On a terminal the widest columns give way; nothing wraps."""
    cells = [[clean(value or "") for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in [list(columns), *cells]:
            click.echo("\t".join(line))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))
    Console(highlight=False).print(table)
