"""Maps. Keys come once: where DuckDB would keep a double key or sort differently, these say so."""

from __future__ import annotations

from crosstrail.engines.sql.casts import coerce, shared_type
from crosstrail.engines.sql.expr import Expr, Refusal, boolean, derived, let, outside, require
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.types import UNKNOWN, array_of, common, map_of, row_of

KEY, VALUE = "struct_extract(e, 'key')", "struct_extract(e, 'value')"


@function("map")
def _map(call: FunctionCall) -> Expr:
    if not len(call):
        return derived("MAP {}", map_of(UNKNOWN, UNKNOWN))
    call.need(2)
    keys, values = call.array(0), call.array(1)
    kind = map_of(keys.type.element, values.type.element)
    sql = require(
        f"len({keys.sql}) <> len({values.sql})",
        "a map needs as many keys as values",
        f"map({keys.sql}, {values.sql})",
        kind,
    )
    return derived(
        f"(CASE WHEN {keys.sql} IS NOT NULL AND {values.sql} IS NOT NULL THEN {sql} END)", kind, keys, values
    )


@function("map_keys")
def _keys(call: FunctionCall) -> Expr:
    call.need(1)
    value = call.map()
    return derived(f"map_keys({value.sql})", array_of(value.type.args[0]), value)


@function("map_values")
def _values(call: FunctionCall) -> Expr:
    call.need(1)
    value = call.map()
    return derived(f"map_values({value.sql})", array_of(value.type.args[1]), value)


@function("map_entries")
def _entries(call: FunctionCall) -> Expr:
    call.need(1)
    value = call.map()
    kind = array_of(row_of(value.type.args))
    return derived(
        f"list_transform(map_entries({value.sql}), lambda e: struct_pack(f0 := {KEY}, f1 := {VALUE}))", kind, value
    )


@function("map_from_entries")
def _from_entries(call: FunctionCall) -> Expr:
    call.need(1)
    array = call.array()
    row = array.type.element
    if row.name != "row" or len(row.args) != 2:
        raise Refusal("map_from_entries takes an array of pairs")
    kind = map_of(*row.args)
    pack = f"struct_pack(k := struct_extract(e, '{row.keys[0]}'), v := struct_extract(e, '{row.keys[1]}'))"
    return derived(f"map_from_entries(list_transform({array.sql}, lambda e: {pack}))", kind, array)


@function("map_concat")
def _concat(call: FunctionCall) -> Expr:
    call.need(2, 20)
    maps = [call.map(index) for index in range(len(call))]
    kind = shared_type(maps, "map_concat")
    ready = [coerce(each, kind) for each in maps]
    known = " AND ".join(f"{each.sql} IS NOT NULL" for each in ready)
    return derived(f"(CASE WHEN {known} THEN map_concat({', '.join(each.sql for each in ready)}) END)", kind, *ready)


@function("map_filter")
def _filter(call: FunctionCall) -> Expr:
    call.need(2)
    value = call.map()
    entry, test = call.unpacked(1, {"key": value.type.args[0], "value": value.type.args[1]})
    filtered = f"list_filter(map_entries({value.sql}), lambda {entry}: {boolean(test, 'the condition').sql})"
    return derived(f"map_from_entries({filtered})", value.type, value, test)


@function("transform_keys", "transform_values")
def _transform(call: FunctionCall) -> Expr:
    call.need(2)
    value = call.map()
    entry, body = call.unpacked(1, {"key": value.type.args[0], "value": value.type.args[1]})
    key, old = value.type.args
    if call.name == "transform_keys":
        pack, kind = f"struct_pack(k := {body.sql}, v := struct_extract({entry}, 'value'))", map_of(body.type, old)
    else:
        pack, kind = f"struct_pack(k := struct_extract({entry}, 'key'), v := {body.sql})", map_of(key, body.type)
    made = f"map_from_entries(list_transform(map_entries({value.sql}), lambda {entry}: {pack}))"
    return derived(made, kind, value, body)


@function("map_zip_with")
def _zip_with(call: FunctionCall) -> Expr:
    call.need(3)
    one, other = call.map(0), call.map(1)
    key = common(one.type.args[0], other.type.args[0])
    if key is None:
        raise Refusal(f"no type is common to the keys {one.type.args[0]} and {other.type.args[0]}")
    (left, right), bind = outside(*(coerce(each, map_of(key, each.type.args[1])) for each in (one, other)))
    packed, body = call.unpacked(2, {"k": key, "a": one.type.args[1], "b": other.type.args[1]})
    more = f"list_filter(map_keys({right.sql}), lambda k: NOT map_contains({left.sql}, k))"
    parts = f"a := map_extract_value({left.sql}, k), b := map_extract_value({right.sql}, k)"
    zipped = f"list_transform(list_concat(map_keys({left.sql}), {more}), lambda k: struct_pack(k := k, {parts}))"
    entry = f"struct_pack(k := struct_extract({packed}, 'k'), v := {body.sql})"
    made = f"map_from_entries(list_transform({zipped}, lambda {packed}: {entry}))"
    known = f"{left.sql} IS NOT NULL AND {right.sql} IS NOT NULL"
    return derived(bind(f"CASE WHEN {known} THEN {made} END"), map_of(key, body.type), left, right, body)


@function("multimap_from_entries")
def _multimap(call: FunctionCall) -> Expr:
    call.need(1)
    array = call.array()
    row = array.type.element
    if row.name != "row" or len(row.args) != 2:
        raise Refusal("multimap_from_entries takes an array of pairs")
    key, value = (f"struct_extract({{}}, '{name}')" for name in row.keys)
    kind = map_of(row.args[0], array_of(row.args[1]))
    bad = f"len(list_filter({array.sql}, lambda e: e IS NULL OR {key.format('e')} IS NULL)) > 0"
    sql = multimap(array.sql, key, value)
    return derived(require(bad, "an entry of a map, or its key, is NULL", sql, kind), kind, array)


def multimap(pairs: str, key: str, value: str) -> str:
    """SQL for the map of each key to all its values, in their order. `key` and `value` read an entry."""
    keys = f"list_transform(g, lambda e: {key.format('e')})"
    first = f"list_filter(g, lambda e, i: list_position({keys}, {key.format('e')}) = i)"
    same = f"list_filter(g, lambda o: {key.format('o')} = {key.format('e')})"
    values = f"list_transform({same}, lambda o: {value.format('o')})"
    entry = f"struct_pack(k := {key.format('e')}, v := {values})"
    return let("g", pairs, f"map_from_entries(list_transform({first}, lambda e: {entry}))")
