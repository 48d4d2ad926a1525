"""Arrays, and what arrays and maps share: subscripts, element_at, cardinality, contains."""

from __future__ import annotations

from crosstrail.engines.dialect.addresses import contains_address
from crosstrail.engines.dialect.canonical import canonical
from crosstrail.engines.dialect.casts import cast, coerce, shared_type
from crosstrail.engines.dialect.expr import Expr, Refusal, constant_int, derived, failure, require
from crosstrail.engines.dialect.registry import Call, function
from crosstrail.engines.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAY_TIME,
    IPADDRESS,
    VARCHAR,
    Type,
    array_of,
    is_comparable,
    is_integer,
    is_orderable,
    row_of,
)


def subscript(base: Expr, index: Expr) -> Expr:
    """x[i]: an index outside an array, or a key a map lacks, is an error as in Trino."""
    if base.type.name == "map":
        key = coerce(index, base.type.args[0])
        kind = base.type.args[1]
        missing = f"NOT map_contains({base.sql}, {key.sql})"
        sql = require(
            missing, "a map lacks the key asked for; element_at gives NULL instead", f"{base.sql}[{key.sql}]", kind
        )
        return derived(f"(CASE WHEN {key.sql} IS NOT NULL THEN {sql} END)", kind, base, key)
    if base.type.name == "row":
        place = constant_int(index, "a row's index")
        if not 1 <= place <= len(base.type.args):
            raise Refusal(f"this row has {len(base.type.args)} fields")
        return derived(f"struct_extract({base.sql}, '{base.type.keys[place - 1]}')", base.type.args[place - 1], base)
    if base.type.name != "array" or not is_integer(index.type):
        raise Refusal(f"{base.type} has no subscript of type {index.type}")
    bad = f"{index.sql} < 1 OR {index.sql} > len({base.sql})"
    sql = require(
        bad,
        "an array index is out of bounds; element_at gives NULL instead",
        f"list_extract({base.sql}, {index.sql})",
        base.type.element,
    )
    return derived(sql, base.type.element, base, index)


@function("element_at")
def _element_at(call: Call) -> Expr:
    call.need(2)
    base, index = call.arg(0), call.arg(1)
    if base.type.name == "map":
        key = coerce(index, base.type.args[0])
        return derived(f"map_extract_value({base.sql}, {key.sql})", base.type.args[1], base, key)
    array = call.array()
    index = coerce(index, BIGINT)
    sql = f"list_extract({array.sql}, {index.sql})"
    if not index.value:
        sql = require(f"{index.sql} = 0", "array indices start at 1", sql, array.type.element)
    return derived(sql, array.type.element, array, index)


@function("cardinality")
def _cardinality(call: Call) -> Expr:
    call.need(1)
    value = call.arg(0)
    if value.type.name not in ("array", "map"):
        value = call.array()
    counted = f"map_keys({value.sql})" if value.type.name == "map" else value.sql
    return derived(f"CAST(len({counted}) AS BIGINT)", BIGINT, value)


@function("contains")
def _contains(call: Call) -> Expr:
    """NULL where the value is not found and the array holds a NULL."""
    call.need(2)
    if call.arg(0).type == VARCHAR and call.arg(1).type == IPADDRESS:
        return contains_address(call.arg(0), call.arg(1))
    array, value = _array_and_item(call)
    found = f"list_contains({array.sql}, {value.sql})"
    sql = f"(CASE WHEN {value.sql} IS NULL THEN NULL WHEN {found} THEN true WHEN {_has_null(array.sql)} THEN NULL ELSE {found} END)"
    return derived(sql, BOOLEAN, array, value)


def _has_null(sql: str) -> str:
    return f"len(list_filter({sql}, lambda v: v IS NULL)) > 0"


def _array_and_item(call: Call) -> tuple[Expr, Expr]:
    """The array and a value of its elements' type, both coerced to their common type."""
    array, value = call.array(), call.arg(1)
    kind = shared_type([Expr("", array.type.element), value], call.name)
    if kind.args:
        raise Refusal(f"{call.name} looks for plain values here, not {kind}", "Use any_match(array, x -> ...).")
    return coerce(array, array_of(kind)), coerce(value, kind)


@function("array_position")
def _position(call: Call) -> Expr:
    call.need(2)
    array, value = _array_and_item(call)
    found = f"CAST(coalesce(list_position({array.sql}, {value.sql}), 0) AS BIGINT)"
    return derived(
        f"(CASE WHEN {array.sql} IS NOT NULL AND {value.sql} IS NOT NULL THEN {found} END)", BIGINT, array, value
    )


