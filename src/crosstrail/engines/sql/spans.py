"""Which event times a scan of the lake can be narrowed to, read from the conditions that every row must meet.

Decides what is certain: comparisons of eventtime with a constant that stand under AND in the WHERE of the SELECT that
scans. Anything else leaves the scan whole, since a span only spares files and must never lose a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from crosstrail.engines.sql import operators
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Expr, Refusal
from crosstrail.engines.sql.literals import type_of
from crosstrail.engines.sql.scope import Scope
from crosstrail.engines.sql.types import DATE, is_moment
from crosstrail.errors import SqlRejected

TIME_COLUMN = "eventtime"
_FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "=": "="}
_SIGNS: dict[type, str] = {exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_DAYS = {"second": 1, "minute": 1, "hour": 1, "day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""Days that a moment may lie after what date_trunc makes of it, at most."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A constant that limits a scan's event times: SQL for a TIMESTAMP in UTC, itself inside the span."""

    sql: str
    lower: bool


def bounds(compiler: Compiler, condition: exp.Expr, scope: Scope) -> Iterator[tuple[str, Bound]]:
    """The columns of `scope` that are event times of a scan, as SQL, each with a bound that `condition` puts on it."""
    own = {field.sql for field in scope.fields if field.sql.endswith(f".{TIME_COLUMN}")}
    for node in _conjuncts(condition):
        for sign, subject, constant in _comparisons(node):
            try:
                column, slack = _column(compiler, subject, scope)
                if column.sql not in own:
                    continue
                value = _constant(compiler, column if slack is None else Expr("", DATE), constant, scope)
            except (Refusal, SqlRejected):
                continue
            if value is None:
                continue
            if sign in (">", ">=", "="):
                yield column.sql, Bound(value, lower=True)
            if sign in ("<", "<=", "="):
                yield column.sql, Bound(value if slack is None else f"{value} + to_days({slack})", lower=False)


def _conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, exp.And):
            waiting += [current.left, current.right]
        elif isinstance(current, exp.Paren):
            waiting.append(current.this)
        else:
            yield current


def _comparisons(node: Any) -> Iterator[tuple[str, exp.Expr, exp.Expr]]:
    """(sign, what is compared, with what), either way round."""
    if isinstance(node, exp.Between):
        yield ">=", node.this, node.args["low"]
        yield "<=", node.this, node.args["high"]
    elif type(node) in _SIGNS:
        sign = _SIGNS[type(node)]
        yield sign, node.left, node.right
        yield _FLIPPED[sign], node.right, node.left


def _column(compiler: Compiler, node: Any, scope: Scope) -> tuple[Expr, int | None]:
    """The column, and None where it is compared itself, else the days it may lie after what is made of it."""
    if isinstance(node, exp.Paren):
        return _column(compiler, node.this, scope)
    slack: int | None = None
    if isinstance(node, exp.Cast) and type(node) is exp.Cast and type_of(node.to) == DATE:
        node, slack = node.this, 1
    elif isinstance(node, exp.Anonymous):
        name, args = str(node.name).lower(), list(node.expressions)
        if name == "date" and len(args) == 1:
            node, slack = args[0], 1
        elif name == "date_trunc" and len(args) == 2 and isinstance(args[0], exp.Literal):
            node, slack = args[1], _DAYS.get(str(args[0].this).lower())
            if slack is None:
                raise Refusal("no unit")
    if not isinstance(node, exp.Column):
        raise Refusal("no column")
    return compiler.compile(node, scope), slack


def _constant(compiler: Compiler, subject: Expr, node: exp.Expr, scope: Scope) -> str | None:
    """SQL for the moment, as it is compared with the subject; None for what is no constant."""
    if node.find(exp.Select, exp.Column):
        return None
    value = compiler.compile(node, scope)
    if value.free or value.aggregated:
        return None
    _, value = operators.matched(subject, value)
    return f"CAST({value.sql} AS TIMESTAMP)" if is_moment(value.type) else None
