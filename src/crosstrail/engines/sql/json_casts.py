"""json as a type: CAST to it and from it.

Decides how values are written as JSON, with sorted keys and Trino's numbers, and what JSON may become. JSON text is held
canonical (no spaces, json_parse sorts keys), so that equal values are equal texts.
"""

from __future__ import annotations

from crosstrail.engines.sql.expr import Expr, Refusal, derived, failure, let, require, unsure
from crosstrail.engines.sql.scalar_casts import cast_scalar, double_text
from crosstrail.engines.sql.types import BOOLEAN, DOUBLE, JSON, VARCHAR, Type, duck, is_integer
from crosstrail.lake.reader import quoted


def to_json(expr: Expr) -> Expr:
    """CAST(x AS json)."""
    text = _written(expr.sql, expr.type)
    if _holds(expr.type, "map"):  # Java orders letters beyond the Basic Multilingual Plane before U+E000
        odd = unsure("a map with such letters in its keys, whose order as JSON", VARCHAR)
        both = f"regexp_matches({_TEXT}, '\\\\u[dD][89abAB]') AND regexp_matches({_TEXT}, '[\\x{{E000}}-\\x{{FFFF}}]')"
        text = let(_TEXT, text, f"CASE WHEN {both} THEN {odd} ELSE {_TEXT} END")
    return derived(f"CAST({text} AS JSON)", JSON, expr)


def _holds(kind: Type, name: str) -> bool:
    return kind.name == name or any(_holds(part, name) for part in kind.args)


def escaped(text: str) -> str:
    """SQL for a JSON text in which letters beyond the Basic Multilingual Plane are two escapes."""
    units = "55296 + ((unicode(c) - 65536) >> 10), 56320 + ((unicode(c) - 65536) & 1023)"
    letter = f"CASE WHEN unicode(c) > 65535 THEN printf('\\u%04X\\u%04X', {units}) ELSE c END"
    letters = f"array_to_string(list_transform(regexp_extract_all({_TEXT}, '(?s).'), lambda c: {letter}), '')"
    beyond = f"regexp_matches({_TEXT}, '[\\x{{10000}}-\\x{{10FFFF}}]')"
    return let(_TEXT, text, f"CASE WHEN {beyond} THEN {letters} ELSE {_TEXT} END")


_TEXT = "jt"
"""Names a JSON text that is read more than once."""


def _written(sql: str, kind: Type) -> str:
    """SQL for the JSON text of a value; NULL for NULL."""
    if kind == JSON:
        return f"CAST({sql} AS VARCHAR)"
    if kind == BOOLEAN or is_integer(kind) or kind.name == "decimal":
        return f"CAST({sql} AS VARCHAR)"
    if kind == VARCHAR:
        return _quoted(sql)
    if kind.name in ("date", "timestamp"):
        return f"('\"' || {cast_scalar(Expr(sql, kind), VARCHAR).sql} || '\"')"
    if kind.name == "array":
        items = f"list_transform({sql}, lambda v: coalesce({_written('v', kind.element)}, 'null'))"
        return f"('[' || array_to_string({items}, ',') || ']')"
    if kind.name == "map" and kind.args[0] == VARCHAR:
        entry = f"{_quoted(_KEY)} || ':' || coalesce({_written(_VALUE, kind.args[1])}, 'null')"
        entries = f"list_transform(list_sort(map_entries({sql})), lambda e: {entry})"
        return f"('{{' || array_to_string({entries}, ',') || '}}')"
    if kind.name == "row":
        parts = []
        for key, name, part in zip(kind.keys, kind.fields, kind.args, strict=True):
            label = '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''") + '":'
            parts.append(
                f"'{label}' || coalesce({_written(f'struct_extract({sql}, {chr(39)}{key}{chr(39)})', part)}, 'null')"
            )
        body = " || ',' || ".join(parts)
        return f"(CASE WHEN {sql} IS NOT NULL THEN '{{' || {body} || '}}' END)"
    raise Refusal(f"there is no cast from {kind} to json here")


_KEY = "struct_extract(e, 'key')"
_VALUE = "struct_extract(e, 'value')"
_SURROGATES = "printf('\\u%04X\\u%04X', 55296 + ((unicode(c) - 65536) >> 10), 56320 + ((unicode(c) - 65536) & 1023))"


