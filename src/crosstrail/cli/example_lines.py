"""Examples as lines of a given width that can still be copied into a shell.

Decides where a command line breaks: between its words, with a backslash, and in SQL at a blank, where a line's end means
nothing. A word that is wider than a line is cut by a backslash and goes on at the very beginning of the next, as shells join it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from crosstrail.cli.cells import width_of, wrapped
from crosstrail.cli.examples import Example
from crosstrail.cli.translation import catalog

_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""")
_SQL = re.compile(r"SELECT |WITH ")
_BY_ITSELF = re.compile(r"-|.?(SELECT |WITH )")
"""An option, or what a line may break in."""
_NEXT, _MORE = "    ", " \\"


def example_lines(examples: Sequence[Example], width: int, indent: str = "") -> list[str]:
    """A comment and a command each, an empty line between two."""
    lines: list[str] = []
    for example in examples:
        if lines:
            lines.append("")
        lines += wrapped(
            catalog().exactly(example.shows) or example.shows,
            width,
            first=f"{indent}# ",
            rest=f"{indent}# ",
            cut_words=True,
        )
        lines += _command_lines(example.command, width, indent)
    return lines


def _command_lines(command: str, width: int, indent: str) -> list[str]:
    lines, line = [], indent
    for gap, word, in_sql in _words(command, width - len(indent + _NEXT + _MORE)):
        if line.strip() and width_of(line + gap + word) > width - len(_MORE):
            lines.append(line + ("" if in_sql else _MORE))
            line, gap = indent + _NEXT, ""
        line += gap + word
        while width_of(line) > width:
            lines.append(line[: width - 1] + "\\")
            line = line[width - 1 :]
    return [*lines, line]


def _words(command: str, room: int) -> Iterator[tuple[str, str, bool]]:
    """What stands before each word, the word, and whether a line may end there without a backslash. An option's name and its
    value are one word where that is no wider than `room`."""
    for start, word in _with_values(command, room):
        parts = word.split(" ") if _SQL.search(word) else [word]
        for number, part in enumerate(parts):
            yield (" " if start or number else ""), part, bool(number)


def _with_values(command: str, room: int) -> Iterator[tuple[int, str]]:
    words = [found.group() for found in _WORD.finditer(command)]
    number = 0
    while number < len(words):
        word, following = words[number], words[number + 1 : number + 2]
        if word.startswith("-") and word != "--" and following and not _BY_ITSELF.match(following[0]):
            both = f"{word} {following[0]}"
            word = both if width_of(both) <= room else word
        yield number, word
        number += len(_WORD.findall(word))
