"""Aggregate functions: over groups, over windows, with DISTINCT, ORDER BY and FILTER.

Decides result types and what an aggregate makes of NULLs and of no rows. approx_distinct counts exactly, which is inside
what Trino promises for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sqlglot import exp

from crosstrail.engines.sql.canonical import canonical
from crosstrail.engines.sql.casts import cast, coerce
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Expr, Refusal, boolean, constant_text, derived, failure, let
from crosstrail.engines.sql.nested_order import without_nulls
from crosstrail.engines.sql.scope import Scope
from crosstrail.engines.sql.subexpressions import Subexpressions
from crosstrail.engines.sql.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    REAL,
    UNKNOWN,
    VARCHAR,
    Type,
    array_of,
    decimal_of,
    duck,
    is_integer,
    is_interval,
    is_number,
    is_orderable,
    map_of,
)
from crosstrail.vocabulary import words

_COMPARING = frozenset({"approx_distinct", "histogram", "map_agg", "map_union", "multimap_agg"})
"""Aggregates that tell values apart without DISTINCT."""


@dataclass(slots=True)
class Aggregation:
    """One call: its arguments, compiled, and the clauses around them as SQL."""

    name: str
    args: list[Expr]
    parts: Subexpressions
    distinct: bool = False
    order: str = ""
    """` ORDER BY ...` inside the call, or ''."""
    condition: str = ""
    """The FILTER's condition, or ''."""
    over: str = ""
    extra: list[Expr] = field(default_factory=list)

    def call(self, function: str, *args: str, also: str = "") -> str:
        """DuckDB's call with every clause, as one part; `also` is a further condition for rows to count."""
        conditions = [part for part in (self.condition, also) if part]
        where = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
        distinct = "DISTINCT " if self.distinct else ""
        return self.parts.hold(f"{function}({distinct}{', '.join(args)}{self.order}){where}{self.over}", fixed=True)

    def need(self, count: int) -> None:
        if len(self.args) != count:
            raise Refusal(f"{self.name} takes {count} arguments, not {len(self.args)}")

    def first(self, allowed: Callable[[Type], bool], what: str) -> Expr:
        self.need(1)
        if self.args[0].type != UNKNOWN and not allowed(self.args[0].type):
            raise Refusal(f"{self.name} takes {what}, not {self.args[0].type}")
        return self.args[0]


Handler = Callable[[Aggregation], tuple[str, Type]]


def aggregate(
    compiler: Compiler, node: exp.Expr, scope: Scope, over: str = "", extra: list[Expr] | None = None
) -> Expr:
    """Compiles FILTER, listagg and a plain call; `over` is the window's SQL when it stands over one."""
    if not over and not scope.aggregates:
        raise Refusal("an aggregate function cannot stand here", "Use HAVING to filter groups, or a WITH query.")
    inner = replace(
        scope, aggregates=bool(over) and scope.aggregates, windows=False, groups=scope.groups if over else None
    )
    call, condition = node, ""
    parts: list[Expr] = list(extra or [])
    if isinstance(call, exp.Filter):
        test = boolean(compiler.compile(call.expression.this, inner), "FILTER")
        condition, call = test.sql, call.this
        parts.append(test)
    found = _call(compiler, call, inner, parts)
    found.condition, found.over = condition, over
    sql, kind = AGGREGATES[found.name](found)
    result = derived(sql if sql.startswith("(") else f"({sql})", kind, *found.args, *parts)
    if over:
        return result
    return Expr(result.sql, kind, aggregated=True)


