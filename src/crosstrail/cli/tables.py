"""Tables for people: fitted to the terminal; tab-separated and whole when the output goes to a file or a pipe.

Cells are hostile text (whoever is in a log chose them): control characters never reach the terminal.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Sequence

import click

from crosstrail.cli.words import say
from crosstrail.text import clean

_GAP = "  "
_NARROWEST = 7
_READABLE = 14
"""Columns wide: what a cell may be cut to before a column beside it is left out."""


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    *,
    whole: Sequence[str] = (),
    first_to_go: Sequence[str] = (),
) -> None:
    """One line a row. On a terminal empty columns are left out and the widest give way; where even that does not fit,
    each row becomes a block of `name  value` lines. Nothing wraps.

    `whole`: columns never cut. `first_to_go`: columns left out in this order where a terminal is too narrow to read
    them all; which ones is said on stderr.
    """
    cells = [[clean(value or "") for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in [[clean(name) for name in columns], *cells]:
            click.echo("\t".join(line))
        return
    width = shutil.get_terminal_size().columns
    filled = [place for place in range(len(columns)) if not cells or any(row[place] for row in cells)]
    firm = {columns.index(name) for name in whole}
    left_out = _left_out(columns, cells, filled, firm, first_to_go, width)
    kept = [place for place in filled if columns[place] not in left_out]
    lines = [[clean(columns[place]) for place in kept], *([row[place] for place in kept] for row in cells)]
    widths = _widths(lines, width, {number for number, place in enumerate(kept) if place in firm})
    if not widths:
        names = [clean(columns[place]) for place in filled]
        _print_blocks(names, [[row[place] for place in filled] for row in cells], width)
        return
    _print_lines(lines[0], lines[1:], widths)
    if left_out:
        say(f"No room for {', '.join(left_out)}: a wider terminal or a pipe shows every column.")


def _left_out(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    filled: Sequence[int],
    firm: Collection[int],
    first_to_go: Sequence[str],
    room: int,
) -> list[str]:
    """Those of `first_to_go` without which the others can be read."""
    from rich.cells import cell_len

    needed = {}
    for place in filled:
        widest = max(cell_len(columns[place]), *(cell_len(row[place]) for row in cells)) if cells else 0
        needed[columns[place]] = len(_GAP) + (widest if place in firm else min(widest, _READABLE))
    gone: list[str] = []
    for name in first_to_go:
        if sum(needed.values()) - len(_GAP) <= room:
            break
        if needed.pop(name, 0):
            gone.append(name)
    return gone


def _widths(lines: Sequence[Sequence[str]], room: int, firm: Collection[int] = ()) -> list[int]:
    """A width for each column; empty when they do not fit even at their narrowest. The `firm` ones keep theirs."""
    from rich.cells import cell_len

    widths = [min(max(map(cell_len, column)), room) for column in zip(*lines, strict=True)]
    left = room - len(_GAP) * (len(widths) - 1)
    if sum(one if place in firm else min(one, _NARROWEST) for place, one in enumerate(widths)) > left:
        return []
    while sum(widths) > left:
        widths[max((place for place in range(len(widths)) if place not in firm), key=widths.__getitem__)] -= 1
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
