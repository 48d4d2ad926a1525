"""Arithmetic and comparison with Trino's meaning, for operands that are compiled already.

Decides result types, overflow and division, and what equality means for NaN, NULL elements and nested values.
"""

from __future__ import annotations

from dataclasses import replace

from crosstrail.engines.sql.canonical import canonical, equal_maps
from crosstrail.engines.sql.casts import coerce, moment_from_text
from crosstrail.engines.sql.expr import Expr, Refusal, derived, failure, let, moment_of, text_literal
from crosstrail.engines.sql.nested_order import compare_nested
from crosstrail.engines.sql.time_values import add_interval
from crosstrail.engines.sql.trino_versions import DEFAULT_TRINO, WIDE_QUOTIENTS
from crosstrail.engines.sql.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAY_TIME,
    DOUBLE,
    HUGEINT,
    INTEGER,
    MAX_DECIMAL,
    REAL,
    UNKNOWN,
    VARCHAR,
    Type,
    as_decimal,
    common,
    decimal_of,
    duck,
    holds_json,
    is_integer,
    is_interval,
    is_moment,
    is_number,
    is_orderable,
)

_ZERO = "Division by zero"


def arithmetic(sign: str, left: Expr, right: Expr, version: int = DEFAULT_TRINO) -> Expr:
    """`sign` is one of + - * / %. `version` of Trino: a quotient of decimals has more digits in later ones."""
    if left.type == UNKNOWN or right.type == UNKNOWN:
        other = right.type if left.type == UNKNOWN else left.type
        if is_number(other) and other.name != "decimal":
            left, right = coerce(left, other), coerce(right, other)
        else:
            raise Refusal("arithmetic on NULL needs a type", "Write CAST(NULL AS bigint), for instance.")
    if is_number(left.type) and is_number(right.type):
        return _numbers(sign, left, right, version)
    if sign in "+-" and (is_moment(left.type) or is_moment(right.type) or is_interval(left.type)):
        return _moments(sign, left, right)
    if sign in "*/" and is_interval(left.type) and is_integer(right.type):
        return derived(f"({left.sql} {'*' if sign == '*' else '//'} {right.sql})", left.type, left, right)
    if sign == "*" and is_interval(right.type) and is_integer(left.type):
        return derived(f"({left.sql} * {right.sql})", right.type, left, right)
    raise Refusal(f"cannot apply {sign} to {left.type} and {right.type}", "Use CAST to give both sides fitting types.")


def _numbers(sign: str, left: Expr, right: Expr, version: int) -> Expr:
    kind = common(left.type, right.type)
    if kind is None:
        raise Refusal(f"cannot apply {sign} to {left.type} and {right.type}")
    if kind.name == "decimal":
        return _decimals(sign, left, right, version)
    left, right = coerce(left, kind), coerce(right, kind)
    if kind in (DOUBLE, REAL):
        sql = f"({left.sql} {sign} {right.sql})"
        if (
            sign == "%"
        ):  # with the dividend's sign, as in Java, where fmod() takes the divisor's; by zero NULL in DuckDB
            sql = f"(CASE WHEN {right.sql} = 0 AND {left.sql} IS NOT NULL THEN CAST('NaN' AS DOUBLE) ELSE {sql} END)"
        return derived(sql if kind == DOUBLE else f"CAST({sql} AS FLOAT)", kind, left, right)
    symbol = "//" if sign == "/" else sign
    sql = f"({left.sql} {symbol} {right.sql})"
    if sign == "%" and right.value is None:  # DuckDB fails for the smallest number modulo -1
        sql = f"({left.sql} % (CASE WHEN {right.sql} = -1 THEN 1 ELSE {right.sql} END))"
    if sign in "/%":
        sql = _unless_zero(right, sql, kind)
    return derived(f"CAST({sql} AS {duck(kind)})" if sign in "/%" else sql, kind, left, right)


def _unless_zero(divisor: Expr, sql: str, kind: Type) -> str:
    if divisor.value is not None and divisor.value != 0:
        return sql
    return f"(CASE WHEN {divisor.sql} = 0 THEN {failure(_ZERO, kind)} ELSE {sql} END)"


