"""Functions that search texts by regular expressions. Patterns are literals, because what must be checked cannot be a value."""

from __future__ import annotations

import re

from sqlglot import exp

from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_int, constant_text, derived, let, require, require_sure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.functions.collections import has_null
from crosstrail.engines.sql.patterns import ODD_LETTERS, NotInRe2, Pattern
from crosstrail.engines.sql.types import BIGINT, BOOLEAN, INTEGER, VARCHAR, array_of
from crosstrail.lake.reader import quoted


def _pattern(call: FunctionCall, index: int = 1) -> Pattern:
    text = constant_text(coerce(call.arg(index), VARCHAR), "a regular expression")
    try:
        return Pattern(text)
    except NotInRe2:
        if not call.compiler.elsewhere:
            raise
        return Pattern("(x)" * 9)  # not run here; the groups that it has are for that engine to count


def _subject(call: FunctionCall, pattern: Pattern) -> Expr:
    """The text to search. Without regard to case, a text with letters that fold into others or into several fails; so does
    one with letters beyond ASCII where the pattern asks for the bounds of words."""
    text = coerce(call.arg(0), VARCHAR)
    if pattern.bounds:
        odd = f"regexp_matches(regexp_replace({text.sql}, '[\\x00-\\x7F]+', '', 'g'), '[\\p{{L}}\\p{{M}}\\p{{N}}\\p{{Pc}}]')"
        message = "a text with letters beyond ASCII, searched for the bounds of words"
        text = derived(require_sure(odd, message, text.sql, VARCHAR), VARCHAR, text)
    if not pattern.folds:
        return text
    message = "a text with a letter whose cases differ between engines, searched without regard to case"
    return derived(
        require_sure(f"regexp_matches({text.sql}, '{ODD_LETTERS}')", message, text.sql, VARCHAR), VARCHAR, text
    )


@function("regexp_like")
def _like(call: FunctionCall) -> Expr:
    call.need(2)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    return derived(f"regexp_matches({text.sql}, {pattern.sql})", BOOLEAN, text)


@function("regexp_extract", "regexp_extract_all")
def _extract(call: FunctionCall) -> Expr:
    call.need(2, 3)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    group = constant_int(call.arg(2), "the group") if len(call) == 3 else 0
    if not 0 <= group <= pattern.groups:
        raise Refusal(f"this pattern has {pattern.groups} groups")
    if group in pattern.optional:
        raise Refusal("this group may take no part in a match", "Put the optional part outside the group.")
    if call.name == "regexp_extract" and group == 0 and (before := pattern.before_end()):
        sql = f"regexp_extract({text.sql}, {before}, 1)"
        return derived(f"(CASE WHEN regexp_matches({text.sql}, {before}) THEN {sql} END)", VARCHAR, text)
    _need_no_break(pattern, group)
    if call.name == "regexp_extract_all":
        pattern.need_something()
        return derived(f"regexp_extract_all({text.sql}, {pattern.sql}, {group})", array_of(VARCHAR), text)
    sql = f"regexp_extract({text.sql}, {pattern.sql}, {group})"
    return derived(f"(CASE WHEN regexp_matches({text.sql}, {pattern.sql}) THEN {sql} END)", VARCHAR, text)


def _need_no_break(pattern: Pattern, group: int = 0) -> None:
    """Refuses `$` where the match itself is wanted: RE2 would hand over a last line break with it."""
    if pattern.ends and group == 0:
        raise Refusal("$ is not supported here", "Take the wanted part with a group, or use regexp_like.")


@function("regexp_replace")
def _replace(call: FunctionCall) -> Expr:
    call.need(2, 3)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    pattern.need_something()
    _need_no_break(pattern)
    if len(call) == 3 and isinstance(call.nodes[2], exp.Lambda):
        return _replaced_by(call, pattern, text)
    written = constant_text(coerce(call.arg(2), VARCHAR), "the replacement") if len(call) == 3 else ""
    out, place = [], 0
    while place < len(written):
        char = written[place]
        if char == "$":
            found = re.match(r"\$(\d)", written[place:])
            if not found or int(found[1]) > pattern.groups:
                raise Refusal("a replacement names groups as $1 to $9")
            out.append(f"\\{found[1]}")
            place += 2
            continue
        if char == "\\":
            place += 1
            char = written[place : place + 1]
        out.append("\\\\" if char == "\\" else char)
        place += 1
    return derived(f"regexp_replace({text.sql}, {pattern.sql}, {quoted(''.join(out))}, 'g')", VARCHAR, text)


