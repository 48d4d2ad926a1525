"""Window functions and the OVER clause.

Decides which functions may stand over a window and what the default frame is.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from crosstrail.engines.sql.aggregates import AGGREGATES, aggregate
from crosstrail.engines.sql.canonical import canonical
from crosstrail.engines.sql.casts import coerce, unify
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Expr, Refusal, derived, null, require
from crosstrail.engines.sql.scope import Scope
from crosstrail.engines.sql.types import BIGINT, DAY_TIME, DOUBLE, Type, is_integer, is_orderable
from crosstrail.vocabulary import words

_RANKS = {"row_number": BIGINT, "rank": BIGINT, "dense_rank": BIGINT, "percent_rank": DOUBLE, "cume_dist": DOUBLE}
_VALUES = ("lag", "lead", "first_value", "last_value", "nth_value", "ntile")
WINDOW_FUNCTIONS = (*_RANKS, *_VALUES)


def window(compiler: Compiler, node: exp.Window, scope: Scope) -> Expr:
    """FUNCTION(...) OVER (...)."""
    if not scope.windows:
        raise Refusal("a window function cannot stand here", "Compute it in a sub-query and filter outside.")
    inner = replace(scope, windows=False)
    over, parts = _over(compiler, node, inner)
    call, nulls = node.this, ""
    if isinstance(call, (exp.IgnoreNulls, exp.RespectNulls)):
        nulls = " IGNORE NULLS" if isinstance(call, exp.IgnoreNulls) else ""
        call = call.this
    name = str(call.name).lower() if isinstance(call, exp.Anonymous) else ""
    if name in WINDOW_FUNCTIONS:
        return _ranked(compiler, call, name, inner, over, nulls, parts)
    if nulls:
        raise Refusal("IGNORE NULLS belongs to lag, lead, first_value, last_value and nth_value")
    plain = call.this if isinstance(call, exp.Filter) else call
    if str(plain.name).lower() not in AGGREGATES and not isinstance(plain, exp.GroupConcat):
        raise Refusal(
            "this function cannot stand over a window here", f"See {words().sql_page}: it lists those that can."
        )
    return aggregate(compiler, call, inner, over, parts)


def _ranked(
    compiler: Compiler, call: exp.Anonymous, name: str, scope: Scope, over: str, nulls: str, parts: list[Expr]
) -> Expr:
    args = [compiler.compile(node, scope) for node in call.expressions]
    if name in _RANKS:
        if args:
            raise Refusal(f"{name} takes no arguments")
        kind = _RANKS[name]
        return derived(f"({name}(){over})", kind, *parts)
    if name == "ntile" and len(args) == 1:
        buckets = coerce(args[0], BIGINT)
        return derived(f"(ntile({buckets.sql}){over})", BIGINT, buckets, *parts)
    max_arguments = {"lag": 3, "lead": 3, "nth_value": 2}.get(name, 1)
    if not 1 <= len(args) <= max_arguments or (name == "nth_value" and len(args) != 2) or name == "ntile":
        raise Refusal(f"{name} does not take {len(args)} arguments")
    kind2: Type = args[0].type
    if len(args) > 1:
        args[1] = coerce(args[1], BIGINT)
        bad = f"{args[1].sql} < {1 if name == 'nth_value' else 0}"
        if not isinstance(args[1].value, int) or args[1].value < (1 if name == "nth_value" else 0):
            bad = bad if name == "nth_value" else f"{args[1].sql} IS NULL OR {bad}"
            args[1] = derived(require(bad, "an offset is negative or NULL", args[1].sql, BIGINT), BIGINT, args[1])
    if len(args) == 3:
        args[0], args[2] = unify([args[0], args[2]], name)
        kind2 = args[0].type
    if not args:
        args = [null()]
    return derived(f"({name}({', '.join(arg.sql for arg in args)}{nulls}){over})", kind2, *args, *parts)


def _over(compiler: Compiler, node: exp.Window, scope: Scope) -> tuple[str, list[Expr]]:
    if node.args.get("alias") is not None or node.args.get("first") is not None:
        raise Refusal("there is no such window here")
    parts = [canonical(compiler.compile(key, scope)) for key in node.args.get("partition_by") or []]
    if unordered := [part for part in parts if not is_orderable(part.type)]:
        raise Refusal(f"PARTITION BY takes no {unordered[0].type}")
    pieces = [f"PARTITION BY {', '.join(part.sql for part in parts)}"] if parts else []
    order = node.args.get("order")
    if order is not None:
        sql, keys = compiler.relations.ordering(order, scope)
        if sql:
            pieces.append(sql.strip())
            parts = parts + keys
    spec = node.args.get("spec")
    if spec is not None:
        pieces.append(_frame(compiler, spec, keys if order is not None else [], scope))
    return f" OVER ({' '.join(pieces)})", parts


def _frame(compiler: Compiler, spec: exp.WindowSpec, keys: list[Expr], scope: Scope) -> str:
    kind = str(spec.args.get("kind") or "").upper()
    if kind not in ("ROWS", "RANGE") or spec.args.get("exclude"):
        raise Refusal("this window frame is not supported here", "Use ROWS BETWEEN ... AND ....")
    ends = []
    for side in ("start", "end"):
        value, direction = spec.args.get(side), str(spec.args.get(f"{side}_side") or "").upper()
        if value is None:
            if side == "end":
                break
            raise Refusal("this window frame is not supported here")
        if isinstance(value, exp.Literal) and not value.is_string and str(value.this).isdigit() and kind == "ROWS":
            ends.append(f"{value.this} {direction}")
        elif str(value).upper() in ("UNBOUNDED", "CURRENT ROW"):
            ends.append(f"{str(value).upper()} {direction}".strip())
        elif kind == "RANGE":
            ends.append(f"{_distance(compiler, value, keys, scope)} {direction}")
        else:
            raise Refusal("a frame's end is UNBOUNDED, CURRENT ROW, a whole number with ROWS, or a distance with RANGE")
    return f"{kind} BETWEEN {ends[0]} AND {ends[1]}" if len(ends) == 2 else f"{kind} {ends[0]}"


def _distance(compiler: Compiler, node: exp.Expr, keys: list[Expr], scope: Scope) -> str:
    """How far a frame by RANGE reaches from the one key of its order: a number, or days to seconds from a time."""
    if len(keys) != 1:
        raise Refusal("a frame by RANGE with a distance needs ORDER BY with one key")
    value, kind = compiler.compile(node, scope), keys[0].type
    if value.free or value.aggregated or "-" in value.sql:
        raise Refusal("the distance of a frame is a literal here, and not negative")
    if value.type == DAY_TIME and kind.name in ("timestamp", "timestamptz"):
        return f"to_microseconds({value.sql} * 1000)"
    if is_integer(value.type) and is_integer(kind):
        return value.sql
    raise Refusal(f"a frame over {kind} does not reach {value.type} far here")