def _decimals(sign: str, left: Expr, right: Expr, version: int) -> Expr:
    """Trino's precisions and scales; a quotient is rounded half away from zero."""
    one, other = as_decimal(left.type), as_decimal(right.type)
    (p1, s1), (p2, s2) = one.size, other.size
    left, right = coerce(left, one), coerce(right, other)
    if sign in "+-":
        scale = max(s1, s2)
        kind = decimal_of(min(MAX_DECIMAL, max(p1 - s1, p2 - s2) + scale + 1), scale)
        left, right = coerce(left, kind), coerce(right, kind)
        return derived(f"CAST(({left.sql} {sign} {right.sql}) AS {duck(kind)})", kind, left, right)
    if sign == "*":
        if s1 + s2 > MAX_DECIMAL:
            raise Refusal("the product has too many decimals", "Cast one side to double.")
        kind = decimal_of(min(MAX_DECIMAL, p1 + p2), s1 + s2)
        if p1 + p2 > MAX_DECIMAL:
            left, right = _unscaled(left), _unscaled(right)
            return derived(_from_unscaled(f"({left.sql} * {right.sql})", kind), kind, left, right)
        return derived(f"CAST(({left.sql} * {right.sql}) AS {duck(kind)})", kind, left, right)
    scale = max(s1, s2)
    if sign == "%":
        kind = decimal_of(min(p1 - s1, p2 - s2) + scale, scale)
        wide = decimal_of(min(MAX_DECIMAL, max(p1 - s1, p2 - s2) + scale), scale)
        dividend, by = _unscaled(coerce(left, wide)), _unscaled(coerce(right, wide))
        return derived(
            _from_unscaled(_unless_zero(right, f"({dividend.sql} % {by.sql})", HUGEINT), kind), kind, left, right
        )
    kind = decimal_of(min(MAX_DECIMAL, p1 + s2 + max(s2 - s1, 0)), scale)
    return _quotient(left, right, _wide_quotient(one, other) if version >= WIDE_QUOTIENTS else kind)


def _wide_quotient(one: Type, other: Type) -> Type:
    """The type of a quotient since 483: as many digits as the divisor can make; of more than 38, decimals go, but not under 6."""
    (p1, s1), (p2, s2) = one.size, other.size
    scale = max(6, s1 + p2 + 1)
    beyond = max(0, p1 - s1 + s2 + scale - MAX_DECIMAL)
    return decimal_of(p1 - s1 + s2 + scale - beyond, scale if not beyond else max(min(scale, 6), scale - beyond))


def _quotient(left: Expr, right: Expr, kind: Type) -> Expr:
    shift = kind.scale - left.type.scale + right.type.scale
    by_parts = right.type.precision + shift < MAX_DECIMAL
    long = left.type.precision + shift > MAX_DECIMAL - by_parts
    if kind.scale == MAX_DECIMAL or (long and not by_parts):
        raise Refusal("the quotient needs more than 38 digits", "Cast one side to double.")
    top, bottom = _unscaled(left), _unscaled(right)
    whole, rest = "", top.sql
    if long:  # what is divided is too long with so many digits behind it
        whole, rest = f"({top.sql} // {bottom.sql}) * {10**shift}::HUGEINT + ", f"({top.sql} % {bottom.sql})"
    # Twice the quotient, cut towards zero, then one away from zero and halved: rounding without a lost digit.
    twice = f"(({rest} * {2 * 10**shift}::HUGEINT) // {bottom.sql})"
    rounded = f"({whole}(({twice} + sign({twice})::HUGEINT) // 2))"
    return derived(_from_unscaled(_unless_zero(right, rounded, HUGEINT), kind), kind, left, right)


def _unscaled(expr: Expr) -> Expr:
    precision, scale = expr.type.size
    if precision + scale > MAX_DECIMAL:
        digits = f"replace(CAST({expr.sql} AS VARCHAR), '.', '')"
        return derived(f"CAST({digits} AS HUGEINT)", expr.type, expr)
    factor = f"CAST({10**scale} AS DECIMAL({scale + 1}, 0))"
    wide = max(precision, 19)  # DuckDB keeps the product of two shorter ones in 18 digits
    return derived(f"CAST(CAST({expr.sql} AS DECIMAL({wide}, {scale})) * {factor} AS HUGEINT)", expr.type, expr)


def _from_unscaled(sql: str, kind: Type) -> str:
    if kind.scale == 0:
        return f"CAST({sql} AS {duck(kind)})"
    # A HUGEINT over a power of ten, exactly: whole part and remainder each fit a decimal.
    power = f"{10**kind.scale}::HUGEINT"
    quotient = f"CAST(({sql}) // {power} AS DECIMAL({kind.precision}, {kind.scale}))"
    rest = f"CAST(({sql}) % {power} AS DECIMAL({kind.scale + 1}, 0))"
    return f"CAST({quotient} + CAST({rest} * CAST('{1 / 10**kind.scale:.{kind.scale}f}' AS DECIMAL({kind.scale + 1}, {kind.scale})) AS {duck(kind)}) AS {duck(kind)})"


