"""Text broken into lines by the cells that it takes on a terminal: an ideograph takes two, and may end a line.

Decides where a line may break: at blanks, and beside ideographs, but not so that a line begins with a closing mark. It never
drops a character but the blanks at a break.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_CLOSING = "，。、；：！？）」』】》〉”’…"
_OPENING = "（「『【《〈“‘"
_UNIT = re.compile(
    rf"(?P<gap>\s*)(?P<word>[{_OPENING}]*"
    rf"(?:[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef]|[^\s\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef{_OPENING}{_CLOSING}]+)?"
    rf"[{_CLOSING}]*)"
)
"""A word, or one ideograph, with the marks that stay beside it, and the blanks before."""


def cells(text: str) -> int:
    """How wide a terminal shows a line of text without control characters."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def wrapped(text: str, width: int, *, first: str = "", rest: str = "", whole_words: bool = False) -> list[str]:
    """Lines of at most `width` cells, which begin with `first` and then `rest`; one empty line of no text.

    A word that is wider than a line is cut, or with `whole_words` is a line by itself: a path that can be copied.
    """
    lines: list[str] = []
    line, used = first, cells(first)
    empty = True
    for gap, word in _units(text, 0 if whole_words else max(width - max(cells(first), cells(rest)), 1)):
        gap = "" if empty else gap
        if not empty and used + len(gap) + cells(word) > width:
            lines.append(line)
            line, used, gap = rest, cells(rest), ""
        line += gap + word
        used += len(gap) + cells(word)
        empty = False
    return [*lines, line.rstrip()]


def _units(text: str, longest: int) -> Iterator[tuple[str, str]]:
    """(blank or nothing, what is not broken); none wider than `longest`, where that is not 0."""
    for found in _UNIT.finditer(text):
        gap, word = " " if found["gap"] else "", found["word"]
        while longest and cells(word) > longest:
            taken = _taken(word, longest)
            yield gap, word[:taken]
            gap, word = "", word[taken:]
        if word:
            yield gap, word


def _taken(word: str, room: int) -> int:
    """How many characters of a word fit, at least one."""
    used = 0
    for place, sign in enumerate(word):
        used += _cells_of(sign)
        if used > room:
            return max(place, 1)
    return len(word)
