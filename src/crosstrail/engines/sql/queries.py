"""A compiled query as the rest of the dialect passes it on, and what is done to its columns.

Decides nothing about clauses; see relations.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from crosstrail.engines.sql.canonical import canonical, holds_map
from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, moment_of
from crosstrail.engines.sql.scope import Scope
from crosstrail.engines.sql.types import Type
from crosstrail.engines.sql.zones import column_value


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query: SQL whose columns are c0, c1, ..."""

    sql: str
    columns: tuple[tuple[str, Type], ...]
    """Name for the reader ('' when it has none) and type."""


def projections(nodes: list[exp.Expr]) -> list[tuple[exp.Expr, str]]:
    return [(node.this, node.alias) if isinstance(node, exp.Alias) else (node, "") for node in nodes]


def renamed(columns: tuple[tuple[str, Type], ...], names: list[str]) -> tuple[tuple[str, Type], ...]:
    if not names:
        return columns
    if len(names) != len(columns):
        raise Refusal(f"{len(columns)} columns need as many names, not {len(names)}")
    return tuple((name, kind) for name, (_, kind) in zip(names, columns, strict=True))


def retyped(query: Query, kinds: list[Type], name: str, *, compared: bool = False) -> str:
    """The query with its columns coerced to `kinds`; `compared`: maps in canonical order."""
    if [kind for _, kind in query.columns] == kinds and not (compared and any(map(holds_map, kinds))):
        return f"SELECT * FROM ({query.sql}) AS {name}"  # noqa: S608 - generated names
    columns = [
        Expr(f"{name}.c{i}", have) if have == kind else coerce(moment_of(column_value(f"{name}.c{i}", have)), kind)
        for i, ((_, have), kind) in enumerate(zip(query.columns, kinds, strict=True))
    ]
    columns = [canonical(column) for column in columns] if compared else columns
    listed = ", ".join(f"{column.sql} AS c{index}" for index, column in enumerate(columns))
    return f"SELECT {listed} FROM ({query.sql}) AS {name}"  # noqa: S608 - generated names


def output_place(node: exp.Expr, scope: Scope, columns: list[Expr]) -> int | None:
    """The output column, from 0, that a key of ORDER BY names by its place or its alias alone; None for any other key."""
    if isinstance(node, exp.Literal) and not node.is_string and columns:
        place = int(node.this) if str(node.this).isdigit() else 0
        if not 1 <= place <= len(columns):
            raise Refusal(f"there is no output column {node.this}")
        return place - 1
    if isinstance(node, exp.Column) and len(node.parts) == 1 and node.name.lower() not in scope.variables:
        named = scope.aliases.get(node.name.lower())
        return next((index for index, column in enumerate(columns) if column is named), None)
    return None
