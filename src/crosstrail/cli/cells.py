"""Text broken into lines by the cells that it takes on a terminal: an ideograph takes two, and may end a line.

Decides where a line may break: at blanks, and beside ideographs, but not so that a line begins with a closing mark. It never
drops a character but the blanks at a break.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

_CLOSING = "，。、；：！？）」』】》〉”’…"
_OPENING = "（「『【《〈“‘"
_WIDE = r"\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"


@cache
def _unit() -> re.Pattern[str]:
    """A word, or one ideograph, with the marks that stay beside it, and the blanks before. Made on first use: it takes time."""
    word = rf"[^\s{_WIDE}{_OPENING}{_CLOSING}]+"
    return re.compile(rf"(?P<gap>\s*)(?P<word>[{_OPENING}]*(?:(?![{_CLOSING}])[{_WIDE}]|{word})?[{_CLOSING}]*)")


def width_of(text: str) -> int:
    """How wide a terminal shows a line of text without control characters."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def wrapped(text: str, width: int, *, first: str = "", rest: str = "", cut_words: bool = False) -> list[str]:
    """Lines of at most `width` cells, which begin with `first` and then `rest`; one empty line of no text.

    A word that is wider than a line has one of its own, so that a path can be copied; with `cut_words` it is cut.
    """
    lines: list[str] = []
    line, used = first, width_of(first)
    empty = True
    for gap, word in _units(text, max(width - max(width_of(first), width_of(rest)), 1) if cut_words else 0):
        gap = "" if empty else gap
        if not empty and used + len(gap) + width_of(word) > width:
            lines.append(line)
            line, used, gap = rest, width_of(rest), ""
        line += gap + word
        used += len(gap) + width_of(word)
        empty = False
    return [*lines, line.rstrip()]


def _units(text: str, longest: int) -> Iterator[tuple[str, str]]:
    """(blank or nothing, what is not broken); none wider than `longest`, where that is not 0."""
    parts = (
        ((" ", word) for word in text.split())
        if text.isascii()
        else ((" " * bool(found["gap"]), found["word"]) for found in _unit().finditer(text))
    )
    for gap, word in parts:
        while longest and width_of(word) > longest:
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
