"""Arrays that are made of others, or of nothing: sequences, n-grams, combinations, and what is in an array how often."""

from __future__ import annotations

from dataclasses import replace
from math import factorial

from crosstrail.engines.sql.canonical import canonical
from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_int, derived, let, outside, require, require_sure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.functions.collections import need_comparable
from crosstrail.engines.sql.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAY_TIME,
    UNKNOWN,
    YEAR_MONTH,
    array_of,
    common,
    duck,
    is_integer,
    map_of,
)

_MOST = 10_000
_DAY = 86_400_000
_MOST_ELEMENTS = 100_000
_LONGEST_COMBINATION = 5


@function("sequence")
def _sequence(call: FunctionCall) -> Expr:
    call.need(2, 3)
    given, bind = outside(*call.args())
    found = _between(given[0], given[1], given[2] if len(call) == 3 else None)
    return replace(found, sql=bind(found.sql))


def _between(start: Expr, stop: Expr, step: Expr | None) -> Expr:
    if step is not None and step.type in (DAY_TIME, YEAR_MONTH):
        kind = common(start.type, stop.type)
        if kind is None or kind.name not in ("date", "timestamp"):
            raise Refusal(f"sequence does not count from {start.type} to {stop.type} by {step.type}")
        first, last = coerce(start, kind), coerce(stop, kind)
        return (_by_months if step.type == YEAR_MONTH else _by_time)(first, last, step)
    if start.type == stop.type == DATE and step is None:
        day = f"(CASE WHEN {start.sql} <= {stop.sql} THEN {_DAY} ELSE -{_DAY} END)"
        return _by_time(start, stop, derived(day, DAY_TIME, start, stop))
    if UNKNOWN not in (start.type, stop.type) and not (is_integer(start.type) and is_integer(stop.type)):
        raise Refusal("sequence takes whole numbers, dates or timestamps")
    first, last = coerce(start, BIGINT), coerce(stop, BIGINT)
    default = f"(CASE WHEN {first.sql} <= {last.sql} THEN 1 ELSE -1 END)"
    by = coerce(step, BIGINT) if step is not None else Expr(default, BIGINT)
    distance = f"({last.sql}::HUGEINT - {first.sql})"
    return _counted(first, last, by, distance, f"CAST({first.sql} + i::HUGEINT * {by.sql} AS BIGINT)")


def _by_time(first: Expr, last: Expr, step: Expr) -> Expr:
    if first.type == DATE:
        by = derived(f"({step.sql} // {_DAY})", BIGINT, step)
        distance = f"CAST({last.sql} - {first.sql} AS BIGINT)"
        made = _counted(first, last, by, distance, f"{first.sql} + CAST(i * {by.sql} AS INTEGER)")
        return derived(
            require(f"{step.sql} % {_DAY} <> 0", "dates are a day apart", made.sql, made.type), made.type, made
        )
    by = derived(f"({step.sql} * 1000)", BIGINT, step)
    distance = f"(epoch_us({last.sql}) - epoch_us({first.sql}))"
    made = _counted(first, last, by, distance, f"make_timestamp(epoch_us({first.sql}) + i * {by.sql})")
    unit = 10 ** (3 - min(3, first.type.precision))
    odd = f"{step.sql} % {unit} <> 0"
    message = "a sequence in steps that its timestamps cannot hold"
    return derived(require_sure(odd, message, made.sql, made.type), made.type, made)


def _by_months(first: Expr, last: Expr, step: Expr) -> Expr:
    """Each is counted from the first, so that the 31st comes again behind a month without one."""
    distance = f"((year({last.sql}) - year({first.sql})) * 12 + month({last.sql}) - month({first.sql}))"
    item = f"CAST({first.sql} + to_months(CAST(i * {step.sql} AS INTEGER)) AS {duck(first.type)})"
    made = _counted(first, last, step, distance, item)
    within = f"CASE WHEN {step.sql} > 0 THEN v <= {last.sql} ELSE v >= {last.sql} END"
    return derived(f"list_filter({made.sql}, lambda v: {within})", made.type, made)


def _counted(first: Expr, last: Expr, step: Expr, distance: str, item: str) -> Expr:
    """`item` for i from 0 to as often as the step fits into the distance."""
    kind = array_of(first.type)
    size = f"({distance} // nullif({step.sql}, 0))"
    # The size is cut where it is used, too: DuckDB computes constants before it looks at a CASE.
    cut = f"(CASE WHEN {size} BETWEEN 0 AND {_MOST - 1} THEN CAST({size} AS BIGINT) ELSE 0 END)"
    made = f"list_transform(range({cut} + 1), lambda i: {item})"
    wrong = f"({step.sql} > 0 AND {last.sql} < {first.sql}) OR ({step.sql} < 0 AND {last.sql} > {first.sql})"
    sql = require(f"{size} >= {_MOST}", f"a sequence has at most {_MOST} values", made, kind)
    sql = require(wrong, "a sequence goes from start to stop", sql, kind)
    sql = require(f"{step.sql} = 0", "the step is 0", sql, kind)
    known = " AND ".join(f"{each.sql} IS NOT NULL" for each in (first, last, step))
    return derived(f"(CASE WHEN {known} THEN {sql} END)", kind, first, last, step)


