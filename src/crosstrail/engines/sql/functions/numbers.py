"""Mathematical functions."""

from __future__ import annotations

from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_int, derived, let, require
from crosstrail.engines.sql.function_registry import FunctionCall, function, written
from crosstrail.engines.sql.function_table import Signature
from crosstrail.engines.sql.operators import arithmetic
from crosstrail.engines.sql.types import (
    BIGINT,
    DOUBLE,
    REAL,
    VARCHAR,
    array_of,
    decimal_of,
    duck,
    is_integer,
    is_number,
)


def _number(call: FunctionCall, index: int = 0) -> Expr:
    value = call.arg(index)
    if not is_number(value.type):
        raise Refusal(f"{call.name} takes a number, not {value.type}")
    return value


@function("abs")
def _abs(call: FunctionCall) -> Expr:
    call.need(1)
    value = _number(call)
    return derived(f"CAST(abs({value.sql}) AS {duck(value.type)})", value.type, value)


@function("sign")
def _sign(call: FunctionCall) -> Expr:
    call.need(1)
    value = _number(call)
    kind = decimal_of(1, 0) if value.type.name == "decimal" else value.type
    sign = f"CAST(sign({value.sql}) AS {duck(kind)})"
    if kind in (DOUBLE, REAL):  # NaN and -0.0 stay what they are
        sign = f"(CASE WHEN isnan({value.sql}) OR {value.sql} = 0 THEN {value.sql} ELSE {sign} END)"
    return derived(sign, kind, value)


@function("mod")
def _mod(call: FunctionCall) -> Expr:
    call.need(2)
    return arithmetic("%", call.arg(0), call.arg(1))


@function("ceil", "ceiling", "floor")
def _integer(call: FunctionCall) -> Expr:
    call.need(1)
    value = _number(call)
    if is_integer(value.type):
        return value
    kind = value.type
    if kind.name == "decimal":
        kind = decimal_of(min(38, kind.precision - kind.scale + min(kind.scale, 1)), 0)
    name = "floor" if call.name == "floor" else "ceil"
    return derived(f"CAST({name}({value.sql}) AS {duck(kind)})", kind, value)


@function("round")
def _round(call: FunctionCall) -> Expr:
    call.need(1, 2)
    value = _number(call)
    digits = constant_int(call.arg(1), "the number of digits") if len(call) == 2 else 0
    if is_integer(value.type):
        if digits >= 0:
            return value
        return derived(f"CAST(round({value.sql}::HUGEINT, {digits}) AS {duck(value.type)})", value.type, value)
    if value.type.name == "decimal":
        return _round_decimal(value, digits, len(call) == 2)
    if not -15 <= digits <= 15:
        raise Refusal("round takes -15 to 15 digits here")
    sql = f"CAST(round(CAST({value.sql} AS DOUBLE), {digits}) AS {duck(value.type)})"
    zero = f"CAST(0 AS {duck(value.type)})"  # -0.0 becomes 0.0, and -0.001 does not
    return derived(f"(CASE WHEN {value.sql} = 0 THEN {zero} ELSE {sql} END)", value.type, value)


def _round_decimal(value: Expr, digits: int, keeps_scale: bool) -> Expr:
    precision, scale = value.type.size
    if not keeps_scale:
        kind = decimal_of(min(38, precision - scale + min(1, scale)), 0)
        return derived(f"CAST({value.sql} AS {duck(kind)})", kind, value)
    kind = decimal_of(min(38, precision + 1), scale)
    if digits >= scale:
        return derived(f"CAST({value.sql} AS {duck(kind)})", kind, value)
    if digits < 0 or precision == 38:
        raise Refusal("this rounding of a decimal is not supported here", "CAST it to double first.")
    narrow = decimal_of(precision + 1, digits)
    return derived(f"CAST(CAST({value.sql} AS {duck(narrow)}) AS {duck(kind)})", kind, value)


