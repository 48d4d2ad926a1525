"""Conditional functions, and the few that are about expressions rather than values."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from crosstrail.engines.sql import operators, trying
from crosstrail.engines.sql.casts import unify
from crosstrail.engines.sql.expr import Expr, Refusal, derived
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.nested_order import without_nulls
from crosstrail.engines.sql.types import DOUBLE, INTEGER, REAL, VARCHAR, is_orderable
from crosstrail.lake.reader import quoted
from crosstrail.vocabulary import words


@function("coalesce")
def _coalesce(call: FunctionCall) -> Expr:
    call.need(2, 10_000)
    parts = unify(call.args(), "coalesce")
    return derived(f"coalesce({', '.join(part.sql for part in parts)})", parts[0].type, *parts)


@function("nullif")
def _nullif(call: FunctionCall) -> Expr:
    call.need(2)
    equal = operators.compare("=", call.arg(0), call.arg(1))
    first = call.arg(0)
    return derived(f"(CASE WHEN {equal.sql} THEN NULL ELSE {first.sql} END)", first.type, first, equal)


@function("try")
def _try(call: FunctionCall) -> Expr:
    call.need(1)
    value = call.compiler.compile(call.nodes[0], replace(call.scope, trying=True))
    return trying.attempt(call.compiler, call.nodes[0], value)


@function("greatest", "least")
def _greatest(call: FunctionCall) -> Expr:
    """NULL where any argument is NULL, as in Trino; DuckDB leaves NULLs out."""
    call.need(1, 1000)
    parts = unify(call.args(), call.name)
    if not is_orderable(parts[0].type):
        raise Refusal(f"{parts[0].type} values have no order here")
    kind = parts[0].type
    parts = [without_nulls(part, call.name) for part in parts]
    found = f"{call.name}({', '.join(part.sql for part in parts)})"
    if call.name == "greatest" and kind in (DOUBLE, REAL):  # NaN is the largest to DuckDB, and the last resort to Trino
        numbers = ", ".join(f"(CASE WHEN NOT isnan({part.sql}) THEN {part.sql} END)" for part in parts)
        found = f"coalesce(greatest({numbers}), {found})"
    missing = " OR ".join(f"{part.sql} IS NULL" for part in parts)
    return derived(f"(CASE WHEN NOT ({missing}) THEN {found} END)", kind, *parts)


@function("typeof")
def _typeof(call: FunctionCall) -> Expr:
    call.need(1)
    value, node = call.arg(0), call.nodes[0]
    shown = str(value.type)
    if isinstance(value.value, str) and value.type == VARCHAR:
        shown = f"varchar({len(value.value)})"
    elif "row(" in shown:
        raise Refusal(
            "typeof does not tell the names of a row here",
            f"See {words().sql_page}: it lists the columns and their types.",
        )
    elif "varchar" in shown and not (isinstance(node, exp.Cast) and "varchar(" not in node.to.sql("trino").lower()):
        # Trino knows the longest text that a varchar may hold, which is not followed here.
        raise Refusal("typeof does not tell how long a varchar may be here", "CAST it to varchar first.")
    return derived(quoted(shown), VARCHAR)


@function("row")
def _row(call: FunctionCall) -> Expr:
    call.need(1, 200)
    return call.compiler.row(call.nodes, call.scope)


@function("now")
def _now(call: FunctionCall) -> Expr:
    call.need(0)
    return call.compiler.moment(exp.CurrentTimestamp)


@function("current_timezone")
def _zone(call: FunctionCall) -> Expr:
    call.need(0)
    return derived("'UTC'", VARCHAR)


@function("grouping")
def _grouping(call: FunctionCall) -> Expr:
    call.need(1, 30)
    parts = call.args()
    groups = call.scope.groups or frozenset()
    if any(part.sql not in groups for part in parts):
        raise Refusal("grouping takes expressions of GROUP BY")
    return derived(f"CAST(GROUPING({', '.join(part.sql for part in parts)}) AS INTEGER)", INTEGER, *parts)