def _call(compiler: Compiler, call: exp.Expr, scope: Scope, parts: list[Expr]) -> Aggregation:
    nodes = list(call.expressions)
    name = str(call.name).lower()
    if isinstance(call, exp.GroupConcat):
        name, nodes = "listagg", [call.this, *([call.args["separator"]] if call.args.get("separator") else [])]
        if call.args.get("on_overflow"):
            raise Refusal("ON OVERFLOW is not supported here")
    elif not isinstance(call, exp.Anonymous):
        raise Refusal(f"{type(call).__name__} is no aggregate function")
    if name not in AGGREGATES:
        raise Refusal(f"{name[:60]} is no aggregate function here", f"See {words().sql_page}: it lists those that are.")
    if len(nodes) == 1 and isinstance(nodes[0], exp.Star) and name == "count":
        return Aggregation(name, [], compiler.parts)
    distinct, order = False, ""
    if nodes and isinstance(nodes[0], exp.Distinct):
        if nodes[0].args.get("on"):
            raise Refusal("DISTINCT ON is not supported here")
        distinct, nodes = True, list(nodes[0].expressions)
    if nodes and isinstance(nodes[0], exp.Order):
        first = nodes[0]
        order, keys = compiler.relations.ordering(first, scope)
        parts += keys
        nodes[0] = nodes[0].this
        if isinstance(nodes[0], exp.Distinct):
            [value, *more] = nodes[0].expressions
            if more or name != "array_agg" or any(key.this != value for key in first.expressions):
                raise Refusal(
                    "DISTINCT with this ORDER BY is not supported inside an aggregate here",
                    "Write array_agg(DISTINCT x ORDER BY x), or use a sub-query.",
                )
            distinct, nodes = True, [value]
    elif nodes and isinstance(nodes[-1], exp.Order):
        order, keys = compiler.relations.ordering(nodes[-1], scope)
        parts += keys
        nodes[-1] = nodes[-1].this
    args = [compiler.compile(node, scope) for node in nodes]
    if distinct or name in _COMPARING:
        args = [canonical(arg) for arg in args]
        compiler.need_comparable([arg.type for arg in args[: None if distinct else 1]], name)
    return Aggregation(name, args, compiler.parts, distinct, order)


def _count(a: Aggregation) -> tuple[str, Type]:
    if not a.args:
        return a.call("count", "*"), BIGINT
    a.need(1)
    return a.call("count", a.args[0].sql), BIGINT


def _count_if(a: Aggregation) -> tuple[str, Type]:
    test = boolean(a.first(lambda kind: kind == BOOLEAN, "a condition"), a.name)
    return a.call("count", "*", also=test.sql), BIGINT


def _sum(a: Aggregation) -> tuple[str, Type]:
    value = a.first(lambda kind: is_number(kind) or is_interval(kind), "a number")
    if value.type == UNKNOWN:  # of its overloads Trino takes none
        raise Refusal(f"{a.name} of NULL needs a type", "Write CAST(NULL AS bigint), for instance.")
    if is_integer(value.type):
        return f"CAST({a.call('sum', value.sql)} AS BIGINT)", BIGINT
    if value.type.name == "decimal":
        kind = decimal_of(38, value.type.scale)
        return f"CAST({a.call('sum', value.sql)} AS {duck(kind)})", kind
    return f"CAST({a.call('sum', value.sql)} AS {duck(value.type)})", value.type


def _avg(a: Aggregation) -> tuple[str, Type]:
    value = a.first(is_number, "a number")
    if value.type == UNKNOWN:
        raise Refusal(f"{a.name} of NULL needs a type", "Write CAST(NULL AS bigint), for instance.")
    if value.type.name == "decimal":
        from crosstrail.engines.sql.operators import arithmetic

        total = Expr(
            f"CAST({a.call('sum', value.sql)} AS DECIMAL(38, {value.type.scale}))", decimal_of(38, value.type.scale)
        )
        narrow = (
            cast(total, decimal_of(min(38, 28 + value.type.scale), value.type.scale))
            if value.type.scale <= 10
            else total
        )
        count = Expr(f"{a.call('count', value.sql)}", BIGINT)
        quotient = arithmetic("/", narrow, Expr(f"nullif({count.sql}, 0)", BIGINT))
        return f"CAST({quotient.sql} AS {duck(value.type)})", value.type
    kind = REAL if value.type == REAL else DOUBLE
    return f"CAST({a.call('avg', cast(value, DOUBLE).sql)} AS {duck(kind)})", kind


def _extreme(a: Aggregation) -> tuple[str, Type]:
    if len(a.args) == 2:
        many = coerce(a.args.pop(), BIGINT)
        value = without_nulls(a.first(is_orderable, "a value with an order"), a.name)
        if a.name == "max" and value.type in (DOUBLE, REAL):
            raise Refusal("max of the largest doubles is not supported here", "Use array_agg and slice, or ORDER BY.")
        return a.call(a.name, value.sql, many.sql), array_of(value.type)
    value = without_nulls(a.first(is_orderable, "a value with an order"), a.name)
    if a.name == "max" and value.type in (
        DOUBLE,
        REAL,
    ):  # NaN is the largest to DuckDB, and only the last resort to Trino
        return (
            f"coalesce({a.call('max', value.sql, also=f'NOT isnan({value.sql})')}, {a.call('max', value.sql)})",
            value.type,
        )
    return a.call(a.name, value.sql), value.type


