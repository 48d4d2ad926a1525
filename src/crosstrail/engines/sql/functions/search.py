"""Functions that look for values in arrays, and those that take arrays as sets.

The first compare by `=`, as Trino does: NaN is found nowhere, and a NULL inside an element that leaves the comparison open is
a failure. The second tell values apart as DISTINCT does.
"""

from __future__ import annotations

from crosstrail.engines.sql.addresses import contains_address
from crosstrail.engines.sql.canonical import canonical
from crosstrail.engines.sql.casts import coerce, shared_type
from crosstrail.engines.sql.expr import Expr, derived, failure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.functions.collections import has_null, need_comparable
from crosstrail.engines.sql.operators import equal_sql
from crosstrail.engines.sql.types import BIGINT, BOOLEAN, IPADDRESS, VARCHAR, Type, array_of

_A, _B = "struct_extract(w, 'a')", "struct_extract(w, 'b')"


def _both(one: Expr, other: Expr, body: str, kind: Type) -> Expr:
    """`body` over the two values, which it names _A and _B; NULL where one of them is NULL. Each is computed once, outside of
    the lambdas of the body."""
    sql = f"CASE WHEN {_A} IS NOT NULL AND {_B} IS NOT NULL THEN {body} END"
    packed = f"[struct_pack(a := {one.sql}, b := {other.sql})]"
    return derived(f"list_extract(list_transform({packed}, lambda w: {sql}), 1)", kind, one, other)


def _array_and_item(call: FunctionCall) -> tuple[Expr, Expr, str]:
    """The array, a value of its elements' type, and SQL that gives for each element 1 where it equals the value, 0 where it
    does not or is NULL, and -1 where that is open."""
    array, value = call.array(), call.arg(1)
    kind = shared_type([Expr("", array.type.element), value], call.name)
    need_comparable(kind)
    state = f"CASE WHEN c IS NULL THEN 0 ELSE coalesce(CAST({equal_sql('c', _B, kind)} AS INTEGER), -1) END"
    return coerce(array, array_of(kind)), coerce(value, kind), f"list_transform({_A}, lambda c: {state})"


def _open(name: str, kind: Type) -> str:
    return failure(f"{name} does not support arrays with elements that contain NULL", kind)


_FIRST = "list_extract(list_filter(s, lambda x: x <> 0), 1)"


@function("contains")
def _contains(call: FunctionCall) -> Expr:
    """NULL where the value is not found and the array holds a NULL."""
    call.need(2)
    if call.arg(0).type == VARCHAR and call.arg(1).type == IPADDRESS:
        return contains_address(call.arg(0), call.arg(1))
    array, value, states = _array_and_item(call)
    found = (
        f"CASE {_FIRST} WHEN 1 THEN true WHEN -1 THEN {_open(call.name, BOOLEAN)}"
        f" ELSE (CASE WHEN NOT {has_null(_A)} THEN false END) END"
    )
    if not value.type.args and value.type.name not in ("double", "real"):
        found = f"CASE WHEN list_contains({_A}, {_B}) THEN true WHEN NOT {has_null(_A)} THEN false END"
        return _both(array, value, found, BOOLEAN)
    return _both(array, value, f"list_extract(list_transform([{states}], lambda s: {found}), 1)", BOOLEAN)


@function("array_position")
def _position(call: FunctionCall) -> Expr:
    call.need(2)
    array, value, states = _array_and_item(call)
    found = f"CASE WHEN {_FIRST} = -1 THEN {_open(call.name, BIGINT)} ELSE CAST(coalesce(list_position(s, 1), 0) AS BIGINT) END"
    return _both(array, value, f"list_extract(list_transform([{states}], lambda s: {found}), 1)", BIGINT)


@function("array_remove")
def _remove(call: FunctionCall) -> Expr:
    call.need(2)
    array, value, states = _array_and_item(call)
    filtered = f"list_filter({_A}, lambda c, i: list_extract(s, i) <> 1)"
    found = f"CASE WHEN list_contains(s, -1) THEN {_open(call.name, array.type)} ELSE {filtered} END"
    return _both(array, value, f"list_extract(list_transform([{states}], lambda s: {found}), 1)", array.type)


@function("array_distinct")
def _distinct(call: FunctionCall) -> Expr:
    call.need(1)
    array = canonical(call.array())
    need_comparable(array.type.element)
    return derived(_in_order(array.sql), array.type, array)


def _in_order(sql: str) -> str:
    """Distinct values in the order they first come; NULL counts as a value."""
    first = f"len(list_filter({sql}[:i - 1], lambda o: o IS NOT DISTINCT FROM v)) = 0"
    return f"list_filter({sql}, lambda v, i: {first})"


@function("array_union", "array_intersect", "array_except", "arrays_overlap")
def _sets(call: FunctionCall) -> Expr:
    call.need(2)
    one, other = call.array(0), call.array(1)
    kind = shared_type([one, other], call.name)
    need_comparable(kind.element)
    left, right = canonical(coerce(one, kind)), canonical(coerce(other, kind))
    inside = f"len(list_filter({_B}, lambda o: o IS NOT DISTINCT FROM v)) > 0"
    if call.name == "array_union":
        return _both(left, right, _in_order(f"list_concat({_A}, {_B})"), kind)
    if call.name == "arrays_overlap":
        shared = f"len(list_filter({_A}, lambda v: v IS NOT NULL AND {inside})) > 0"
        if not kind.element.args:
            shared = f"list_has_any({_A}, {_B})"
        open_ = f"({has_null(_A)} AND len({_B}) > 0) OR ({has_null(_B)} AND len({_A}) > 0)"
        return _both(left, right, f"CASE WHEN {shared} THEN true WHEN {open_} THEN NULL ELSE false END", BOOLEAN)
    if call.name == "array_intersect":  # in the order of the longer one
        among = f"len(list_filter({_A}, lambda o: o IS NOT DISTINCT FROM v)) > 0"
        sql = f"CASE WHEN len({_A}) < len({_B}) THEN list_filter({_in_order(_B)}, lambda v: {among}) ELSE list_filter({_in_order(_A)}, lambda v: {inside}) END"
        return _both(left, right, sql, kind)
    # Without anything to take out, Trino gives back what it has, repeated elements too.
    sql = f"CASE WHEN len({_B}) = 0 THEN {_A} ELSE list_filter({_in_order(_A)}, lambda v: NOT ({inside})) END"
    return _both(left, right, sql, kind)
