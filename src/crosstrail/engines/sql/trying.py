"""TRY and TRY_CAST: which failures become NULL.

Decides what stands inside DuckDB's TRY, so that it sees every failure Trino's sees and no other: TRY covers its whole
operand but no aggregate, window or sub-query in it, TRY_CAST the cast alone. It never decides what fails.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Expr, derived, let
from crosstrail.engines.sql.zones import zoned_by_value

VALUE = "tv"
"""Names the operand of a TRY_CAST that may itself fail: it is computed outside of the TRY."""
_READS = (exp.Column, exp.Identifier, exp.Dot, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.TryCast)
_SOUND = frozenset(
    {"coalesce", "nullif", "json_extract_scalar", "lower", "upper", "trim", "ltrim", "rtrim", "try", "concat"}
)
"""Functions that fail for no value; json_extract_scalar fails only as `unsure` does, past any TRY."""
_MAY_FAIL = (exp.Div, exp.Mod, exp.Cast, exp.Bracket, exp.Anonymous, exp.Add, exp.Sub, exp.Mul, exp.Neg)


def cannot_fail(node: exp.Expr) -> bool:
    """Whether computing the operand gives a value for every row. False also for aggregates and sub-queries, which DuckDB
    takes in no TRY."""
    if isinstance(node, exp.Anonymous):
        name = str(node.name).lower()
        text_key = (
            len(node.expressions) == 2
            and isinstance(node.expressions[1], exp.Literal)
            and node.expressions[1].is_string
        )
        if name == "try" or (name == "element_at" and text_key and cannot_fail(node.expressions[0])):
            return not node.find(exp.Subquery, exp.Window, exp.Filter) and name != "try"
        return name in _SOUND and all(cannot_fail(part) for part in node.expressions)
    if isinstance(node, exp.TryCast):
        return cannot_fail(node.this)
    return isinstance(node, _READS) and all(cannot_fail(part) for part in node.iter_expressions() if part is not node)


def tried(result: Expr) -> Expr:
    """TRY around a cast."""
    if not result.zone:
        return derived(f"TRY({result.sql})", result.type, result)
    instant = f"TRY({result.instant})"
    zone = f"(CASE WHEN {instant} IS NOT NULL THEN {result.zone} END)"
    return zoned_by_value(instant, zone, result.type, result)


def apart(operand: Expr, result: Expr) -> Expr:
    """A cast of `VALUE`, with the operand computed in front of it."""
    made = derived(let(VALUE, operand.sql, result.sql), result.type, operand)
    instant, zone = (each and let(VALUE, operand.sql, each) for each in (result.instant, result.zone))
    return replace(made, instant=instant, zone=zone)


def attempt(compiler: Compiler, node: exp.Expr, value: Expr) -> Expr:
    """TRY around a compiled operand. What DuckDB takes in no TRY is computed in front of it."""

    def held(sql: str) -> str:
        sql = compiler.parts.hold(f"TRY({sql})", apart=True)
        # DuckDB computes constant conditions while it plans, and fails then; it does not look into lambdas.
        return let("t", "0", sql) if _has_constant_work(node) else sql

    if not value.zone:
        return derived(held(value.sql), value.type, value)
    instant = held(value.instant)
    return zoned_by_value(instant, f"(CASE WHEN {instant} IS NOT NULL THEN {value.zone} END)", value.type, value)


def _has_constant_work(node: exp.Expr) -> bool:
    return any(not part.find(exp.Column, exp.Identifier) for part in node.find_all(*_MAY_FAIL) if part is not node)