def _moments(sign: str, left: Expr, right: Expr) -> Expr:
    if is_moment(left.type) and is_moment(right.type) and sign == "-":
        left, right = _instant(left), _instant(right)
        kind = common(left.type, right.type)
        if kind is None:
            raise Refusal(f"cannot subtract {right.type} from {left.type}")
        left, right = coerce(left, kind), coerce(right, kind)
        if kind == DATE:
            return derived(f"(CAST({left.sql} - {right.sql} AS BIGINT) * 86400000)", DAY_TIME, left, right)
        return derived(f"((epoch_us({left.sql}) - epoch_us({right.sql})) // 1000)", DAY_TIME, left, right)
    if is_moment(left.type) and is_interval(right.type):
        return add_interval(left, right, negative=sign == "-")
    if is_interval(left.type) and is_moment(right.type) and sign == "+":
        return add_interval(right, left, negative=False)
    if is_interval(left.type) and left.type == right.type:
        return derived(f"({left.sql} {sign} {right.sql})", left.type, left, right)
    raise Refusal(f"cannot apply {sign} to {left.type} and {right.type}", "Use INTERVAL '1' DAY, for instance.")


def compare(sign: str, left: Expr, right: Expr) -> Expr:
    """`sign` is one of = <> < <= > >=."""
    left, right = matched(left, right)
    kind = left.type
    if sign not in ("=", "<>") and not is_orderable(kind):
        raise Refusal(f"{kind} values have no order here")
    if kind.args and sign not in ("=", "<>"):
        return derived(compare_nested(sign, left, right), BOOLEAN, left, right)
    if kind.args:
        equal = equal_sql(left.sql, right.sql, kind)
        return derived(equal if sign == "=" else f"(NOT {equal})", BOOLEAN, left, right)
    if kind in (DOUBLE, REAL):
        # DuckDB holds NaN equal to itself and greater than all numbers; Trino holds it equal to none.
        real = f"NOT isnan({left.sql}) AND NOT isnan({right.sql})"
        if sign == "<>":
            return derived(f"(NOT ({left.sql} = {right.sql} AND {real}))", BOOLEAN, left, right)
        return derived(f"({left.sql} {sign} {right.sql} AND {real})", BOOLEAN, left, right)
    return derived(f"({left.sql} {sign} {right.sql})", BOOLEAN, left, right)


def distinct_from(left: Expr, right: Expr, *, negated: bool) -> Expr:
    left, right = map(canonical, matched(left, right))
    return derived(f"({left.sql} IS {'NOT ' if negated else ''}DISTINCT FROM {right.sql})", BOOLEAN, left, right)