def _matches(text: Expr, pattern: Pattern, groups: int = 0) -> str:
    """SQL for a struct: the matches `m`, what stands between them `b`, and of each match the group `g1` and so on."""
    parts = [f"g{group} := regexp_extract_all({text.sql}, {pattern.sql}, {group})" for group in range(1, groups + 1)]
    parts.append(f"b := regexp_split_to_array({text.sql}, {pattern.sql})")
    return f"struct_pack(m := regexp_extract_all({text.sql}, {pattern.sql}), {', '.join(parts)})"


def _replaced_by(call: FunctionCall, pattern: Pattern, text: Expr) -> Expr:
    """Each match replaced by what a lambda makes of its groups."""
    head, body = call.lambda_(2, [array_of(VARCHAR)])
    if body.type != VARCHAR:
        raise Refusal(f"the lambda of regexp_replace gives a varchar, not {body.type}")
    found, between, matches = "f", "struct_extract(f, 'b')", "struct_extract(f, 'm')"
    groups = ", ".join(f"list_extract(struct_extract(f, 'g{group}'), i)" for group in range(1, pattern.groups + 1))
    each = f"list_transform(range(1, len({matches}) + 1), lambda i: CAST([{groups}] AS VARCHAR[]))"
    new = f"list_transform({each}, {head} {body.sql})"
    joined = f"array_to_string(list_transform({between}, lambda t, i: t || coalesce(list_extract(n, i), '')), '')"
    sql = let(
        found,
        _matches(text, pattern, pattern.groups),
        let("n", new, f"CASE WHEN NOT {has_null('n')} THEN {joined} END"),
    )
    return derived(f"(CASE WHEN {text.sql} IS NOT NULL THEN {sql} END)", VARCHAR, text, body)


@function("regexp_position")
def _position(call: FunctionCall) -> Expr:
    """Where a match begins, counted from 1, looked for from a place on; -1 without one."""
    call.need(2, 4)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    pattern.need_something()
    start, which = (
        coerce(call.arg(place), INTEGER) if len(call) > place else Expr("1", INTEGER, value=1) for place in (2, 3)
    )
    if start.value != 1 and (pattern.starts or pattern.bounds):
        raise Refusal("a pattern with ^ or \\b is searched from the beginning here", "Leave out the start.")
    searched = (
        text if start.value == 1 else derived(f"substr({text.sql}, greatest({start.sql}, 1))", VARCHAR, text, start)
    )
    matches, between = "struct_extract(f, 'm')", "struct_extract(f, 'b')"
    before = (
        f"length(array_to_string(list_slice({between}, 1, {which.sql}), ''))"
        f" + length(array_to_string(list_slice({matches}, 1, {which.sql} - 1), ''))"
    )
    place = f"CASE WHEN len({matches}) < {which.sql} THEN -1 ELSE CAST({start.sql} + {before} AS INTEGER) END"
    sql = let("f", _matches(searched, pattern), place)
    sql = require(f"{start.sql} < 1 OR {which.sql} < 1", "a start or an occurrence is smaller than 1", sql, INTEGER)
    known = " AND ".join(f"{each.sql} IS NOT NULL" for each in (text, start, which))
    return derived(f"(CASE WHEN {known} THEN {sql} END)", INTEGER, text, start, which)


@function("regexp_split")
def _split(call: FunctionCall) -> Expr:
    call.need(2)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    pattern.need_something()
    _need_no_break(pattern)
    return derived(f"regexp_split_to_array({text.sql}, {pattern.sql})", array_of(VARCHAR), text)


@function("regexp_count")
def _count(call: FunctionCall) -> Expr:
    call.need(2)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    pattern.need_something()
    return derived(f"CAST(len(regexp_extract_all({text.sql}, {pattern.sql})) AS BIGINT)", BIGINT, text)
