"""The order of arrays and rows: by their first parts that differ, then by length.

Decides what `<` and its like are where a NULL or NaN stands inside, and where DuckDB's own order of nested values, in which
both are the largest, is not Trino's. It never decides which types have an order.
"""

from __future__ import annotations

from crosstrail.engines.sql.expr import Expr, derived, require_sure
from crosstrail.engines.sql.types import Type

_UNORDERED, _OPEN = 2, 3
"""What stands for an order beside -1, 0 and 1: NaN is neither before nor after anything, NULL may be either."""
_WANTED = {"<": "= -1", ">": "= 1", "<=": "IN (-1, 0)", ">=": "IN (0, 1)"}


def compare_nested(sign: str, left: Expr, right: Expr) -> str:
    """SQL for one of < > <= >= between two arrays or rows of one type: NULL where a NULL inside leaves it open."""
    return f"(nullif({_order(left.sql, right.sql, left.type)}, {_OPEN}) {_WANTED[sign]})"


def _order(left: str, right: str, kind: Type, depth: int = 0) -> str:
    """SQL for how two values stand to each other; each level names its pairs and verdicts for itself."""
    z, other = f"z{depth}", f"lambda o{depth}: o{depth} <> 0"
    if kind.name == "row":
        parts = [
            _order(f"struct_extract({left}, '{key}')", f"struct_extract({right}, '{key}')", part, depth + 1)
            for key, part in zip(kind.keys, kind.args, strict=True)
        ]
        found = f"coalesce(list_extract(list_filter([{', '.join(parts)}], {other}), 1), 0)"
    elif kind.name == "array":
        inner = _order(f"{z}[1]", f"{z}[2]", kind.element, depth + 1)
        pairs = f"list_transform(list_zip({left}, {right}, true), lambda {z}: {inner})"
        found = f"coalesce(list_extract(list_filter({pairs}, {other}), 1), CAST(sign(len({left}) - len({right})) AS INTEGER))"
    else:
        unordered = ""
        if kind.name in ("double", "real"):
            unordered = f"WHEN isnan({left}) OR isnan({right}) THEN {_UNORDERED} "
        found = f"(CASE {unordered}WHEN {left} < {right} THEN -1 WHEN {left} > {right} THEN 1 ELSE 0 END)"
    return f"(CASE WHEN {left} IS NULL OR {right} IS NULL THEN {_OPEN} ELSE {found} END)"


def without_nulls(value: Expr, use: str) -> Expr:
    """The value, which fails where an array, map or row of it holds a NULL or NaN: what these are equal to, or larger than,
    differs from one of Trino's functions to the next."""
    if not value.type.args:
        return value
    message = f"{use} of {value.type.name}s that hold NULL or NaN"
    sql = require_sure(_holds_odd(value.sql, value.type), message, value.sql, value.type)
    return derived(sql, value.type, value)


def _holds_odd(sql: str, kind: Type, depth: int = 0) -> str:
    """SQL for whether a value, NULL excepted, holds a NULL or NaN; never NULL itself."""
    if kind.name == "row":
        parts = [
            f"({part} IS NULL OR {_holds_odd(part, inner, depth)})"
            for part, inner in (
                (f"struct_extract({sql}, '{key}')", inner) for key, inner in zip(kind.keys, kind.args, strict=True)
            )
        ]
        return f"({sql} IS NOT NULL AND ({' OR '.join(parts)}))"
    if kind.name == "array":
        item = f"h{depth}"
        odd = f"list_filter({sql}, lambda {item}: {item} IS NULL OR {_holds_odd(item, kind.element, depth + 1)})"
        return f"coalesce(len({odd}) > 0, false)"
    if kind.name == "map":
        return _holds_odd(f"map_values({sql})", Type("array", (kind.args[1],)), depth)
    return f"coalesce(isnan({sql}), false)" if kind.name in ("double", "real") else "false"
