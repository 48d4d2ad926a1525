"""Trino's functions as one table: function_table.txt, read. The registry, hints and docs/sql.md are made of it.

Decides how the table is written. It knows no compiler and no handler: those find their signatures here by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

Kind = Literal["scalar", "aggregate", "window"]
_ELSEWHERE = "Engines `trino` and `athena` have it."
Way = Literal["same", "macro", "rewritten", "refused"]


@dataclass(frozen=True, slots=True)
class Signature:
    """Types as text, in Trino's words; `template`: DuckDB's SQL for a call, or '' where a handler writes it."""

    parameters: tuple[str, ...]
    result: str
    template: str = ""


@dataclass(slots=True)
class TrinoFunction:
    """One name. Without signatures it is refused: `refusal` says why and `instead` what would do."""

    name: str
    kind: Kind
    chapter: str
    signatures: list[Signature] = field(default_factory=list)
    refusal: str = ""
    instead: str = ""
    elsewhere: list[Signature] = field(default_factory=list)
    """Of one that is refused here: what engines elsewhere have."""
    aggregates: bool = False
    """Whether that is an aggregate."""
    changes: dict[int, str] = field(default_factory=dict)
    """Version of Trino -> what is different since."""

    @property
    def way(self) -> Way:
        """How DuckDB is given it: under the same name, as a template of SQL, or written anew for each call."""
        if self.refusal:
            return "refused"
        if not all(one.template for one in self.signatures):
            return "rewritten"
        same = all(one.template == f"{self.name}({_places(one.parameters)})" for one in self.signatures)
        return "same" if same else "macro"

    def shown(self) -> list[str]:
        return [f"{self.name}({', '.join(one.parameters)}) -> {one.result}" for one in self.signatures]


def _places(parameters: tuple[str, ...]) -> str:
    return ", ".join(f"{{{index}}}" for index in range(len(parameters)))


@cache
def function_table() -> dict[str, TrinoFunction]:
    """Every function by its lower-case name, in the table's order."""
    table: dict[str, TrinoFunction] = {}
    kind: Kind = "scalar"
    chapter = ""
    for line in files(__package__).joinpath("function_table.txt").read_text("utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "==":
            word, _, chapter = rest.partition(": ")
            kind = "aggregate" if word == "aggregate" else "window" if word == "window" else "scalar"
        elif mark == "!":
            names, _, words = rest.partition(": ")
            for name in names.split(", "):
                why, _, instead = words.partition(" | ")
                table[name] = TrinoFunction(name, kind, chapter, refusal=why, instead=instead)
        elif mark.startswith("@"):
            names, _, words = rest.partition(": ")
            for name in names.split(", "):
                table[name].changes[int(mark[1:])] = words
        elif mark in (">", ">>"):
            for name, signature in _signatures(rest):
                table[name].elsewhere.append(signature)
                table[name].aggregates = mark == ">>"
                table[name].instead = " ".join(filter(None, (_instead(table[name]), _ELSEWHERE)))
        elif line and mark != "#":
            for name, signature in _signatures(line):
                table.setdefault(name, TrinoFunction(name, kind, chapter)).signatures.append(signature)
    return table


def _instead(one: TrinoFunction) -> str:
    return one.instead.removesuffix(_ELSEWHERE).strip()


def _signatures(line: str) -> Iterator[tuple[str, Signature]]:
    head, _, template = line.partition(" = ")
    names, _, signature = head.partition("(")
    inside, _, result = signature.rpartition(") -> ")
    for name in names.split(", "):
        yield name, Signature(tuple(split_types(inside)), result, template)


def split_types(text: str) -> list[str]:
    """`bigint, array(T)` -> its types; commas inside parentheses separate none."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def answered() -> frozenset[str]:
    """The names of functions that are answered; the others are in the table to be refused with a better sentence."""
    return frozenset(name for name, one in function_table().items() if not one.refusal)
