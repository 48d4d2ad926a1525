"""What the parts of the dialect ask of the two that compile: expressions of one another, and queries inside expressions.

Both are made of all these parts (expressions.py, relations.py), so the parts know them by these protocols alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from crosstrail.engines.sql.expr import Expr, Place
from crosstrail.engines.sql.scope import Scope
from crosstrail.engines.sql.subexpressions import Subexpressions
from crosstrail.engines.sql.types import Type

if TYPE_CHECKING:
    from sqlglot import exp


class QueryCompiler(Protocol):
    """The queries that stand inside expressions."""

    def ordering(self, node: exp.Order, scope: Scope, columns: list[Expr] | None = None) -> tuple[str, list[Expr]]: ...
    def scalar(self, node: exp.Subquery, scope: Scope) -> Expr: ...
    def exists(self, node: exp.Exists, scope: Scope) -> Expr: ...
    def in_query(self, value: Expr, node: exp.Expr, scope: Scope) -> Expr: ...
    def quantified(self, sign: str, value: Expr, node: Any, scope: Scope) -> Expr: ...


class Compiler(Protocol):
    """The expressions of one statement."""

    place: Place
    now: datetime
    trino_version: int
    elsewhere: bool
    """Whether the statement is for another engine, so that of what DuckDB lacks the type is enough."""
    relations: QueryCompiler
    parts: Subexpressions
    parses_json: bool
    compares_json: bool
    taken_for: dict[tuple[int, int], set[str]]

    def name(self, prefix: str) -> str: ...
    def compile(self, node: exp.Expr, scope: Scope) -> Expr: ...
    def compile_group(self, node: exp.Expr, scope: Scope) -> Expr: ...
    def grouped(self, value: Expr, scope: Scope) -> Expr: ...
    def need_comparable(self, kinds: list[Type], what: str) -> None: ...
    def row(self, nodes: list[exp.Expr], scope: Scope) -> Expr: ...
    def moment(self, kind: type[exp.Expr]) -> Expr: ...
    def lambda_(self, node: exp.Expr, kinds: list[Type], scope: Scope) -> tuple[str, Expr]: ...
