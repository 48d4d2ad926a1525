"""A text in a number of columns of a terminal: filled up with blanks, or cut where that is told."""

from __future__ import annotations

from typing import Literal

from crosstrail.text import ELLIPSIS

Cut = Literal["start", "middle", "end"]
_NARROWEST = 7
"""Columns in which two ends of a text still say something."""


def fitted(text: str, width: int, cut: Cut = "end", *, right: bool = False) -> str:
    """Exactly `width` columns wide. `right`: put to the right where it is shorter."""
    from rich.cells import cell_len, set_cell_size

    length = cell_len(text)
    if length <= width:
        return " " * (width - length) + text if right else set_cell_size(text, width)
    if cut == "end" or width < _NARROWEST:
        return set_cell_size(text, width - 1) + ELLIPSIS
    room = width - 1 if cut == "start" else (width - 1) // 2
    tail = text[-room:]
    while cell_len(tail) > room:
        tail = tail[1:]
    return set_cell_size(text, width - 1 - cell_len(tail)) + ELLIPSIS + tail


__all__ = ["Cut", "fitted"]