def _by(a: Aggregation) -> tuple[str, Type]:
    many = a.args.pop() if len(a.args) == 3 else None
    a.need(2)
    if not is_orderable(a.args[1].type):
        raise Refusal(f"{a.name} orders by a value with an order, not {a.args[1].type}")
    value, key = a.args[0], without_nulls(a.args[1], a.name)
    if many:
        if key.type in (DOUBLE, REAL) or not isinstance(many.value, int) or many.value < 1:
            raise Refusal(f"{a.name} takes a number written as digits, and no double to order by, here")
        packed = f"struct_pack(v := {value.sql})"  # which keeps rows whose value is NULL
        found = a.call("arg_max" if a.name == "max_by" else "arg_min", packed, key.sql, many.sql)
        return f"list_transform({found}, lambda e: struct_extract(e, 'v'))", array_of(value.type)
    if a.name == "min_by":
        return a.call("arg_min_null", value.sql, key.sql), value.type
    found = a.call("arg_max_null", value.sql, key.sql)
    if key.type not in (DOUBLE, REAL):
        return found, value.type
    number = f"NOT isnan({key.sql})"
    some = f"{a.call('count', key.sql, also=number)} > 0"
    return (
        f"CASE WHEN {some} THEN {a.call('arg_max_null', value.sql, key.sql, also=number)} ELSE {found} END",
        value.type,
    )


def _any(a: Aggregation) -> tuple[str, Type]:
    a.need(1)
    return a.call("any_value", a.args[0].sql), a.args[0].type


def _list(a: Aggregation) -> tuple[str, Type]:
    a.need(1)
    return a.call("list", a.args[0].sql), array_of(a.args[0].type)


def _bool(a: Aggregation) -> tuple[str, Type]:
    value = boolean(a.first(lambda kind: kind == BOOLEAN, "a condition"), a.name)
    return a.call("bool_or" if a.name == "bool_or" else "bool_and", value.sql), BOOLEAN


def _doubles(function: str, count: int) -> Handler:
    def handle(a: Aggregation) -> tuple[str, Type]:
        a.need(count)
        kind = DOUBLE
        if count == 2 and all(arg.type != DOUBLE for arg in a.args):
            kind = REAL  # the overload that Trino takes for whole numbers and decimals
        return f"CAST({a.call(function, *(coerce(arg, DOUBLE).sql for arg in a.args))} AS {duck(kind)})", kind

    return handle


def _corr(a: Aggregation) -> tuple[str, Type]:
    """NULL where either does not vary."""
    sql, kind = _doubles("corr", 2)(a)
    return f"CASE WHEN isfinite({sql}) THEN {sql} END", kind


def _approx_distinct(a: Aggregation) -> tuple[str, Type]:
    if not 1 <= len(a.args) <= 2:
        a.need(1)
    a.distinct = True
    return a.call("count", a.args[0].sql), BIGINT


def _approx_percentile(a: Aggregation) -> tuple[str, Type]:
    """The value whose rank is the share of the count, rounded down: what Trino gives while its digest is exact."""
    if len(a.args) != 2:
        raise Refusal(
            "approx_percentile takes a number and a share here, and no weight",
            "Trino computes values between the weighed ones.",
        )
    value, share = a.args
    many = share.type.name == "array"
    if not is_number(value.type) or share.free or share.aggregated:
        raise Refusal("approx_percentile takes a number and a share between 0 and 1 written as a literal")
    kind = BIGINT if is_integer(value.type) else DOUBLE if value.type == DOUBLE else REAL
    ready, shares = cast(value, kind).sql, cast(share, array_of(DOUBLE) if many else DOUBLE).sql
    part = "p" if many else shares
    # NULLs are left out of the list, not by FILTER, which would write the value, and a sub-query in it, a second time.
    sorted_list = f"list_sort(list_filter({a.call('list', ready)}, lambda v: v IS NOT NULL))"
    size = f"len({sorted_list})"
    picked = f"list_extract({sorted_list}, CAST(least({size}, floor({part} * {size}) + 1) AS BIGINT))"
    bad = f"{part} IS NULL OR {part} < 0 OR {part} > 1" if many else f"{part} < 0 OR {part} > 1"
    found = f"(CASE WHEN {bad} THEN {failure('a share must be between 0 and 1', kind)} ELSE {picked} END)"
    if not many:
        return found, kind
    return f"(CASE WHEN {size} > 0 THEN list_transform({shares}, lambda p: {found}) END)", array_of(kind)


