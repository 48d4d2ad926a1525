"""Arrays, and what arrays and maps share: subscripts, element_at, cardinality."""

from __future__ import annotations

from crosstrail.engines.sql.casts import cast, coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_int, derived, require
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.nested_order import without_nulls
from crosstrail.engines.sql.types import (
    BIGINT,
    DOUBLE,
    REAL,
    VARCHAR,
    Type,
    array_of,
    holds_json,
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
def _element_at(call: FunctionCall) -> Expr:
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
def _cardinality(call: FunctionCall) -> Expr:
    call.need(1)
    value = call.arg(0)
    if value.type.name not in ("array", "map"):
        value = call.array()
    counted = f"map_keys({value.sql})" if value.type.name == "map" else value.sql
    return derived(f"CAST(len({counted}) AS BIGINT)", BIGINT, value)


def need_comparable(kind: Type) -> None:
    if holds_json(kind):
        raise Refusal(f"{kind} values cannot be compared")


def has_null(sql: str) -> str:
    return f"len(list_filter({sql}, lambda v: v IS NULL)) > 0"


@function("array_max", "array_min")
def _extreme(call: FunctionCall) -> Expr:
    """NULL where the array holds a NULL, as in Trino."""
    call.need(1)
    array = call.array()
    if not is_orderable(array.type.element):
        raise Refusal(f"{array.type.element} values have no order here")
    if array.type.element.args:
        item = without_nulls(Expr("v", array.type.element), call.name)
        array = derived(f"list_transform({array.sql}, lambda v: {item.sql})", array.type, array)
    found = f"list_{call.name[-3:]}({array.sql})"
    if call.name == "array_max" and array.type.element in (
        DOUBLE,
        REAL,
    ):  # NaN only where there is nothing else, as in Trino
        found = f"coalesce(list_max(list_filter({array.sql}, lambda v: NOT isnan(v))), {found})"
    return derived(f"(CASE WHEN NOT {has_null(array.sql)} THEN {found} END)", array.type.element, array)


@function("array_join")
def _join(call: FunctionCall) -> Expr:
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
def _slice(call: FunctionCall) -> Expr:
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
    from crosstrail.engines.sql.types import duck

    return duck(kind)


@function("flatten")
def _flatten(call: FunctionCall) -> Expr:
    call.need(1)
    array = call.array()
    if array.type.element.name != "array":
        raise Refusal("flatten takes an array of arrays")
    return derived(f"flatten({array.sql})", array.type.element, array)


@function("repeat")
def _repeat(call: FunctionCall) -> Expr:
    call.need(2)
    value, count = call.arg(0), coerce(call.arg(1), BIGINT)
    bad = f"{count.sql} < 0 OR {count.sql} > 10000"
    sql = f"list_transform(range(CASE WHEN {bad} THEN 0 ELSE {count.sql} END), lambda i: {value.sql})"
    return derived(
        require(bad, "repeat makes 0 to 10000 values", sql, array_of(value.type)), array_of(value.type), value, count
    )


@function("zip")
def _zip(call: FunctionCall) -> Expr:
    call.need(2, 5)
    arrays = [call.array(index) for index in range(len(call))]
    kind = array_of(row_of([array.type.element for array in arrays]))
    fields = ", ".join(f"f{i} := list_extract({array.sql}, i)" for i, array in enumerate(arrays))
    longest = f"greatest({', '.join(f'len({array.sql})' for array in arrays)})"
    known = " AND ".join(f"{array.sql} IS NOT NULL" for array in arrays)
    sql = f"list_transform(range(1, {longest} + 1), lambda i: struct_pack({fields}))"
    return derived(f"(CASE WHEN {known} THEN {sql} END)", kind, *arrays)
