"""Strings: positions count code points from 1, as in Trino."""

from __future__ import annotations

from crosstrail.engines.sql.casts import BY_KEY, coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived, let, require, require_sure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.functions.maps import multimap
from crosstrail.engines.sql.types import BIGINT, BOOLEAN, UNKNOWN, VARBINARY, VARCHAR, array_of, map_of
from crosstrail.lake.reader import quoted

_EMPTY = "the delimiter may not be the empty string"
# What Trino trims: Unicode white space without no-break spaces.
_SPACES = (
    "(chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(28) || chr(29) || chr(30) || chr(31) || ' ' || chr(5760) || chr(8192) || "
    "chr(8193) || chr(8194) || chr(8195) || chr(8196) || chr(8197) || chr(8198) || chr(8200) || chr(8201) || chr(8202) || "
    "chr(8232) || chr(8233) || chr(8287) || chr(12288))"
)


@function("reverse")
def _reverse(call: FunctionCall) -> Expr:
    call.need(1)
    value = call.typed()
    if value.type.name == "array":
        return derived(f"list_reverse({value.sql})", value.type, value)
    value = coerce(value, VARCHAR)
    # DuckDB's reverse() keeps letters and their accents together; Trino turns code points around.
    points = f"regexp_extract_all({value.sql}, '(?s).')"
    return derived(f"array_to_string(list_reverse({points}), '')", VARCHAR, value)


@function("replace")
def _replace(call: FunctionCall) -> Expr:
    call.need(2, 3)
    parts = [coerce(arg, VARCHAR) for arg in call.args()]
    search, by = parts[1], parts[2].sql if len(parts) == 3 else "''"
    large = f"length({parts[0].sql}) * length({by}) > 100000000"
    # The text is cut inside too: one call cannot be interrupted, and constants are computed before a CASE.
    sql = f"replace((CASE WHEN {large} THEN '' ELSE {parts[0].sql} END), {search.sql}, {by})"
    sql = require_sure(large, "texts of such a length", sql, VARCHAR)
    if search.value == "":
        raise Refusal("replace needs a text to look for")
    if search.value is None:
        sql = require(f"{search.sql} = ''", "replace needs a text to look for", sql, VARCHAR)
    return derived(sql, VARCHAR, *parts)


def substring(parts: list[Expr]) -> Expr:
    """From a place counted from 1, or from the end when negative; place 0 and places outside give ''."""
    if not 2 <= len(parts) <= 3:
        raise Refusal("substring takes a text, a start and perhaps a length")
    if parts[0].type == VARBINARY:
        raise Refusal("substring takes no varbinary here", "Use from_utf8 first.")
    if parts[0].type == UNKNOWN:
        raise Refusal("substring of NULL needs a type", "Write CAST(NULL AS varchar).")
    text, start = coerce(parts[0], VARCHAR), coerce(parts[1], BIGINT)
    length = coerce(parts[2], BIGINT).sql if len(parts) == 3 else f"length({text.sql})"
    if isinstance(start.value, int) and start.value > 0:
        sql = f"substr({text.sql}, {start.sql}, greatest({length}, 0))"
    else:
        first = f"(CASE WHEN {start.sql} < 0 THEN length({text.sql}) + {start.sql} + 1 ELSE {start.sql} END)"
        sql = f"(CASE WHEN {first} < 1 THEN '' ELSE substr({text.sql}, {first}, greatest({length}, 0)) END)"
    if len(parts) == 3 and not isinstance(parts[2].value, int):
        sql = f"(CASE WHEN {length} IS NOT NULL THEN {sql} END)"
    missing = "" if isinstance(start.value, int) else f" AND {start.sql} IS NOT NULL"
    return derived(f"(CASE WHEN {text.sql} IS NOT NULL{missing} THEN {sql} END)", VARCHAR, *parts)


@function("substr", "substring")
def _substr(call: FunctionCall) -> Expr:
    return substring(call.args())


def trim(side: str, text: Expr, chars: Expr | None = None) -> Expr:
    """`side` is BOTH, LEADING or TRAILING."""
    text = coerce(text, VARCHAR)
    name = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[side]
    if chars is None:
        return derived(f"{name}({text.sql}, {_SPACES})", VARCHAR, text)
    chars = coerce(chars, VARCHAR)
    return derived(f"{name}({text.sql}, {chars.sql})", VARCHAR, text, chars)


@function("ltrim", "rtrim")
def _trim(call: FunctionCall) -> Expr:
    call.need(1, 2)
    return trim("LEADING" if call.name == "ltrim" else "TRAILING", *call.args())


@function("concat")
def _concat(call: FunctionCall) -> Expr:
    from crosstrail.engines.sql.operators import concatenate

    call.need(2, 200)
    result = call.arg(0)
    for part in call.args()[1:]:
        result = concatenate(result, part)
    return result


