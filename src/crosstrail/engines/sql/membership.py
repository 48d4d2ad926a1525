"""IN, ANY and ALL with a sub-query.

Decides what may be compared with the rows of a query. It never decides what a comparison means: operators.py does.
"""

from __future__ import annotations

from crosstrail.engines.sql import operators
from crosstrail.engines.sql.canonical import canonical
from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal
from crosstrail.engines.sql.nested_order import without_nulls
from crosstrail.engines.sql.queries import Query, retyped
from crosstrail.engines.sql.types import common, holds_json, row_of
from crosstrail.engines.sql.zones import column_value


def against(value: Expr, operator: str, query: Query, name: str) -> tuple[Expr, str]:
    """The value, and the query to compare it with, in one type. `name` is free for the query's rows."""
    if value.type.args:
        return _nested(value, operator, query, name)
    if len(query.columns) != 1:
        raise _odd()
    left, right = operators.matched(value, column_value("x", query.columns[0][1]))
    return left, retyped(query, [right.type], name)


def _nested(value: Expr, operator: str, query: Query, name: str) -> tuple[Expr, str]:
    """A row beside a query of as many columns as it has fields, an array or a map beside one of one column. A NULL inside
    fails: Trino takes it for equal to NULL or not, depending on where IN stands."""
    kinds = [kind for _, kind in query.columns]
    row = value.type.name == "row"
    if operator not in ("IN", "= ANY") or len(kinds) != (len(value.type.args) if row else 1):
        raise _odd()
    found = Expr(f"{name}.c0", kinds[0])
    if row:
        fields = ", ".join(f"f{index} := {name}.c{index}" for index in range(len(kinds)))
        found = Expr(f"struct_pack({fields})", row_of(kinds))
    shared = common(value.type, found.type)
    if shared is None:
        raise Refusal(f"cannot compare {value.type} with {found.type}", "Use CAST to give both sides one type.")
    if holds_json(shared):
        raise Refusal("json values cannot be compared here", "Compare json_extract_scalar(...) instead.")
    left, right = (canonical(without_nulls(coerce(each, shared), "IN")) for each in (value, found))
    return left, f"SELECT {right.sql} FROM ({query.sql}) AS {name}"  # noqa: S608 - generated names


def _odd() -> Refusal:
    return Refusal(
        "IN, ANY and ALL compare plain values with a sub-query of one column",
        "A row goes with IN and as many columns; else EXISTS (SELECT 1 FROM ... WHERE x = y).",
    )
