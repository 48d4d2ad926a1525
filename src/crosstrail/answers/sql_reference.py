"""What a statement may be written with: functions by group, columns with their fields, keywords. Made of the engine's own tables.

Decides how the groups are named and how each is worded, for agents, for the shell and for the documentation alike. It loads no
library.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from crosstrail.engines.sql.function_table import TrinoFunction, function_table, split_types
from crosstrail.engines.sql.keyword_hints import KEYWORDS
from crosstrail.errors import InvalidRequest
from crosstrail.lake.schema import COLUMNS
from crosstrail.text import clean

_WORD = re.compile(r"[a-z0-9]+")
_ROW = re.compile(r"row\((?P<fields>.*)\)", re.DOTALL)
_LETTERS = (
    "Here T, E, U, K, V, S and R are any type, N any number, I a whole number, D a date or a timestamp; `type...` is any number of "
    "arguments; a word that is no type (unit, format, zone, ...) is a literal."
)


@dataclass(frozen=True, slots=True)
class FunctionGroup:
    """`key`: as addresses and commands name it."""

    key: str
    title: str
    functions: tuple[TrinoFunction, ...]


@dataclass(frozen=True, slots=True)
class ColumnField:
    """A column, or a field inside one by its path with dots; of an array of rows, its elements' fields are none."""

    path: str
    type: str
    description: str = ""


@cache
def function_groups() -> tuple[FunctionGroup, ...]:
    """Functions that are answered, in the table's order."""
    found: dict[tuple[str, str], list[TrinoFunction]] = {}
    for one in function_table().values():
        if not one.refusal:
            found.setdefault((one.kind, one.chapter), []).append(one)
    titles = {place: f"{place[1]} ({place[0]})" if place[0] == "aggregate" else place[1] for place in found}
    return tuple(FunctionGroup(_key(titles[place]), titles[place], tuple(one)) for place, one in found.items())


def function_group(key: str) -> FunctionGroup:
    """Raises InvalidRequest."""
    groups = {one.key: one for one in function_groups()}
    if key.lower() not in groups:
        near = difflib.get_close_matches(key.lower()[:60], groups, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Groups: {', '.join(groups)}."
        raise InvalidRequest(f"there is no group of functions {clean(key, 60)}", hint=hint)
    return groups[key.lower()]


def signatures(functions: tuple[TrinoFunction, ...]) -> Iterator[str]:
    """A line for each signature; functions that take and give the same share one."""
    alike = groupby(functions, lambda one: [text.removeprefix(one.name) for text in one.shown()])
    for texts, names in ((texts, [one.name for one in found]) for texts, found in alike):
        yield from (f"{', '.join(names)}{text}" for text in texts)


def functions_of(group: FunctionGroup) -> str:
    """A group as text: about 2 KB at most."""
    changed = [
        f"Since Trino {version}, {one.name}: {words}"
        for one in group.functions
        for version, words in one.changes.items()
    ]
    return "\n".join([f"{group.title}:", *signatures(group.functions), *changed, _LETTERS])


def functions_index(address: str) -> str:
    """Every group with its names, then what is refused and what does instead: about 8 KB. `address`: of a group, with `{group}`."""
    lines = [
        "Functions of SQL on the lake, in Trino's words. What one takes and gives: resource "
        f"{address}. Every aggregate takes DISTINCT, ORDER BY, FILTER and OVER; listagg WITHIN GROUP (ORDER BY ...)."
    ]
    lines += [f"{group.key}: {', '.join(one.name for one in group.functions)}" for group in function_groups()]
    lines.append("Refused, and what to write instead:")
    refused = [one for one in function_table().values() if one.refusal]
    for instead, found in groupby(refused, lambda one: one.instead):
        lines.append(f"{', '.join(one.name for one in found)}: {instead or 'nothing'}")
    return "\n".join(lines)


@cache
def column_fields() -> tuple[ColumnField, ...]:
    """Every column, each followed by the fields inside it."""
    return tuple(
        field
        for column in COLUMNS
        for field in (ColumnField(column.name, column.type, column.description), *_inside(column.name, column.type))
    )


def words_of_statements() -> tuple[str, ...]:
    """Keywords of a SELECT."""
    return KEYWORDS


def _inside(path: str, kind: str) -> Iterator[ColumnField]:
    if not (row := _ROW.fullmatch(kind)):
        return
    for field in split_types(row["fields"]):
        name, _, inner = field.partition(" ")
        yield ColumnField(f"{path}.{name}", inner)
        yield from _inside(f"{path}.{name}", inner)


def _key(title: str) -> str:
    return "-".join(_WORD.findall(title.lower()))
