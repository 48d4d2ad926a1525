"""CAST, TRY_CAST and the coercions that nobody writes: what Trino makes of a value in another type.

Decides which types have a cast, and which are coerced. What a value becomes is in scalar_casts.py and json_casts.py.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from crosstrail.engines.sql.expr import Expr, Refusal, derived, null
from crosstrail.engines.sql.json_casts import from_json, to_json
from crosstrail.engines.sql.scalar_casts import cast_scalar
from crosstrail.engines.sql.types import (
    DATE,
    JSON,
    UNKNOWN,
    Type,
    can_coerce,
    common,
    timestamp_of,
    zoned,
)

_MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
BY_KEY = "Take a value by its key: element_at(..., 'key'); the whole event as text is the column eventjson."
"""For maps, which look like JSON or text and can be made into neither."""


def coerce(expr: Expr, target: Type) -> Expr:
    """The expression in a type that Trino coerces it to. Raises Refusal when it would not."""
    if expr.type == target:
        return expr
    if not can_coerce(expr.type, target):
        hint = BY_KEY if expr.type.name == "map" else f"CAST(... AS {target}) says so if it is meant."
        raise Refusal(f"{expr.type} is not {target}", hint)
    return cast(expr, target)


def unify(parts: list[Expr], what: str) -> list[Expr]:
    """All parts in their common type."""
    kind = shared_type(parts, what)
    return [coerce(part, kind) for part in parts]


def shared_type(parts: list[Expr], what: str) -> Type:
    """The type that all parts can have. Raises Refusal where there is none."""
    kind = UNKNOWN
    for part in parts:
        shared = common(kind, part.type)
        if shared is None:
            raise Refusal(f"no type is common to {kind} and {part.type} in {what}", "CAST them to one type.")
        kind = shared
    return kind


def cast(expr: Expr, target: Type) -> Expr:
    """Raises Refusal for a pair of types without a cast; the SQL fails on values that cannot be cast."""
    source = expr.type
    if source == target:
        return expr
    if source == UNKNOWN:
        return null(target)
    if target == JSON:
        return to_json(expr)
    if source == JSON:
        return from_json(expr, target)
    if source.name == target.name and source.args:
        return _nested(expr, target)
    return cast_scalar(expr, target)


def _nested(expr: Expr, target: Type) -> Expr:
    if expr.type.name == "array":
        body = cast(Expr("v", expr.type.element), target.element)
        return derived(f"list_transform({expr.sql}, lambda v: {body.sql})", target, expr)
    if expr.type.name == "map":
        key = cast(Expr("struct_extract(e, 'key')", expr.type.args[0]), target.args[0])
        value = cast(Expr("struct_extract(e, 'value')", expr.type.args[1]), target.args[1])
        pairs = f"list_transform(map_entries({expr.sql}), lambda e: struct_pack(k := {key.sql}, v := {value.sql}))"
        return derived(f"map_from_entries({pairs})", target, expr)
    if len(expr.type.args) != len(target.args):
        raise Refusal(f"there is no cast from {expr.type} to {target}")
    pairs2 = []
    for old, new, source, wanted in zip(expr.type.keys, target.keys, expr.type.args, target.args, strict=True):
        part = cast(Expr(f"struct_extract({expr.sql}, '{old}')", source), wanted)
        pairs2.append(f"{new} := {part.sql}")
    packed = f"struct_pack({', '.join(pairs2)})"
    return derived(f"(CASE WHEN {expr.sql} IS NOT NULL THEN {packed} END)", target, expr)


def moment_from_text(text: str, other: Type) -> Expr:
    """A text literal as the moment it names, for comparison with a value of type `other`; an offset is applied."""
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        raise Refusal("this text is no time", "Write '2026-11-20 09:00:00' or '2026-11-20T09:00:00Z'.")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction, zone = found[7] or "", found[8] or ""
    try:
        moment = datetime(year, month, day, hour, minute, second, int(fraction.ljust(6, "0")[:6]))  # noqa: DTZ001 - UTC
    except ValueError:
        raise Refusal("this text is no time", "Write '2026-11-20 09:00:00'.") from None
    if len(fraction.rstrip("0")) > 6:
        raise Refusal("times have at most six digits after the second here")
    if zone[:1] in ("+", "-"):
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        moment -= timedelta(minutes=minutes if zone[0] == "+" else -minutes)
    if other == DATE and not found[4]:
        return Expr(f"DATE '{moment.date().isoformat()}'", DATE)
    kind = zoned(len(fraction), other.zone) if other.name == "timestamptz" else timestamp_of(min(6, len(fraction)))
    return Expr(f"TIMESTAMP '{moment.isoformat(sep=chr(32))}'", kind)
