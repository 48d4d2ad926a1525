"""Functions of arrays that take a lambda."""

from __future__ import annotations

from crosstrail.engines.sql.casts import cast
from crosstrail.engines.sql.expr import Expr, Refusal, boolean, derived, let, require_sure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.types import BOOLEAN, INTEGER, UNKNOWN, array_of, common, duck, is_orderable


@function("transform")
def _transform(call: FunctionCall) -> Expr:
    call.need(2)
    array = call.array()
    head, body = call.lambda_(1, [array.type.element])
    return derived(f"list_transform({array.sql}, {head} {body.sql})", array_of(body.type), array, body)


@function("filter")
def _filter(call: FunctionCall) -> Expr:
    call.need(2)
    array = call.array()
    head, body = call.lambda_(1, [array.type.element])
    test = boolean(body, "the condition")
    return derived(f"list_filter({array.sql}, {head} {test.sql})", array.type, array, test)


@function("any_match", "all_match", "none_match")
def _match(call: FunctionCall) -> Expr:
    """With three values: a NULL verdict leaves the answer open unless another element settles it."""
    call.need(2)
    array = call.array()
    head, body = call.lambda_(1, [array.type.element])
    verdicts = f"list_transform({array.sql}, {head} {boolean(body, 'the condition').sql})"
    settles = "false" if call.name == "all_match" else "true"
    met = "true" if call.name == "any_match" else "false"
    other = "false" if met == "true" else "true"
    open_ = "len(list_filter(e, lambda v: v IS NULL)) > 0"
    sql = let(
        "e", verdicts, f"CASE WHEN list_contains(e, {settles}) THEN {met} WHEN {open_} THEN NULL ELSE {other} END"
    )
    return derived(f"(CASE WHEN {array.sql} IS NOT NULL THEN {sql} END)", BOOLEAN, array, body)


@function("reduce")
def _reduce(call: FunctionCall) -> Expr:
    """The state has the type of the step's result, as Trino infers it."""
    call.need(4)
    array, start = call.array(), call.arg(1)
    head, step = call.lambda_(2, [start.type, array.type.element])
    kind = common(start.type, step.type) or step.type
    if kind != start.type:
        head, step = call.lambda_(2, [kind, array.type.element])
    state, item = head.removeprefix("lambda ").removesuffix(":").split(", ")
    result_head, result = call.lambda_(3, [kind])
    # list_reduce folds values of one type, so state and items travel in one struct, each with the other half NULL.
    nothing = f"CAST(NULL AS {duck(array.type.element)})"
    opening = f"[struct_pack(s := {cast(start, kind).sql}, i := {nothing})]"
    items = f"list_transform({array.sql}, lambda x: struct_pack(s := CAST(NULL AS {duck(kind)}), i := x))"
    a, b = "a", "b"
    bound = let(state, f"struct_extract({a}, 's')", let(item, f"struct_extract({b}, 'i')", cast(step, kind).sql))
    folded = f"list_reduce(list_concat({opening}, {items}), lambda {a}, {b}: struct_pack(s := {bound}, i := {nothing}))"
    final = f"list_transform([struct_extract({folded}, 's')], {result_head} {result.sql})"
    sql = f"(CASE WHEN {array.sql} IS NOT NULL THEN list_extract({final}, 1) END)"
    return derived(sql, result.type, array, start, step, result)


@function("array_sort")
def _sort(call: FunctionCall) -> Expr:
    call.need(1, 2)
    array = call.array()
    if len(call) == 2:
        return _sorted_by(call, array)
    if not is_orderable(array.type.element):
        raise Refusal(f"{array.type.element} values have no order here")
    return derived(f"list_sort({array.sql}, 'ASC', 'NULLS LAST')", array.type, array)


def _sorted_by(call: FunctionCall, array: Expr) -> Expr:
    """Element after element is put behind those that do not come after it: what any stable sort gives, while the lambda
    says the same of two elements whichever comes first, and nothing that contradicts itself. Else it fails, as it may where
    Trino happens not to compare two elements of which the lambda says nothing."""
    if call.scope.trying:
        raise Refusal("array_sort with a lambda does not stand inside TRY here", "Put TRY inside of the lambda.")
    packed, body = call.unpacked(1, {"a": array.type.element, "b": array.type.element})
    if body.type not in (INTEGER, UNKNOWN):
        raise Refusal(f"the lambda of array_sort gives an integer, not {body.type}")
    order = cast(body, INTEGER)
    new = "list_extract(n, 1)"
    pairs = f"[struct_pack(a := x, b := {new}), struct_pack(a := {new}, b := x)]"
    odd = "coalesce(list_extract(w, 1) NOT IN (-1, 0, 1) OR list_extract(w, 1) <> -list_extract(w, 2), true)"
    message = "an order of array_sort that is not -1, 0 or 1, or another for the same elements the other way round,"
    before = require_sure(odd, message, "list_extract(w, 1) <= 0", BOOLEAN)
    before = let("w", f"list_transform({pairs}, lambda {packed}: {order.sql})", before)
    place = "coalesce(nullif(list_position(y, false), 0) - 1, len(y))"
    put = "list_concat(list_concat(list_slice(m, 1, q), n), list_slice(m, q + 1, len(m)))"
    mixed = "len(list_filter(y, lambda v: v)) <> q"
    put = require_sure(mixed, "an order of array_sort that contradicts itself", put, array.type)
    step = let("y", f"list_transform(m, lambda x: {before})", let("q", place, put))
    items = f"list_transform({array.sql}, lambda x: [x])"
    sql = f"list_reduce({items}, lambda m, n: {step}, CAST([] AS {duck(array.type)}))"
    return derived(sql, array.type, array, order)


@function("zip_with")
def _zip_with(call: FunctionCall) -> Expr:
    call.need(3)
    one, other = call.array(0), call.array(1)
    head, body = call.lambda_(2, [one.type.element, other.type.element])
    first, second = head.removeprefix("lambda ").removesuffix(":").split(", ")
    longest = f"greatest(len({one.sql}), len({other.sql}))"
    pairs = f"list_transform(range(1, {longest} + 1), lambda i: struct_pack(a := list_extract({one.sql}, i), b := list_extract({other.sql}, i)))"
    inner = let(first, "struct_extract(z, 'a')", let(second, "struct_extract(z, 'b')", body.sql))
    sql = f"list_transform({pairs}, lambda z: {inner})"
    known = f"{one.sql} IS NOT NULL AND {other.sql} IS NOT NULL"
    return derived(f"(CASE WHEN {known} THEN {sql} END)", array_of(body.type), one, other, body)