@function("array_remove")
def _remove(call: Call) -> Expr:
    call.need(2)
    array, value = _array_and_item(call)
    if value.value is None:
        sql = f"(CASE WHEN {value.sql} IS NOT NULL THEN list_filter({array.sql}, lambda v: v IS NULL OR v <> {value.sql}) END)"
    else:
        sql = f"list_filter({array.sql}, lambda v: v IS NULL OR v <> {value.sql})"
    return derived(sql, array.type, array, value)


@function("array_distinct")
def _distinct(call: Call) -> Expr:
    call.need(1)
    array = call.array()
    _need_comparable(array)
    array = canonical(array)
    return derived(_in_order(array.sql), array.type, array)


def _in_order(sql: str) -> str:
    """Distinct values in the order they first come; NULL counts as a value."""
    first = f"len(list_filter({sql}[:i - 1], lambda o: o IS NOT DISTINCT FROM v)) = 0"
    return f"list_filter({sql}, lambda v, i: {first})"


def _need_comparable(array: Expr) -> None:
    if not is_comparable(array.type.element):
        raise Refusal(f"{array.type.element} values cannot be compared")


@function("array_sort")
def _sort(call: Call) -> Expr:
    call.need(1, 2)
    if len(call) == 2:
        raise Refusal("array_sort takes no comparing function here", "Use array_agg(x ORDER BY ...) over UNNEST.")
    array = call.array()
    if not is_orderable(array.type.element) or array.type.element.args:
        raise Refusal(f"{array.type.element} values have no order here")
    return derived(f"list_sort({array.sql}, 'ASC', 'NULLS LAST')", array.type, array)


@function("array_max", "array_min")
def _extreme(call: Call) -> Expr:
    """NULL where the array holds a NULL, as in Trino."""
    call.need(1)
    array = call.array()
    if not is_orderable(array.type.element) or array.type.element.args:
        raise Refusal(f"{array.type.element} values have no order here")
    found = f"list_{call.name[-3:]}({array.sql})"
    return derived(f"(CASE WHEN NOT {_has_null(array.sql)} THEN {found} END)", array.type.element, array)


@function("array_join")
def _join(call: Call) -> Expr:
    call.need(2, 3)
    array, by = call.array(), coerce(call.arg(1), VARCHAR)
    texts = cast(array, array_of(VARCHAR))
    if len(call) == 3:
        instead = coerce(call.arg(2), VARCHAR)
        items = f"list_transform({texts.sql}, lambda v: coalesce(v, {instead.sql}))"
    else:
        items = f"list_filter({texts.sql}, lambda v: v IS NOT NULL)"
    sql = f"(CASE WHEN {array.sql} IS NOT NULL AND {by.sql} IS NOT NULL THEN coalesce(array_to_string({items}, {by.sql}), '') END)"
    return derived(sql, VARCHAR, *call.args())


@function("slice")
def _slice(call: Call) -> Expr:
    call.need(3)
    array, start, length = call.array(), coerce(call.arg(1), BIGINT), coerce(call.arg(2), BIGINT)
    first = f"(CASE WHEN {start.sql} < 0 THEN len({array.sql}) + {start.sql} + 1 ELSE {start.sql} END)"
    cut = f"list_slice({array.sql}, {first}, {first} + {length.sql} - 1)"
    empty = f"CAST([] AS {_duck(array.type)})"
    sql = f"(CASE WHEN {first} < 1 OR {length.sql} = 0 THEN {empty} ELSE {cut} END)"
    sql = require(
        f"{start.sql} = 0 OR {length.sql} < 0",
        "slice needs a start that is not 0 and a length that is not negative",
        sql,
        array.type,
    )
    known = f"{array.sql} IS NOT NULL AND {start.sql} IS NOT NULL AND {length.sql} IS NOT NULL"
    return derived(f"(CASE WHEN {known} THEN {sql} END)", array.type, array, start, length)


def _duck(kind: Type) -> str:
    from crosstrail.engines.dialect.types import duck

    return duck(kind)


@function("flatten")
def _flatten(call: Call) -> Expr:
    call.need(1)
    array = call.array()
    if array.type.element.name != "array":
        raise Refusal("flatten takes an array of arrays")
    return derived(f"flatten({array.sql})", array.type.element, array)