def matched(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """Both sides in one type, with CloudTrail Lake's leniency for times and booleans against text literals."""
    left, right = _lenient(left, right.type), _lenient(right, left.type)
    # Moments are compared, not wall clocks, and the session's zone is UTC.
    left, right = _instant(left), _instant(right)
    kind = common(left.type, right.type)
    if kind is None:
        raise Refusal(f"cannot compare {left.type} with {right.type}", _comparison_hint(left.type, right.type))
    if holds_json(kind):
        raise Refusal("json values cannot be compared here", "Compare json_extract_scalar(...) instead.")
    return coerce(left, kind), coerce(right, kind)


def _instant(value: Expr) -> Expr:
    """Of a timestamp with time zone the moment alone."""
    return (
        replace(moment_of(value), type=replace(value.type, zone="UTC")) if value.type.name == "timestamptz" else value
    )


def _lenient(literal: Expr, other: Type) -> Expr:
    found = _taken(literal, other)
    if found is not literal and literal.read_as:
        # A moment is written in UTC.
        zoned = found.type.name == "timestamptz"
        literal.read_as(f"{found.sql[:-1]} UTC'" if zoned else found.sql)
    return found


def _taken(literal: Expr, other: Type) -> Expr:
    if literal.type == BOOLEAN and other == VARCHAR and literal.sql in ("true", "false"):
        return text_literal(literal.sql, VARCHAR)
    if literal.type != VARCHAR or not isinstance(literal.value, str):
        return literal
    if is_moment(other):
        return moment_from_text(literal.value, other)
    if other == BOOLEAN and literal.value.lower() in ("true", "false"):
        return Expr(literal.value.lower(), BOOLEAN)
    return literal


def _comparison_hint(left: Type, right: Type) -> str:
    if VARCHAR in (left, right):
        return "Put the text in quotes, or CAST one side."
    return "Use CAST to give both sides one type."


def equal_sql(left: str, right: str, kind: Type) -> str:
    """Equality that is NULL where a NULL inside leaves it open, as in Trino; NaN equals nothing."""
    if kind.name == "row":
        pairs = [
            equal_sql(f"struct_extract({left}, '{key}')", f"struct_extract({right}, '{key}')", part)
            for key, part in zip(kind.keys, kind.args, strict=True)
        ]
        return f"({' AND '.join(pairs)})"
    if kind.name == "array":
        element = equal_sql("z[1]", "z[2]", kind.element)
        each = f"list_transform(list_zip({left}, {right}), lambda z: {element})"
        unknown = "len(list_filter(e, lambda v: v IS NULL)) > 0"
        verdict = let("e", each, f"CASE WHEN list_contains(e, false) THEN false WHEN {unknown} THEN NULL ELSE true END")
        sizes = f"len({left}) <> len({right})"
        return f"(CASE WHEN {left} IS NULL OR {right} IS NULL THEN NULL WHEN {sizes} THEN false ELSE {verdict} END)"
    if kind.name == "map":
        values = equal_sql("struct_extract(v, 'a')", "struct_extract(v, 'b')", Type("array", kind.args[1:]))
        return equal_maps(left, right, values)
    if kind.name in ("double", "real"):
        return f"({left} = {right} AND NOT isnan({left}))"
    return f"({left} = {right})"


def untyped_null(what: str) -> Refusal:
    """For what Trino gives a NULL without a type to: no overload, or one that nobody would expect."""
    return Refusal(f"NULL needs a type beside {what}", "Write CAST(NULL AS varchar), for instance.")


def negate(operand: Expr) -> Expr:
    if is_number(operand.type) or is_interval(operand.type):
        value = -operand.value if isinstance(operand.value, int) else None
        if (value, operand.type) in ((2**31, INTEGER), (2**63, BIGINT)):
            raise Refusal("this number is too large for its type", "CAST it to a wider one first.")
        sql = f"CAST(-{operand.sql} AS {duck(operand.type)})" if is_integer(operand.type) else f"(-{operand.sql})"
        result = derived(sql, operand.type, operand)
        return Expr(result.sql, result.type, value, result.free, result.aggregated)
    raise Refusal(f"cannot negate {operand.type}")


def concatenate(left: Expr, right: Expr) -> Expr:
    """`||` for texts, binaries and arrays."""
    if UNKNOWN in (left.type, right.type):
        raise Refusal("Trino takes the NULL for an array here, or asks for a CAST", "Write CAST(NULL AS varchar).")
    both = left.type.name == right.type.name == "array" and left.type != right.type
    if both and UNKNOWN in (left.type.element, right.type.element):
        raise Refusal("Trino asks for the type of an empty array here", "Write CAST(ARRAY[] AS array(varchar)).")
    for array, item, sql in ((left, right, "list_append({0}, {1})"), (right, left, "list_prepend({1}, {0})")):
        if array.type.name == "array" and item.type.name != "array":
            kind = common(array.type.element, item.type)
            if kind is None:
                raise Refusal(f"cannot append {item.type} to {array.type}")
            kind_of_array = Type("array", (kind,))
            first, second = coerce(array, kind_of_array), coerce(item, kind)
            return derived(
                f"(CASE WHEN {array.sql} IS NOT NULL THEN {sql.format(first.sql, second.sql)} END)",
                kind_of_array,
                first,
                second,
            )
    kind2 = common(left.type, right.type)
    if kind2 is None or kind2.name not in ("varchar", "varbinary", "array"):
        raise Refusal(f"cannot concatenate {left.type} and {right.type}", "CAST(x AS varchar) makes a text of it.")
    left, right = coerce(left, kind2), coerce(right, kind2)
    if kind2.name == "array":
        sql = f"(CASE WHEN {left.sql} IS NOT NULL AND {right.sql} IS NOT NULL THEN list_concat({left.sql}, {right.sql}) END)"
        return derived(sql, kind2, left, right)
    return derived(f"({left.sql} || {right.sql})", kind2, left, right)