@function("concat_ws")
def _concat_ws(call: FunctionCall) -> Expr:
    call.need(2, 200)
    separator, rest = coerce(call.arg(0), VARCHAR), call.args()[1:]
    if len(rest) == 1 and rest[0].type.name == "array":
        items = coerce(rest[0], array_of(VARCHAR)).sql
    else:
        items = f"[{', '.join(coerce(part, VARCHAR).sql for part in rest)}]"
    sql = f"(CASE WHEN {separator.sql} IS NOT NULL AND {items} IS NOT NULL THEN coalesce(array_to_string({items}, {separator.sql}), '') END)"
    return derived(sql, VARCHAR, separator, *rest)


@function("lpad", "rpad")
def _pad(call: FunctionCall) -> Expr:
    call.need(3)
    text, size, by = coerce(call.arg(0), VARCHAR), coerce(call.arg(1), BIGINT), coerce(call.arg(2), VARCHAR)
    bad = f"{size.sql} < 0 OR {size.sql} > 1000000 OR {by.sql} = ''"
    # The size is cut once more inside: DuckDB computes constants before it looks at a CASE.
    sql = f"{call.name}({text.sql}, CAST(CASE WHEN {bad} THEN 0 ELSE {size.sql} END AS INTEGER), {by.sql})"
    return derived(require(bad, "the size or the padding is out of range", sql, VARCHAR), VARCHAR, text, size, by)


@function("split")
def _split(call: FunctionCall) -> Expr:
    call.need(2, 3)
    text, by = coerce(call.arg(0), VARCHAR), coerce(call.arg(1), VARCHAR)
    parts = f"string_split({text.sql}, {by.sql})"
    if len(call) == 3:
        limit = coerce(call.arg(2), BIGINT)
        rest = f"array_to_string({parts}[{limit.sql}:], {by.sql})"
        limited = f"(CASE WHEN len({parts}) <= {limit.sql} THEN {parts} ELSE list_append({parts}[:{limit.sql} - 1], {rest}) END)"
        parts = require(f"{limit.sql} < 1", "the limit must be positive", limited, array_of(VARCHAR))
    sql = require(f"{by.sql} = ''", _EMPTY, parts, array_of(VARCHAR)) if not by.value else parts
    return derived(f"(CASE WHEN {text.sql} IS NOT NULL THEN {sql} END)", array_of(VARCHAR), *call.args())


@function("split_to_map", "split_to_multimap")
def _split_to_map(call: FunctionCall) -> Expr:
    call.need(3)
    text = coerce(call.arg(0), VARCHAR)
    entries, pair = (constant_text(call.arg(index), "a delimiter") for index in (1, 2))
    if not entries or not pair or entries == pair:
        raise Refusal(f"{call.name} takes two different delimiters")
    between = quoted(pair)
    parts = let(  # without what follows a last delimiter
        "l",
        f"string_split({text.sql}, {quoted(entries)})",
        "list_slice(l, 1, len(l) - CAST(list_extract(l, -1) = '' AS INTEGER))",
    )
    bad = f"len(list_filter({parts}, lambda e: len(string_split(e, {between})) <> 2)) > 0"
    key, value = (f"split_part({{}}, {between.replace('{', '{{').replace('}', '}}')}, {place})" for place in (1, 2))
    pack = f"struct_pack(k := {key.format('e')}, v := {value.format('e')})"
    if call.name == "split_to_multimap":
        kind, made = map_of(VARCHAR, array_of(VARCHAR)), multimap(parts, key, value)
    else:
        kind, made = map_of(VARCHAR, VARCHAR), f"map_from_entries(list_transform({parts}, lambda e: {pack}))"
    return derived(require(bad, "an entry has not exactly one delimiter", made, kind), kind, text)


def like(text: Expr, pattern: Expr, escape: Expr | None) -> Expr:
    """LIKE; without ESCAPE no character escapes."""
    if UNKNOWN in (text.type, pattern.type):
        return Expr("CAST(NULL AS BOOLEAN)", BOOLEAN)
    if text.type != VARCHAR:
        hint = BY_KEY if text.type.name == "map" else "CAST(x AS varchar) makes a text of it."
        raise Refusal(f"LIKE takes a varchar, not {text.type}", hint)
    pattern = coerce(pattern, VARCHAR)
    if escape is None:
        return derived(f"({text.sql} LIKE {pattern.sql})", BOOLEAN, text, pattern)
    mark, written = constant_text(escape, "ESCAPE"), constant_text(pattern, "a LIKE pattern with ESCAPE")
    if len(mark) != 1:
        raise Refusal("ESCAPE takes one character")
    place = 0
    while place < len(written):
        if written[place] == mark:
            if written[place + 1 : place + 2] not in ("%", "_", mark) or place + 1 >= len(written):
                raise Refusal("the escape character must stand before %, _ or itself")
            place += 1
        place += 1
    return derived(f"({text.sql} LIKE {pattern.sql} ESCAPE {quoted(mark)})", BOOLEAN, text, pattern)
