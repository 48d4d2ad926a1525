"""LIMIT, OFFSET and FETCH FIRST.

Decides which forms of them are Trino's.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from crosstrail.engines.sql.expr import Expr, Place, Refusal, constant_int, rejected
from crosstrail.engines.sql.scope import Scope

Compile = Callable[[exp.Expr, Scope], Expr]


def limited(compiled: Compile, place: Place, node: exp.Expr) -> str:
    """` LIMIT 10 OFFSET 20` of a query, as far as it has them. Raises SqlRejected."""
    sql = ""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if isinstance(limit, exp.Fetch):
        options = limit.args.get("limit_options")
        if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
            raise rejected(Refusal("FETCH takes ROWS ONLY here"), limit, place)
        sql = f" LIMIT {_row_count(compiled, place, limit.args['count']) if limit.args.get('count') else 1}"
    elif limit is not None and not (isinstance(limit.expression, exp.Var) and limit.expression.name.upper() == "ALL"):
        if limit.args.get("expressions") or limit.args.get("limit_options") or limit.args.get("offset"):
            raise rejected(Refusal("this LIMIT is not supported here"), limit, place)
        sql = f" LIMIT {_row_count(compiled, place, limit.expression)}"
    if offset is not None:
        if offset.args.get("expressions"):
            raise rejected(Refusal("this OFFSET is not supported here"), offset, place)
        sql += f" OFFSET {_row_count(compiled, place, offset.expression)}"
    return sql


def _row_count(compiled: Compile, place: Place, node: exp.Expr) -> int:
    try:
        found = constant_int(compiled(node, Scope()), "this")
        if found < 0:
            raise Refusal("this must not be negative")
        return found
    except Refusal as refusal:
        raise rejected(refusal, node, place) from None