def _quoted(text: str) -> str:
    """A text as a JSON string. Java writes what lies beyond 16 bits, emoji, as two escapes."""
    plain = f"CAST(to_json({text}) AS VARCHAR)"
    letter = f"CASE WHEN unicode(c) > 65535 THEN {_SURROGATES} ELSE c END"
    escaped = f"array_to_string(list_transform(regexp_extract_all({plain}, '(?s).'), lambda c: {letter}), '')"
    return f"(CASE WHEN strlen({text}) = length({text}) THEN {plain} ELSE {escaped} END)"


def from_json(expr: Expr, target: Type, *, sorted_keys: bool = False) -> Expr:
    """CAST(json AS target); JSON null is NULL. With `sorted_keys` maps get their keys in order, as json_parse leaves them."""
    return derived(_read(f"CAST({expr.sql} AS JSON)", target, sorted_keys), target, expr)


def _read(sql: str, target: Type, sorted_keys: bool) -> str:
    kind = f"json_type({sql})"
    text = f"json_extract_string({sql}, '$')"
    null = f"WHEN {sql} IS NULL OR {kind} = 'NULL' THEN NULL"
    if target == JSON:
        return sql
    if target.name in ("array", "map", "row"):
        return f"(CASE {null} ELSE {_container(sql, kind, target, sorted_keys)} END)"
    if target == VARCHAR:
        bad = f"WHEN {kind} IN ('OBJECT', 'ARRAY') THEN {failure('an object or array cannot be cast to varchar; use json_format', target)}"
        return f"(CASE {null} {bad} WHEN {kind} = 'DOUBLE' THEN {double_text(f'TRY_CAST({text} AS DOUBLE)')} ELSE {text} END)"
    if target in (BOOLEAN, DOUBLE) or is_integer(target):
        bad = f"WHEN {kind} IN ('OBJECT', 'ARRAY') THEN {failure(f'JSON that is no {target}', target)}"
        as_bool = f"WHEN {kind} = 'BOOLEAN' THEN CAST(TRY_CAST({text} AS BOOLEAN) AS {duck(target)})"
        number = cast_scalar(Expr(f"TRY_CAST({text} AS DOUBLE)", DOUBLE), target).sql
        numeric = f"WHEN {kind} = 'DOUBLE' THEN {number}"
        if target == BOOLEAN:
            numeric = f"WHEN {kind} IN ('DOUBLE', 'UBIGINT', 'BIGINT') THEN TRY_CAST({text} AS DOUBLE) <> 0"
        return f"(CASE {null} {bad} {as_bool} {numeric} ELSE {cast_scalar(Expr(text, VARCHAR), target).sql} END)"
    raise Refusal(f"there is no cast from json to {target} here", "Cast to varchar first.")


def _container(sql: str, kind: str, target: Type, sorted_keys: bool) -> str:
    if target.name == "array":
        items = f"list_transform(CAST({sql} AS JSON[]), lambda j: {_read('j', target.element, sorted_keys)})"
        return require(f"{kind} <> 'ARRAY'", "JSON that is no array", items, target)
    if target.name == "map" and target.args[0] == VARCHAR:
        value = _read("struct_extract(e, 'value')", target.args[1], sorted_keys)
        pairs = f"map_entries(CAST({sql} AS MAP(VARCHAR, JSON)))"
        pairs = f"list_sort({pairs})" if sorted_keys else pairs
        pack = f"struct_pack(k := struct_extract(e, 'key'), v := {value})"
        built = f"map_from_entries(list_transform({pairs}, lambda e: {pack}))"
        return require(f"{kind} <> 'OBJECT'", "JSON that is no object", built, target)
    if target.name == "row":
        by_name, by_place = [], []
        for place, (key, name, part) in enumerate(zip(target.keys, target.fields, target.args, strict=True)):
            same = f"list_filter(json_keys({sql}), lambda k: lower(k) = {quoted(name.lower())})"
            step = f"replace(replace(list_extract({same}, 1), '~', '~0'), '/', '~1')"
            by_name.append(
                f"{key} := {_read(f'json_extract({sql}, {chr(39)}/{chr(39)} || {step})', part, sorted_keys)}"
            )
            by_place.append(f"{key} := {_read(f'json_extract({sql}, {chr(39)}/{place}{chr(39)})', part, sorted_keys)}")
        packed = f"(CASE WHEN {kind} = 'OBJECT' THEN struct_pack({', '.join(by_name)}) ELSE struct_pack({', '.join(by_place)}) END)"
        return require(f"{kind} NOT IN ('OBJECT', 'ARRAY')", "JSON that is no row", packed, target)
    raise Refusal(f"there is no cast from json to {target} here")