def _map_union(a: Aggregation) -> tuple[str, Type]:
    """As map_agg of the entries of all maps; no entry at all makes no map."""
    value = a.first(lambda kind: kind.name == "map", "a map")
    if a.distinct or a.order:
        raise Refusal("map_union takes no DISTINCT or ORDER BY here", "Use a sub-query.")
    entries = f"flatten(list_filter({a.call('list', f'map_entries({value.sql})')}, lambda v: v IS NOT NULL))"
    key = "struct_extract(e, 'key')"
    keys = "list_transform(g, lambda e: struct_extract(e, 'key'))"
    made = f"map_from_entries(list_filter(g, lambda e, i: list_position({keys}, {key}) = i))"
    return let("g", entries, f"CASE WHEN len(g) > 0 THEN {made} END"), value.type


def _map_agg(a: Aggregation) -> tuple[str, Type]:
    """The first value wins where a key comes twice, as in Trino; NULL keys are left out, and of nothing else NULL is left."""
    a.need(2)
    if a.distinct or a.order:
        raise Refusal(f"{a.name} takes no DISTINCT or ORDER BY here", "Use a sub-query.")
    key, value = a.args
    pairs = a.call("list", f"struct_pack(k := {key.sql}, v := {value.sql})")
    pairs = f"list_filter({pairs}, lambda e: struct_extract(e, 'k') IS NOT NULL)"
    keys = f"list_transform({pairs}, lambda e: struct_extract(e, 'k'))"
    first = f"list_filter({pairs}, lambda e, i: list_position({keys}, struct_extract(e, 'k')) = i)"
    if a.name == "multimap_agg":
        same = f"list_filter({pairs}, lambda o: struct_extract(o, 'k') = struct_extract(e, 'k'))"
        values = f"list_transform({same}, lambda o: struct_extract(o, 'v'))"
        made = f"list_transform({first}, lambda e: struct_pack(k := struct_extract(e, 'k'), v := {values}))"
        kind, made = map_of(key.type, array_of(value.type)), f"map_from_entries({made})"
    else:
        kind, made = map_of(key.type, value.type), f"map_from_entries({first})"
    return f"(CASE WHEN len({pairs}) > 0 THEN {made} END)", kind


def _histogram(a: Aggregation) -> tuple[str, Type]:
    a.need(1)
    kind = map_of(a.args[0].type, BIGINT)
    return f"CAST({a.call('histogram', a.args[0].sql)} AS {duck(kind)})", kind


def _listagg(a: Aggregation) -> tuple[str, Type]:
    if not 1 <= len(a.args) <= 2 or not a.order:
        raise Refusal("write listagg(x, ', ') WITHIN GROUP (ORDER BY x)")
    separator = constant_text(a.args[1], "the separator") if len(a.args) == 2 else ""
    from crosstrail.lake.reader import quoted

    return a.call("string_agg", coerce(a.args[0], VARCHAR).sql, quoted(separator)), VARCHAR


def _bits(a: Aggregation) -> tuple[str, Type]:
    value = coerce(a.first(is_integer, "a whole number"), BIGINT)
    return a.call(
        {"bitwise_and_agg": "bit_and", "bitwise_or_agg": "bit_or", "bitwise_xor_agg": "bit_xor"}[a.name], value.sql
    ), BIGINT


AGGREGATES: dict[str, Handler] = {
    "count": _count,
    "count_if": _count_if,
    "sum": _sum,
    "avg": _avg,
    "min": _extreme,
    "max": _extreme,
    "min_by": _by,
    "max_by": _by,
    "arbitrary": _any,
    "any_value": _any,
    "array_agg": _list,
    "bool_and": _bool,
    "every": _bool,
    "bool_or": _bool,
    "stddev": _doubles("stddev_samp", 1),
    "stddev_samp": _doubles("stddev_samp", 1),
    "stddev_pop": _doubles("stddev_pop", 1),
    "variance": _doubles("var_samp", 1),
    "var_samp": _doubles("var_samp", 1),
    "var_pop": _doubles("var_pop", 1),
    "corr": _corr,
    "covar_samp": _doubles("covar_samp", 2),
    "covar_pop": _doubles("covar_pop", 2),
    "approx_distinct": _approx_distinct,
    "approx_percentile": _approx_percentile,
    "map_agg": _map_agg,
    "multimap_agg": _map_agg,
    "map_union": _map_union,
    "histogram": _histogram,
    "listagg": _listagg,
    "bitwise_and_agg": _bits,
    "bitwise_or_agg": _bits,
    "bitwise_xor_agg": _bits,
}
