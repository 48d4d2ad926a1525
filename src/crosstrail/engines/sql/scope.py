"""What names mean at one place of a statement: relations, columns, lambda parameters.

Decides which column a name is, as Trino does: without regard to case, qualified or not, and ambiguous names refused. It
never sees SQL text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from crosstrail.engines.sql.expr import Expr, Refusal
from crosstrail.engines.sql.hints import column_hint
from crosstrail.engines.sql.types import Type
from crosstrail.engines.sql.zones import column_value

_PARAMETER = re.compile(r"\bp([0-9]+)\b")


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a relation: its name for the reader ('' when it has none) and the SQL that reads it."""

    name: str
    sql: str
    type: Type
    relation: str = ""
    """The relation's name, lower case."""
    hidden: bool = False
    """Reachable only qualified, and no part of `*`: the twin of a USING column."""


class Fields(tuple[Field, ...]):
    """The columns in order, and by name, so that finding one takes no longer where there are many."""

    @cached_property
    def by_name(self) -> dict[str, list[Field]]:
        found: dict[str, list[Field]] = {}
        for one in self:
            found.setdefault(one.name.lower(), []).append(one)
        return found


@dataclass(frozen=True, slots=True)
class Scope:
    """`groups` are the keys of GROUP BY's expressions (`Subexpressions.key`); None outside an aggregation."""

    fields: tuple[Field, ...] = ()
    parent: Scope | None = None
    variables: Mapping[str, Expr] = field(default_factory=dict)
    aliases: Mapping[str, Expr] = field(default_factory=dict)
    """Output columns that ORDER BY may name; they come before the relations' columns."""
    groups: frozenset[str] | None = None
    aggregates: bool = False
    """Aggregate functions may stand here."""
    windows: bool = False
    """Window functions may stand here."""
    trying: bool = False
    """Inside TRY, where it matters which operand fails first."""

    def __post_init__(self) -> None:
        if not isinstance(self.fields, Fields):
            object.__setattr__(self, "fields", Fields(self.fields))

    def next_parameter(self) -> int:
        """The number of a lambda parameter that no lambda around this place has: the same for the same text."""
        used = [int(number) for value in self.variables.values() for number in _PARAMETER.findall(value.sql)]
        return max(used, default=-1) + 1

    def with_variables(self, variables: Mapping[str, Expr]) -> Scope:
        return replace(self, variables={**self.variables, **variables})

    def resolve(self, names: list[str], *, quoted: bool = False) -> tuple[Expr, int]:
        """The column that the names begin with, and how many of them it took. Raises Refusal.

        `quoted`: the first name stands in double quotes, as texts do elsewhere.
        """
        lowered = [name.lower() for name in names]
        if lowered[0] in self.variables:
            return self.variables[lowered[0]], 1
        if len(names) == 1 and lowered[0] in self.aliases:
            return self.aliases[lowered[0]], 1
        scope: Scope | None = self
        outer = False
        while scope is not None:
            if found := scope._own(lowered):
                column, used = found
                free = frozenset() if outer else frozenset([column.name or "a column"])
                return replace(column_value(column.sql, column.type, free), name=names[used - 1]), used
            scope, outer = scope.parent, True
        known = [(one.relation, one.name, one.type) for one in self.fields if not one.hidden]
        raise Refusal(f"there is no column {_shown(names)}", column_hint(names, quoted, known))

    def _own(self, names: list[str]) -> tuple[Field, int] | None:
        named = self.fields.by_name if isinstance(self.fields, Fields) else {}  # which it is, once made
        if len(names) > 1:
            qualified = [f for f in named.get(names[1], ()) if f.relation == names[0]]
            if qualified:
                return _single(qualified, names), 2
        plain = [f for f in named.get(names[0], ()) if not f.hidden]
        return (_single(plain, names), 1) if plain else None


def _single(found: list[Field], names: list[str]) -> Field:
    if len(found) > 1:
        raise Refusal(f"the column {_shown(names)} is ambiguous", "Put the table's name or alias before it.")
    return found[0]


def _shown(names: list[str]) -> str:
    return ".".join(names)[:80]