@function("truncate")
def _truncate(call: FunctionCall) -> Expr:
    call.need(1)
    value = _number(call)
    if value.type not in (DOUBLE, REAL):
        raise Refusal("truncate takes a double here")
    return derived(f"CAST(trunc({value.sql}) AS {duck(value.type)})", value.type, value)


@function("log")
def _log(call: FunctionCall) -> Expr:
    call.need(2)
    base, value = coerce(call.arg(0), DOUBLE), coerce(call.arg(1), DOUBLE)
    bad = f"{base.sql} <= 0 OR {value.sql} <= 0"
    return derived(
        require(bad, "log takes positive numbers here", f"(ln({value.sql}) / ln({base.sql}))", DOUBLE),
        DOUBLE,
        base,
        value,
    )


@function("width_bucket")
def _bucket(call: FunctionCall) -> Expr:
    call.need(2, 4)
    value = coerce(call.arg(0), DOUBLE)
    if len(call) == 2:
        return _bucket_of(value, coerce(call.array(1), array_of(DOUBLE)))
    call.need(4)
    low, high, count = coerce(call.arg(1), DOUBLE), coerce(call.arg(2), DOUBLE), coerce(call.arg(3), BIGINT)
    first, last = f"least({low.sql}, {high.sql})", f"greatest({low.sql}, {high.sql})"
    inside = f"CAST(floor({count.sql} * ({value.sql} - {first}) / ({last} - {first}) + 1) AS BIGINT)"
    place = (
        f"(CASE WHEN {value.sql} < {first} THEN 0 WHEN {value.sql} >= {last} THEN {count.sql} + 1 ELSE {inside} END)"
    )
    place = f"(CASE WHEN {low.sql} > {high.sql} THEN {count.sql} + 1 - {place} ELSE {place} END)"
    bad = f"{count.sql} < 1 OR {low.sql} = {high.sql} OR isnan({value.sql}) OR NOT isfinite({low.sql}) OR NOT isfinite({high.sql})"
    sql = require(bad, "width_bucket takes two finite bounds that differ, and at least one bucket", place, BIGINT)
    known = " AND ".join(f"{each.sql} IS NOT NULL" for each in (value, low, high, count))
    return derived(f"(CASE WHEN {known} THEN {sql} END)", BIGINT, value, low, high, count)


def _bucket_of(value: Expr, bins: Expr) -> Expr:
    ordered = f"{bins.sql} = list_sort({bins.sql}) AND len(list_filter({bins.sql}, lambda v: v IS NULL OR NOT isfinite(v))) = 0"
    place = f"CAST(len(list_filter({bins.sql}, lambda v: v <= {value.sql})) AS BIGINT)"
    bad = f"len({bins.sql}) = 0 OR isnan({value.sql}) OR NOT ({ordered})"
    sql = require(bad, "width_bucket takes finite bins in ascending order", place, BIGINT)
    return derived(
        f"(CASE WHEN {value.sql} IS NOT NULL AND {bins.sql} IS NOT NULL THEN {sql} END)", BIGINT, value, bins
    )


@written("human_readable_seconds")
def _readable_seconds(name: str, signature: Signature) -> str:
    count = f"CAST(least(round(abs({{0}})), {2**63}) AS HUGEINT)"
    rest = f"least({count}, {2**63 - 1}::HUGEINT)"
    parts, above = [], 0
    for unit, size in {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}.items():
        amount = f"({f'(n % {above})' if above else 'n'} // {size})"
        parts.append(f"CASE {amount} WHEN 0 THEN NULL WHEN 1 THEN '1 {unit}' ELSE {amount} || ' {unit}s' END")
        above = size
    shown = f"array_to_string(list_filter([{', '.join(parts)}], lambda v: v IS NOT NULL), ', ')"
    text = let("n", rest, f"CASE WHEN n = 0 THEN '0 seconds' ELSE {shown} END")
    return f"CASE WHEN {{0}} IS NOT NULL THEN {require('NOT isfinite({0})', 'no number of seconds', text, VARCHAR)} END"
