"""Functions of arrays that take a lambda."""

from __future__ import annotations

from crosstrail.engines.sql.casts import cast
from crosstrail.engines.sql.expr import Expr, boolean, derived, let
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.types import BOOLEAN, array_of, common, duck


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