@function("array_union", "array_intersect", "array_except", "arrays_overlap")
def _sets(call: Call) -> Expr:
    call.need(2)
    one, other = call.array(0), call.array(1)
    kind = shared_type([one, other], call.name)
    if kind.element.args:
        raise Refusal(f"{call.name} compares plain values here")
    left, right = coerce(one, kind), coerce(other, kind)
    inside = f"len(list_filter({right.sql}, lambda o: o IS NOT DISTINCT FROM v)) > 0"
    if call.name == "array_union":
        sql = _in_order(f"list_concat({left.sql}, {right.sql})")
    elif call.name == "arrays_overlap":
        shared = f"list_has_any({left.sql}, {right.sql})"
        open_ = f"({_has_null(left.sql)} AND len({right.sql}) > 0) OR ({_has_null(right.sql)} AND len({left.sql}) > 0)"
        sql = f"(CASE WHEN {shared} THEN true WHEN {open_} THEN NULL ELSE false END)"
        kind = BOOLEAN
    else:
        word = "" if call.name == "array_intersect" else "NOT "
        sql = f"list_filter({_in_order(left.sql)}, lambda v: {word}({inside}))"
    return derived(f"(CASE WHEN {left.sql} IS NOT NULL AND {right.sql} IS NOT NULL THEN {sql} END)", kind, left, right)


@function("sequence")
def _sequence(call: Call) -> Expr:
    call.need(2, 3)
    start, stop = call.arg(0), call.arg(1)
    if is_integer(start.type) and is_integer(stop.type):
        first, last = coerce(start, BIGINT), coerce(stop, BIGINT)
        default = f"(CASE WHEN {first.sql} <= {last.sql} THEN 1 ELSE -1 END)"
        step = coerce(call.arg(2), BIGINT).sql if len(call) == 3 else default
        kind = array_of(BIGINT)
        size = f"({last.sql} - {first.sql}) // nullif({step}, 0)"
        # The bounds are cut once more where they stand: DuckDB computes constants before it looks at a CASE.
        made = f"generate_series({first.sql}, (CASE WHEN {size} BETWEEN 0 AND 9999 THEN {last.sql} ELSE {first.sql} END), {step})"
    elif start.type == stop.type == DATE and (len(call) == 2 or call.arg(2).type == DAY_TIME):
        first, last = start, stop
        step = f"({call.arg(2).sql} // 86400000)" if len(call) == 3 else "1"
        kind = array_of(DATE)
        days = f"CAST({last.sql} - {first.sql} AS BIGINT)"
        size = f"{days} // nullif({step}, 0)"
        cut = f"(CASE WHEN {size} BETWEEN 0 AND 9999 THEN {days} ELSE 0 END)"
        made = f"list_transform(generate_series(0::BIGINT, {cut}, {step}), lambda d: {first.sql} + CAST(d AS INTEGER))"
    else:
        raise Refusal("sequence takes whole numbers, or dates with a step in days, here")
    bad = f"{step} = 0"
    wrong = f"{size} < 0 OR {size} >= 10000"
    sql = f"(CASE WHEN {bad} THEN {failure('the step is 0', kind)} WHEN {wrong} THEN {failure('a sequence has 1 to 10000 values and goes from start to stop', kind)} ELSE {made} END)"
    return derived(sql, kind, *call.args())


@function("repeat")
def _repeat(call: Call) -> Expr:
    call.need(2)
    value, count = call.arg(0), coerce(call.arg(1), BIGINT)
    bad = f"{count.sql} < 0 OR {count.sql} > 10000"
    sql = f"list_transform(range(CASE WHEN {bad} THEN 0 ELSE {count.sql} END), lambda i: {value.sql})"
    return derived(
        require(bad, "repeat makes 0 to 10000 values", sql, array_of(value.type)), array_of(value.type), value, count
    )


@function("zip")
def _zip(call: Call) -> Expr:
    call.need(2, 5)
    arrays = [call.array(index) for index in range(len(call))]
    kind = array_of(row_of([array.type.element for array in arrays]))
    fields = ", ".join(f"f{i} := list_extract({array.sql}, i)" for i, array in enumerate(arrays))
    longest = f"greatest({', '.join(f'len({array.sql})' for array in arrays)})"
    known = " AND ".join(f"{array.sql} IS NOT NULL" for array in arrays)
    sql = f"list_transform(range(1, {longest} + 1), lambda i: struct_pack({fields}))"
    return derived(f"(CASE WHEN {known} THEN {sql} END)", kind, *arrays)
