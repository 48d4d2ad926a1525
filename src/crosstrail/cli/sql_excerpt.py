"""The line of a statement that was refused, with a caret under the place.

Decides what of a line is shown where it is longer than the terminal is wide: as much as fits around the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from crosstrail.cli.words import stderr_columns
from crosstrail.errors import SqlRejected
from crosstrail.text import is_visible

_WORD = re.compile(r"'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?|[\w.]+|\S", re.ASCII)
_CUT = "…"
_AHEAD = 3
"""Of the room for a line, the part (a third) that what stands before the place gets where it is cut."""


@contextmanager
def excerpts_of(sql: str) -> Iterator[None]:
    """A refusal of the statement that is raised inside has the place to show."""
    try:
        yield
    except SqlRejected as refused:
        refused.excerpt = excerpt(sql, refused.line, refused.column, stderr_columns())
        raise


def excerpt(sql: str, line: int, column: int, width: int) -> tuple[str, ...]:
    """The line and, below it, carets under the word at the place: no wider than `width`. None without a place."""
    lines = sql.split("\n")
    if not 1 <= line <= len(lines):
        return ()
    text = lines[line - 1]
    margin = f"{line} | "
    place = min(column - 1, len(text))
    word = _WORD.match(text, place)
    shown, before, marked = _window(text, place, word.end() if word else place + 1, max(width - len(margin) - 1, 8))
    return f"{margin}{shown}".rstrip(), f"{'| ':>{len(margin)}}{' ' * before}{'^' * marked}"


def _window(text: str, place: int, end: int, room: int) -> tuple[str, int, int]:
    """The part of the line that fits, cells of it before the place, and cells of the word there."""
    from rich.cells import cell_len

    before, word, after = (_shown(part) for part in (text[:place], text[place:end], text[end:]))
    if cell_len(before) + cell_len(word) + cell_len(after) > room:
        before = _tail(before, max(room // _AHEAD, room - cell_len(word) - cell_len(after)))
        left = room - cell_len(before)
        word, after = _head(word, left), _head(after, left - cell_len(word)) if cell_len(word) < left else ""
    return f"{before}{word}{after}", cell_len(before), max(cell_len(word), 1)


def _head(text: str, room: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= room else set_cell_size(text, room - 1) + _CUT


def _tail(text: str, room: int) -> str:
    from rich.cells import cell_len

    if cell_len(text) <= room:
        return text
    first, left = len(text), room - 1
    while (left := left - cell_len(text[first - 1])) >= 0:
        first -= 1
    return _CUT + text[first:]


def _shown(part: str) -> str:
    """Each letter as one that has a width; nothing that steers a terminal."""
    return "".join(letter if is_visible(letter) else " " if letter.isspace() else "·" for letter in part)
