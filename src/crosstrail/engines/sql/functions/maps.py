"""Maps. Keys come once: where DuckDB would keep a double key or sort differently, these say so."""

from __future__ import annotations

from dataclasses import replace

from crosstrail.engines.sql.casts import coerce, shared_type
from crosstrail.engines.sql.expr import Expr, Refusal, boolean, derived, require
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.types import UNKNOWN, array_of, map_of, row_of

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
    entry, test = _with_entry(call, value)
    filtered = f"list_filter(map_entries({value.sql}), lambda {entry}: {boolean(test, 'the condition').sql})"
    return derived(f"map_from_entries({filtered})", value.type, value, test)


@function("transform_keys", "transform_values")
def _transform(call: FunctionCall) -> Expr:
    call.need(2)
    value = call.map()
    entry, body = _with_entry(call, value)
    key, old = value.type.args
    if call.name == "transform_keys":
        pack, kind = f"struct_pack(k := {body.sql}, v := struct_extract({entry}, 'value'))", map_of(body.type, old)
    else:
        pack, kind = f"struct_pack(k := struct_extract({entry}, 'key'), v := {body.sql})", map_of(key, body.type)
    made = f"map_from_entries(list_transform(map_entries({value.sql}), lambda {entry}: {pack}))"
    return derived(made, kind, value, body)


def _with_entry(call: FunctionCall, value: Expr) -> tuple[str, Expr]:
    """The lambda over key and value as one over an entry: the entry's name in SQL, and the body."""
    from sqlglot import exp

    node = call.nodes[1]
    if not isinstance(node, exp.Lambda) or len(node.expressions) != 2:
        raise Refusal(f"{call.name} takes a lambda (k, v) -> ...")
    key, kind = value.type.args
    first, second = (parameter.name.lower() for parameter in node.expressions)
    entry = f"p{call.scope.next_parameter()}"
    parts = {
        first: Expr(f"struct_extract({entry}, 'key')", key),
        second: Expr(f"struct_extract({entry}, 'value')", kind),
    }
    return entry, call.compiler.compile(
        node.this, replace(call.scope.with_variables(parts), aggregates=False, windows=False)
    )
