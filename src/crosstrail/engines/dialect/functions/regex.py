"""Functions of regular expressions. What a pattern means is decided in patterns.py; patterns are literals, because what
must be checked cannot be a value."""

from __future__ import annotations

import re
from collections.abc import Callable

from crosstrail.engines.dialect.casts import coerce
from crosstrail.engines.dialect.expr import Expr, Refusal, constant_int, constant_text, derived, let
from crosstrail.engines.dialect.patterns import INSTEAD, MARK, WORD, Pattern
from crosstrail.engines.dialect.registry import Call, function
from crosstrail.engines.dialect.types import BIGINT, BOOLEAN, VARCHAR, Type, array_of
from crosstrail.lake.reader import quoted

_MARKED_END = (r"(\n?\z)", r"\x{FDD0}*(\n?\z)")
_SHORT = 200
"""An expression up to this length is written where it is needed; a longer one is given a name."""


def _pattern(call: Call) -> Pattern:
    return Pattern(constant_text(coerce(call.arg(1), VARCHAR), "a regular expression"))


def _searched(call: Call, pattern: Pattern, kind: Type, write: Callable[[str, bool], str]) -> Expr:
    """What `write` makes of the SQL of a text and whether it has marks (see patterns.MARK), given the text once."""
    text = coerce(call.arg(0), VARCHAR)
    once = not pattern.boundaries and call.name != "regexp_extract"
    name = text.sql if once or len(text.sql) <= _SHORT else call.compiler.name("p")
    body = write(name, False)
    if pattern.boundaries:
        ends = quoted(f"{MARK}{MARK}\\1{MARK}{MARK}")
        words = f"regexp_replace(replace({name}, '{MARK}', '{INSTEAD}'), '([{WORD}]+)', {ends}, 'g')"
        marked = call.compiler.name("p")
        beyond = _unmarked(let(marked, words, write(marked, True)), kind)
        body = rf"(CASE WHEN regexp_matches({name}, '[^\x00-\x7F]') THEN {beyond} ELSE {body} END)"
    return derived(body if name is text.sql else let(name, text.sql, body), kind, text)


def _unmarked(sql: str, kind: Type) -> str:
    if kind == VARCHAR:
        return f"replace({sql}, '{MARK}', '')"
    return f"list_transform({sql}, lambda m: replace(m, '{MARK}', ''))" if kind.name == "array" else sql


def _sql(pattern: Pattern, marked: bool) -> str:
    return quoted(pattern.marked if marked else pattern.plain)


@function("regexp_like")
def _like(call: Call) -> Expr:
    call.need(2)
    pattern = _pattern(call)
    return _searched(call, pattern, BOOLEAN, lambda text, marked: f"regexp_matches({text}, {_sql(pattern, marked)})")


@function("regexp_extract", "regexp_extract_all")
def _extract(call: Call) -> Expr:
    call.need(2, 3)
    pattern = _pattern(call)
    group = constant_int(call.arg(2), "the group") if len(call) == 3 else 0
    if not 0 <= group <= pattern.groups:
        raise Refusal(f"this pattern has {pattern.groups} groups")
    if group in pattern.optional:
        raise Refusal("this group may take no part in a match", "Put the optional part outside the group.")
    if call.name == "regexp_extract_all":
        _need_something(pattern)
    before = pattern.split_end() if group == 0 else None
    if pattern.ends and not group and (before is None or (call.name == "regexp_extract_all" and pattern.breaks)):
        raise Refusal("$ is not supported here", "Take the wanted part with a group, or use regexp_like.")

    def write(text: str, marked: bool) -> str:
        sql, wanted = _sql(pattern, marked), group
        if before:
            sql, wanted = quoted(f"({before[marked]}){_MARKED_END[marked]}"), 1
        if call.name == "regexp_extract_all":
            return f"regexp_extract_all({text}, {sql}, {wanted})"
        return f"(CASE WHEN regexp_matches({text}, {sql}) THEN regexp_extract({text}, {sql}, {wanted}) END)"

    return _searched(call, pattern, array_of(VARCHAR) if call.name == "regexp_extract_all" else VARCHAR, write)


def _need_something(pattern: Pattern) -> None:
    """Refuses a pattern that may match the empty text: the two engines go on differently after such a match."""
    if pattern.empty:
        raise Refusal("a pattern that matches the empty text is not supported here")


def _need_plain_end(pattern: Pattern) -> tuple[str, str] | None:
    """Of a pattern with one `$` at its end, what stands before it. Refuses `$` where a line break at the end of a text
    might be a match of its own."""
    before = pattern.split_end()
    if pattern.ends and (before is None or pattern.breaks):
        raise Refusal("$ is not supported here", "Use it after what matches no line break, or use regexp_like.")
    return before


@function("regexp_replace")
def _replace(call: Call) -> Expr:
    call.need(2, 3)
    pattern = _pattern(call)
    _need_something(pattern)
    before = _need_plain_end(pattern)
    written = constant_text(coerce(call.arg(2), VARCHAR), "the replacement") if len(call) == 3 else ""
    by = _replacement(written, pattern)
    if before:
        if pattern.groups > 8:
            raise Refusal("with $, a pattern to replace has at most 8 groups here")
        by += f"\\{pattern.groups + 1}"

    def write(text: str, marked: bool) -> str:
        sql = quoted(before[marked] + _MARKED_END[marked]) if before else _sql(pattern, marked)
        return f"regexp_replace({text}, {sql}, {quoted(by)}, 'g')"

    return _searched(call, pattern, VARCHAR, write)


def _replacement(written: str, pattern: Pattern) -> str:
    """RE2's form of a replacement: groups as `$1` become `\\1`."""
    out, place = [], 0
    while place < len(written):
        char = written[place]
        if char == "$":
            found = re.compile(r"\$(\d)").match(written, place)
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
    return "".join(out)


@function("regexp_split")
def _split(call: Call) -> Expr:
    call.need(2)
    pattern = _pattern(call)
    _need_something(pattern)
    if pattern.ends:
        raise Refusal("$ is not supported here")
    return _searched(
        call,
        pattern,
        array_of(VARCHAR),
        lambda text, marked: f"regexp_split_to_array({text}, {_sql(pattern, marked)})",
    )


@function("regexp_count")
def _count(call: Call) -> Expr:
    call.need(2)
    pattern = _pattern(call)
    _need_something(pattern)
    if pattern.ends and pattern.breaks:
        raise Refusal("$ is not supported here")
    return _searched(
        call,
        pattern,
        BIGINT,
        lambda text, marked: f"CAST(len(regexp_extract_all({text}, {_sql(pattern, marked)})) AS BIGINT)",
    )
