"""Tables for people: fitted to the terminal; tab-separated and whole when the output goes to a file or a pipe.

Cells are hostile text (whoever is in a log chose them): control characters never reach the terminal.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

import click

from crosstrail.server.render import clean

_GAP = "  "
_NARROWEST = 7


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    """One line a row. On a terminal empty columns are left out and the widest give way; where even that does not fit,
    each row becomes a block of `name  value` lines. Nothing wraps."""
    cells = [[clean(value or "") for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in [list(columns), *cells]:
            click.echo("\t".join(line))
        return
    width = shutil.get_terminal_size().columns
    filled = [place for place in range(len(columns)) if not cells or any(row[place] for row in cells)]
    names = [clean(columns[place]) for place in filled]
    shown = [[row[place] for place in filled] for row in cells]
    widths = _widths([names, *shown], width)
    if widths:
        _print_lines(names, shown, widths)
    else:
        _print_blocks(names, shown, width)


def _widths(lines: Sequence[Sequence[str]], room: int) -> list[int]:
    """A width for each column; empty when they do not fit even at their narrowest."""
    from rich.cells import cell_len

    widths = [min(max(map(cell_len, column)), room) for column in zip(*lines, strict=True)]
    left = room - len(_GAP) * (len(widths) - 1)
    if sum(min(one, _NARROWEST) for one in widths) > left:
        return []
    while sum(widths) > left:
        widths[widths.index(max(widths))] -= 1
    return widths


def _print_lines(names: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    click.secho(_line(names, widths), bold=True)
    click.echo("─" * (sum(widths) + len(_GAP) * (len(widths) - 1)))
    for row in rows:
        click.echo(_line(row, widths))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(_fitted(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _fitted(cell: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return set_cell_size(cell, width) if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…"


def _print_blocks(names: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> None:
    from rich.cells import cell_len

    margin = min(max(map(cell_len, names)), room // 3)
    for number, row in enumerate(rows, 1):
        click.secho(f"─ {number} ", bold=True)
        for name, value in zip(names, row, strict=True):
            if value:
                click.echo(f"{_fitted(name, margin)}{_GAP}{_fitted(value, room - margin - len(_GAP)).rstrip()}")