@function("trim_array")
def _trim(call: FunctionCall) -> Expr:
    call.need(2)
    array, size = call.array(), coerce(call.arg(1), BIGINT)
    cut = f"list_slice({array.sql}, 1, len({array.sql}) - {size.sql})"
    bad = f"{size.sql} < 0 OR {size.sql} > len({array.sql})"
    sql = require(bad, "an array has not so many elements to trim", cut, array.type)
    return derived(
        f"(CASE WHEN {array.sql} IS NOT NULL AND {size.sql} IS NOT NULL THEN {sql} END)", array.type, array, size
    )


@function("contains_sequence")
def _contains_sequence(call: FunctionCall) -> Expr:
    """Here a NULL is equal to a NULL, and NaN to NaN."""
    call.need(2)
    one, other = call.array(0), call.array(1)
    kind = common(one.type, other.type)
    if kind is None:
        raise Refusal(f"{one.type} and {other.type} have no common type")
    need_comparable(kind.element)
    (left, right), bind = outside(canonical(coerce(one, kind)), canonical(coerce(other, kind)))
    same = f"list_slice({left.sql}, i, i + len({right.sql}) - 1) IS NOT DISTINCT FROM {right.sql}"
    places = f"range(1, greatest(len({left.sql}) - len({right.sql}) + 2, 1))"
    sql = f"len({right.sql}) = 0 OR len(list_filter({places}, lambda i: {same})) > 0"
    known = f"{left.sql} IS NOT NULL AND {right.sql} IS NOT NULL"
    return derived(bind(f"CASE WHEN {known} THEN {sql} END"), BOOLEAN, left, right)


@function("ngrams")
def _ngrams(call: FunctionCall) -> Expr:
    call.need(2)
    (array, size), bind = outside(call.array(), coerce(call.arg(1), BIGINT))
    kind = array_of(array.type)
    places = f"range(1, greatest(len({array.sql}) - {size.sql} + 2, 2))"
    made = f"list_transform({places}, lambda i: list_slice({array.sql}, i, i + {size.sql} - 1))"
    sql = require(f"{size.sql} < 1", "n-grams have at least one element", made, kind)
    sql = bind(f"CASE WHEN {array.sql} IS NOT NULL AND {size.sql} IS NOT NULL THEN {sql} END")
    return derived(sql, kind, array, size)


@function("combinations")
def _combinations(call: FunctionCall) -> Expr:
    call.need(2)
    (array,), bind = outside(call.array())
    size = constant_int(call.arg(1), "the size of a combination")
    kind = array_of(array.type)
    if not 0 <= size <= _LONGEST_COMBINATION:
        raise Refusal(f"combinations have 0 to {_LONGEST_COMBINATION} elements")
    length = f"len({array.sql})"
    count = " * ".join(["1::HUGEINT", *(f"({length} - {i})" for i in range(size))])
    large = f"{count} * {max(size, 1)} > {_MOST_ELEMENTS * factorial(size)}"
    length = f"(CASE WHEN {large} THEN 0 ELSE {length} END)"
    places = "[CAST([] AS BIGINT[])]"
    for _ in range(size):
        more = f"range(1, coalesce(list_extract(c, -1), {length} + 1))"
        places = f"flatten(list_transform({places}, lambda c: list_transform({more}, lambda i: list_append(c, i))))"
    # The last element is the first to count in their order, so places are chosen from the last one down.
    made = (
        f"list_transform({places}, lambda c: list_transform(list_reverse(c), lambda i: list_extract({array.sql}, i)))"
    )
    sql = require(large, f"combinations with more than {_MOST_ELEMENTS} elements", made, kind)
    return derived(bind(f"CASE WHEN {array.sql} IS NOT NULL THEN {sql} END"), kind, array)


@function("array_histogram")
def _histogram(call: FunctionCall) -> Expr:
    call.need(1)
    array = canonical(call.array())
    need_comparable(array.type.element)
    kind = map_of(array.type.element, BIGINT)
    known = f"list_filter({array.sql}, lambda v: v IS NOT NULL)"
    count = "CAST(len(list_filter(h, lambda o: o = v)) AS BIGINT)"
    made = f"map_from_entries(list_transform(list_sort(list_distinct(h)), lambda v: struct_pack(k := v, v := {count})))"
    return derived(
        f"(CASE WHEN {array.sql} IS NOT NULL THEN CAST({let('h', known, made)} AS {duck(kind)}) END)", kind, array
    )
