"""What was typed, parted into statements and commands of the shell.

Decides where a statement ends: at `;`, `\\g` or `\\gx` outside of texts, quoted names and comments. A command is a line that begins
with a backslash, or with a dot where no statement is open. It never looks into SQL otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<quoted>'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z))
      | (?P<end>;|\\(?:gx|g|G)(?![\w]))
      | (?P<newline>\n)
      | (?P<blank>[^\S\n]+)
      | (?P<other>[^;'"\\\s/-]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMAND = re.compile(r"[^\S\n]*(?P<sign>[.\\])(?P<name>[A-Za-z?!]\w*)(?P<argument>[^\n]*)")


@dataclass(frozen=True, slots=True)
class TypedStatement:
    """`line`: where it begins in the text, from 1. `vertical`: one line a value was asked for."""

    sql: str
    line: int = 1
    vertical: bool = False


@dataclass(frozen=True, slots=True)
class ShellCommand:
    """`pending`: the statement that was open when it was typed."""

    name: str
    argument: str = ""
    line: int = 1
    pending: str = ""


@dataclass(frozen=True, slots=True)
class Parted:
    """`rest`: a statement that has not ended yet; empty where there is none. `end`: where the last part ends in the text."""

    parts: tuple[TypedStatement | ShellCommand, ...]
    rest: str
    end: int = 0


def parted(text: str) -> Parted:
    """In the order of the text."""
    parts: list[TypedStatement | ShellCommand] = []
    start = place = 0
    blank = True
    """Whether nothing but white space and comments stands between `start` and `place`."""
    fresh = True
    """Whether nothing stands before `place` in its line."""
    while place < len(text):
        if fresh and (found := _COMMAND.match(text, place)) and (blank or _may_interrupt(found)):
            pending = "" if blank else text[start : found.start()].strip()
            parts.append(ShellCommand(found["name"], found["argument"].strip(), _line(text, place), pending))
            start = place = found.end()
            blank = fresh = True
            continue
        token = _TOKEN.match(text, place)
        if token is None:
            break
        place = token.end()
        if token.lastgroup == "end":
            if not blank:
                parts.append(_statement(text, start, token))
            start, blank = place, True
        elif token.lastgroup in ("quoted", "other"):
            blank = False
        fresh = token.lastgroup == "newline" or (fresh and token.lastgroup == "blank")
    return Parted(tuple(parts), "" if blank else text[start:].strip(), start)


def is_finished(text: str) -> bool:
    """Whether Enter runs it: nothing is open, or its last line is a command."""
    found = parted(text)
    return not found.rest


def _may_interrupt(found: re.Match[str]) -> bool:
    """In the midst of a statement a dot may begin a number or a field; `\\g` ends the statement and is no command."""
    return found["sign"] == "\\" and found["name"] not in ("g", "gx", "G")


def _statement(text: str, start: int, end: re.Match[str]) -> TypedStatement:
    whole = text[start : end.start()]
    first = start + len(whole) - len(whole.lstrip())
    return TypedStatement(whole.strip(), _line(text, first), end.group() in ("\\gx", "\\G"))


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
