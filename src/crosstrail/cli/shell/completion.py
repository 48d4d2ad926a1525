"""What may come next at a place of a statement: columns and their fields, functions, tables, keywords; commands and what they take.

Decides by the words before the place, without parsing: a statement that is being typed is none yet. It knows no terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from crosstrail.answers.sql_reference import column_fields, function_groups, words_of_statements

_OPEN_TEXT = re.compile(r"'(?:[^']|'')*\Z|--[^\n]*\Z|/\*(?:(?!\*/).)*\Z", re.DOTALL)
_CLOSED = re.compile(r"--[^\n]*\n|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
_WORD = re.compile(r"[\w.]*\Z", re.ASCII)
_TABLE_WORD = re.compile(r"[\w.:-]*\Z", re.ASCII)
_TABLE_PLACE = re.compile(
    r"\b(?:from|join)\s+(?:[\w.:\"-]+(?:\s+(?:as\s+)?\w+)?\s*,\s*)*[\w.:-]*\Z", re.IGNORECASE | re.ASCII
)
_ALIAS = re.compile(r"\b(?:from|join|,)\s+[\w.:\"-]+\s+(?:as\s+)?([a-z_]\w*)", re.IGNORECASE | re.ASCII)
_NO_ALIAS = frozenset(word.lower() for word in words_of_statements())


@dataclass(frozen=True, slots=True)
class Candidate:
    """`text` takes the place of the last `replaces` characters before the cursor."""

    text: str
    replaces: int
    about: str = ""


@dataclass(frozen=True, slots=True)
class CommandWords:
    """A command of the shell as completion knows it. `values`: what it takes."""

    name: str
    about: str
    values: tuple[str, ...] = ()
    takes_path: bool = False


def candidates(before: str, tables: Sequence[str], commands: Sequence[CommandWords]) -> Iterator[Candidate]:
    """`before`: the text up to the cursor, of the statement that is open or of a command's line."""
    line = before.rpartition("\n")[2]
    if line.lstrip()[:1] in (".", "\\") and not before[: len(before) - len(line)].strip():
        yield from _of_command(line.lstrip(), commands)
        return
    statement = _CLOSED.sub(" ", before)
    if _OPEN_TEXT.search(statement):
        return
    if _TABLE_PLACE.search(statement):
        typed = _typed(_TABLE_WORD, statement)
        yield from _starting(typed, ((name, "table") for name in tables))
        return
    typed = _typed(_WORD, statement)
    if not typed and not statement.strip():
        yield from (Candidate(word, 0, "keyword") for word in ("SELECT", "WITH", "EXPLAIN"))
        return
    if "." in typed:
        yield from _fields(typed, _aliases(before))
    elif typed:
        yield from _names(typed, _aliases(before))


def _of_command(line: str, commands: Sequence[CommandWords]) -> Iterator[Candidate]:
    sign, rest = line[0], line[1:]
    name, blank, argument = rest.partition(" ")
    if not blank:
        shown = ((f"{sign}{one.name}", one.about) for one in commands)
        yield from _starting(line, shown)
        return
    for one in commands:
        if one.name == name:
            yield from _starting(argument.lstrip(), ((value, "") for value in one.values))


def _typed(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group() if found else ""


def _aliases(statement: str) -> list[str]:
    found = (one.group(1) for one in _ALIAS.finditer(statement))
    return [name for name in dict.fromkeys(found) if name.lower() not in _NO_ALIAS]


def _fields(typed: str, aliases: Sequence[str]) -> Iterator[Candidate]:
    """Of a column, or of a table's alias and then a column."""
    first, _, rest = typed.partition(".")
    named = {alias.lower() for alias in aliases}
    path, lead = (rest, first + ".") if first.lower() in named else (typed, "")
    inside = path.rpartition(".")[0].lower()
    for one in column_fields():
        parent = one.path.rpartition(".")[0]
        if parent == inside and one.path.startswith(path.lower()):
            yield Candidate(lead + one.path, len(typed), _type(one.type))


def _names(typed: str, aliases: Sequence[str]) -> Iterator[Candidate]:
    columns = ((one.path, _type(one.type)) for one in column_fields() if "." not in one.path)
    yield from _starting(typed, columns)
    yield from _starting(typed, ((f"{alias}.", "table") for alias in aliases))
    for group in function_groups():
        shown = ((f"{one.name}(", one.shown()[0].removeprefix(one.name)) for one in group.functions)
        yield from _starting(typed, shown)
    upper = typed.isupper() or not typed.islower()
    words = ((word if upper else word.lower(), "keyword") for word in words_of_statements())
    yield from _starting(typed, words)
    if len(typed) > 2:  # a field by its own name, as useridentity.arn for arn
        nested = ((one.path, _type(one.type)) for one in column_fields() if one.path.count("."))
        ends = (one for one in nested if one[0].rpartition(".")[2].startswith(typed.lower()))
        yield from (Candidate(path, len(typed), kind) for path, kind in ends)


def _starting(typed: str, names: Iterable[tuple[str, str]]) -> Iterator[Candidate]:
    for name, about in names:
        if name.lower().startswith(typed.lower()) and name.lower() != typed.lower():
            yield Candidate(name, len(typed), about)


def _type(text: str) -> str:
    return f"{text.partition('(')[0]}(...)" if text.startswith("row(") else text
