"""The table of a terminal: fitted to its width, so that nothing wraps.

Decides which columns stay, how wide each is and what is cut. Cells are hostile text (whoever is in a log chose them): control
characters never reach the terminal. It holds its rows until the last, since the widest say how wide a column is.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

import click

from crosstrail.cli.output.colour import Meaning, coloured
from crosstrail.cli.output.columns import Cell, RowColumn, cell_text
from crosstrail.cli.output.fitting import Cut, fitted
from crosstrail.cli.output.zones import Zone
from crosstrail.cli.words import say
from crosstrail.text import clean

_GAP = "  "
_NARROWEST = 7
_CUTS: tuple[Cut, ...] = ("start", "middle", "end")


class TerminalTable:
    """One line a row. Empty columns are left out and the widest give way; where even that does not fit, each row becomes a block
    of `name  value` lines."""

    def __init__(
        self,
        columns: Sequence[RowColumn],
        zone: Zone,
        *,
        first_to_go: Sequence[str],
        named: bool,
        colour: bool,
        vertical: bool = False,
    ) -> None:
        """`named`: whether these columns were asked for, so that none is left out. `vertical`: blocks with whole values."""
        self._vertical = vertical
        self._columns = columns
        self._zone = zone
        self._first_to_go = () if named else first_to_go
        self._spare = frozenset(first_to_go)
        self._named = named
        self._colour = colour
        self._cells: list[list[str]] = []
        self._meanings: list[list[Meaning | None]] = []

    def write(self, row: Sequence[Cell]) -> None:
        pairs = list(zip(self._columns, row, strict=True))
        self._cells.append([clean(cell_text(column, value, self._zone, grouped=True)) for column, value in pairs])
        self._meanings.append([column.meaning(value) if column.meaning else None for column, value in pairs])

    def close(self) -> None:
        if not self._cells:
            return
        room = shutil.get_terminal_size().columns
        filled = [place for place in range(len(self._columns)) if self._named or any(row[place] for row in self._cells)]
        filled = filled or list(range(len(self._columns)))
        if self._vertical:
            self._print_blocks(filled, room)
            return
        left_out = self._left_out(filled, room)
        kept = [place for place in filled if place not in left_out]
        widths = self._widths(kept, room)
        if not widths:
            self._print_blocks(filled, room)
            return
        self._print_lines(kept, widths)
        if left_out:
            names = ", ".join(self._columns[place].name for place in left_out)
            say(f"No room for {names}: a wider terminal, --columns or --wide shows more, and a pipe gets every column.")

    def _widest(self, place: int) -> int:
        from rich.cells import cell_len

        return max(cell_len(clean(self._columns[place].name)), *(cell_len(row[place]) for row in self._cells))

    def _left_out(self, filled: Sequence[int], room: int) -> list[int]:
        """Those of the first to go that have no room beside the others: what matters most has it first, and what is narrow
        may have what is left by a wider one."""
        needed = {}
        for place in filled:
            column, widest = self._columns[place], self._widest(place)
            needed[place] = len(_GAP) + (widest if column.whole else min(widest, column.readable))
        places = {one.name: place for place, one in enumerate(self._columns)}
        spare = [places[name] for name in self._first_to_go if places.get(name) in needed]
        left = room + len(_GAP) - sum(width for place, width in needed.items() if place not in spare)
        gone: list[int] = []
        for place in reversed(spare):
            if needed[place] <= left:
                left -= needed[place]
            else:
                gone.append(place)
        return sorted(gone)

    def _widths(self, kept: Sequence[int], room: int) -> list[int]:
        """A width for each column; empty when they do not fit even at their narrowest. Those that are never cut keep theirs."""
        widths = [min(self._widest(place), room) for place in kept]
        firm = {number for number, place in enumerate(kept) if self._columns[place].whole}
        left = room - len(_GAP) * (len(widths) - 1)
        if sum(one if number in firm else min(one, _NARROWEST) for number, one in enumerate(widths)) > left:
            return []
        readable = {number: self._columns[place].readable for number, place in enumerate(kept) if number not in firm}
        spare = {number: one for number, one in readable.items() if self._columns[kept[number]].name in self._spare}
        for least in (spare, readable, dict.fromkeys(readable, 0)):
            _narrow(widths, left, least)
        return widths

    def _print_lines(self, kept: Sequence[int], widths: Sequence[int]) -> None:
        names = [clean(self._columns[place].name) for place in kept]
        heading = _GAP.join(
            self._fitted(place, name, width) for place, name, width in zip(kept, names, widths, strict=True)
        )
        self._echo(click.style(heading.rstrip(), bold=True) if self._colour else heading.rstrip())
        self._echo("─" * (sum(widths) + len(_GAP) * (len(widths) - 1)))
        cuts = {place: self._cut(place, width) for place, width in zip(kept, widths, strict=True)}
        for cells, meanings in zip(self._cells, self._meanings, strict=True):
            line = []
            for place, width in zip(kept, widths, strict=True):
                text = self._fitted(place, cells[place], width, cuts[place])
                last = place == kept[-1]
                line.append(self._shown(text.rstrip() if last else text, meanings[place]))
            self._echo(_GAP.join(line).rstrip())

    def _cut(self, place: int, width: int) -> Cut:
        """Where this column's values are cut."""
        column = self._columns[place]
        if column.cut != "apart":
            return column.cut
        values = {row[place] for row in self._cells}
        return max(_CUTS, key=lambda cut: len({fitted(value, width, cut) for value in values}))

    def _fitted(self, place: int, text: str, width: int, cut: Cut = "end") -> str:
        return fitted(text, width, cut, right=self._columns[place].kind in ("integer", "number"))

    def _shown(self, padded: str, meaning: Meaning | None) -> str:
        """Coloured without the blanks beside it: a background would show there."""
        text = padded.strip()
        if not (self._colour and meaning and text):
            return padded
        begin = padded.index(text)
        return padded[:begin] + coloured(text, meaning) + padded[begin + len(text) :]

    def _print_blocks(self, filled: Sequence[int], room: int) -> None:
        from rich.cells import cell_len, chop_cells

        names = {place: clean(self._columns[place].name) for place in filled}
        margin = min(max(map(cell_len, names.values())), room // 3)
        for number, (cells, meanings) in enumerate(zip(self._cells, self._meanings, strict=True), 1):
            heading = f"─ {number} "
            self._echo(click.style(heading, bold=True) if self._colour else heading)
            for place in filled:
                if text := cells[place]:
                    left = room - margin - len(_GAP)
                    lines = chop_cells(text, left) if self._vertical else [fitted(text, left).rstrip()]
                    for name, line in zip([names[place], *[""] * (len(lines) - 1)], lines, strict=True):
                        self._echo(f"{fitted(name, margin)}{_GAP}{self._shown(line, meanings[place])}")

    def _echo(self, line: str) -> None:
        click.echo(line, color=self._colour or None)


def _narrow(widths: list[int], left: int, least: Mapping[int, int]) -> None:
    """Takes from the widest of some, again and again, until all fit or each of these is as narrow as it may be."""
    while sum(widths) > left and (given := [number for number, one in least.items() if widths[number] > one]):
        widths[max(given, key=widths.__getitem__)] -= 1


__all__ = ["TerminalTable"]
