"""Lines broken by the cells of a terminal: a Chinese character takes two, and a line may break beside each of them.

Words of Latin letters stay whole, and no line begins with a mark that closes or ends with one that opens.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

_CLOSING = "，。；：？！、）》」』】”’…,.;:?!)]}"
_OPENING = "（《「『【“‘([{"
_UNITS = re.compile(
    r"\s+|[\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]|[^\s\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]+"
)


def width_of(text: str) -> int:
    """In cells."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text; a word that is longer than a line has one of its own."""
    if text.isascii():
        return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    lines, line = [], ""
    for unit in _units(text):
        if line and width_of(line + unit.rstrip()) > width:
            lines.append(line.rstrip())
            line = unit.lstrip()
        else:
            line += unit
    return [*lines, line.rstrip()] if line.strip() else lines


def _units(text: str) -> Iterator[str]:
    """What no break may divide: a word or a wide character, with the marks that belong to it."""
    unit = ""
    for part in _UNITS.findall(text):
        if unit and not (part[0] in _CLOSING or part.isspace() or unit[-1] in _OPENING):
            yield unit
            unit = ""
        unit += " " if part.isspace() else part
    if unit:
        yield unit
