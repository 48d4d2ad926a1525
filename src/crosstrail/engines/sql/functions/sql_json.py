"""SQL/JSON: json_exists, json_value and json_query over text, with paths such as 'lax $.a[*].b'.

Decides what a path may be and what becomes of errors and of nothing found. A path is a list of JSON items under way; NULL in
place of the list stands for an error, in the text or, with `strict`, of the path.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from crosstrail.engines.sql import literals
from crosstrail.engines.sql.casts import cast, coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived, failure, let, require_sure, unsure
from crosstrail.engines.sql.functions.json import CUT_SHORT, JAVA_NUMBER, ODD_NUMBER, without_texts
from crosstrail.engines.sql.json_casts import escaped
from crosstrail.engines.sql.scalar_casts import cast_scalar
from crosstrail.engines.sql.sql_json_syntax import SqlJson
from crosstrail.engines.sql.types import BIGINT, BOOLEAN, DOUBLE, JSON, UNKNOWN, VARCHAR, Type, duck, is_number
from crosstrail.lake.reader import quoted

if TYPE_CHECKING:
    from crosstrail.engines.sql.compiler import Compiler
    from crosstrail.engines.sql.scope import Scope


_STEP = re.compile(
    r"""\s*(?:\.\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|"(?P<quoted>[^"\\]*)"|(?P<values>\*))
      | \[\s*(?:(?P<index>[0-9]{1,9})|(?P<last>last)\s*(?:-\s*(?P<back>[0-9]{1,9}))?|(?P<each>\*))\s*\])""",
    re.VERBOSE | re.ASCII,
)
_BEGINS = r"^\s*([\[{\"]|(-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?|true|false|null)[^0-9A-Za-z.+-])"
"""Of texts that are no JSON as a whole: Trino may find a value in what they begin with."""
_MAX_STEPS = 8
_DEEPEST = 8
"""Levels of objects that are looked through for keys that come twice."""
_NO_NUMBER = r"(?i)nan|inf"


def sql_json(compiler: Compiler, node: SqlJson, scope: Scope) -> Expr:
    name = node.args["name"]
    value = compiler.compile(node.this, scope)
    if value.type not in (VARCHAR, UNKNOWN):
        raise Refusal(f"{name} takes a text, not {value.type}", "Trino has json_extract for json.")
    text = coerce(value, VARCHAR)
    path = constant_text(compiler.compile(node.args["path"], scope), "a JSON path")
    items = _items(f"[{_document(text)}]", path)
    items = f"(CASE WHEN {_document(text)} IS NOT NULL THEN {items} END)"
    make = {"json_exists": _exists, "json_value": _value, "json_query": _query}[name]
    body, kind = make(compiler, node, scope)
    # A list of nothing found is no list of errors: it is bound to a name once.
    return derived(f"(CASE WHEN {text.sql} IS NOT NULL THEN {let('q', items, body)} END)", kind, text)


def _document(text: Expr) -> str:
    """SQL for the JSON of a text; NULL for one that is certainly none."""
    good = f"json_valid({text.sql}) AND NOT (regexp_matches({text.sql}, '{_NO_NUMBER}') AND regexp_matches({without_texts(text.sql)}, '{_NO_NUMBER}'))"
    begins = f"WHEN regexp_matches({text.sql}, {quoted(_BEGINS)}) THEN {unsure(CUT_SHORT, JSON)}"
    begins += f" WHEN regexp_full_match({text.sql}, '\\s*') THEN {unsure('a text of blanks, as JSON', JSON)}"
    return f"(CASE WHEN {good} THEN CAST({text.sql} AS JSON) {begins} END)"


def _items(sql: str, path: str) -> str:
    """SQL for the list of what a path finds."""
    mode, _, rest = path.strip().partition(" ")
    rest = rest.strip()
    if mode not in ("lax", "strict") or not rest.startswith("$"):
        raise Refusal(
            "a path begins with lax $ or strict $", "Write 'lax $.name', 'lax $.list[0]' or 'strict $.list[*].name'."
        )
    place, steps = 1, 0
    while place < len(rest):
        found = _STEP.match(rest, place)
        steps += 1
        if not found or steps > _MAX_STEPS:
            raise Refusal(
                'a path takes up to eight steps .name, ."odd name", .*, [0], [*], [last] and [last - 1] here',
                "Take the rest apart with json_extract.",
            )
        sql = (_lax if mode == "lax" else _strict)(sql, found)
        place = found.end()
    return sql


def _lax(items: str, step: re.Match[str]) -> str:
    """A step that arrays are opened for, single items stand for arrays of one, and that finds nothing where nothing is."""
    if step["each"]:
        return _opened(items)
    if step["index"] or step["last"]:
        only = "j" if not int(step["index"] or step["back"] or 0) else "NULL"
        taken = f"CASE WHEN json_type(j) = 'ARRAY' THEN {_element(step)} ELSE {only} END"
        return _found(f"list_transform({items}, lambda j: {taken})")
    opened = _opened(items)
    if step["values"]:
        return f"flatten(list_transform({opened}, lambda j: json_extract(j, '$.*')))"
    return _found(f"list_transform({opened}, lambda j: {_member(step)})")


def _strict(items: str, step: re.Match[str]) -> str:
    """The same step where anything that is not there is an error."""
    if step["each"] or step["values"]:
        wanted, path = ("ARRAY", "$[*]") if step["each"] else ("OBJECT", "$.*")
        many = (
            f"list_transform({items}, lambda j: CASE WHEN json_type(j) = '{wanted}' THEN json_extract(j, '{path}') END)"
        )
        return _whole(many, "flatten(r)")
    one = (
        f"CASE WHEN json_type(j) = 'ARRAY' THEN {_element(step)} END"
        if step["index"] or step["last"]
        else _member(step)
    )
    return _whole(f"list_transform({items}, lambda j: {one})", "r")


def _whole(results: str, good: str) -> str:
    return let("r", results, f"CASE WHEN len(list_filter(r, lambda v: v IS NULL)) = 0 THEN {good} END")


def _found(results: str) -> str:
    return f"list_filter({results}, lambda v: v IS NOT NULL)"


def _opened(items: str) -> str:
    opened = "CASE WHEN json_type(j) = 'ARRAY' THEN json_extract(j, '$[*]') ELSE [j] END"
    return f"flatten(list_transform({items}, lambda j: {opened}))"


def _element(step: re.Match[str]) -> str:
    place = int(step["index"]) if step["index"] else -1 - int(step["back"] or 0)
    return f"json_extract(j, {place})"


def _member(step: re.Match[str]) -> str:
    """SQL for the member of an object `j`: the last of those with one key, as Trino has it."""
    name = step["name"] or step["quoted"] or ""
    pointer = quoted("/" + name.replace("~", "~0").replace("/", "~1"))
    keys = "list_reverse(json_keys(j))"
    twice = f"len(list_filter(json_keys(j), lambda k: k = {quoted(name)})) > 1"
    last = f"list_extract(list_reverse(json_extract(j, '$.*')), list_position({keys}, {quoted(name)}))"
    return (
        f"CASE WHEN json_type(j) = 'OBJECT' THEN CASE WHEN {twice} THEN {last} ELSE json_extract(j, {pointer}) END END"
    )


def _exists(compiler: Compiler, node: SqlJson, scope: Scope) -> tuple[str, Type]:
    bad = {"TRUE": "true", "UNKNOWN": "NULL", "ERROR": failure("the path met an error", BOOLEAN)}.get(
        node.args.get("on_error") or "", "false"
    )
    return f"CASE WHEN q IS NULL THEN {bad} ELSE len(q) > 0 END", BOOLEAN


def _outcome(compiler: Compiler, node: SqlJson, scope: Scope, kind: Type) -> Callable[[str], str]:
    """SQL for what stands in place of an error or of nothing: `error` or `empty`."""

    def instead(case: str) -> str:
        behaviour = node.args.get(f"on_{case}") or "NULL"
        if behaviour == "ERROR":
            return failure("the path met an error" if case == "error" else "the path found nothing", kind)
        if behaviour == "DEFAULT":
            value = compiler.compile(node.args[f"{case}_value"], scope)
            if value.value is None and value.type not in (UNKNOWN, BOOLEAN):
                raise Refusal("a DEFAULT here is a literal", "Use coalesce(json_value(...), x).")
            return f"TRY({cast(value, kind).sql})"
        return {"EMPTY ARRAY": "'[]'", "EMPTY OBJECT": "'{}'"}.get(behaviour, f"CAST(NULL AS {duck(kind)})")

    return instead


def _value(compiler: Compiler, node: SqlJson, scope: Scope) -> tuple[str, Type]:
    returning = node.args.get("returning")
    kind = literals.type_of(returning) if returning else VARCHAR
    width = literals.varchar_width(returning) if returning else 0
    if kind not in (VARCHAR, BOOLEAN) and not is_number(kind) and kind.name not in ("date", "timestamp"):
        raise Refusal(f"json_value does not return {kind} here", "Return varchar and CAST it.")
    instead = _outcome(compiler, node, scope, kind)

    def read(source: Type) -> str:
        text = "json_extract_string(j, '$')"
        if source == BOOLEAN and kind == VARCHAR:
            return text
        given = text if source == VARCHAR else f"TRY_CAST({text} AS {duck(source)})"
        try:
            made = cast_scalar(Expr(given, source), kind).sql
        except Refusal:
            return "NULL"
        return f"TRY({made})"

    value = (
        f"CASE json_type(j) WHEN 'VARCHAR' THEN {read(VARCHAR)} WHEN 'BOOLEAN' THEN {read(BOOLEAN)} "
        f"WHEN 'DOUBLE' THEN {read(DOUBLE)} WHEN 'OBJECT' THEN NULL WHEN 'ARRAY' THEN NULL ELSE {read(BIGINT)} END"
    )
    if width:
        value = let(
            "w", value, f"CASE WHEN json_type(j) = 'VARCHAR' THEN left(w, {width}) WHEN length(w) <= {width} THEN w END"
        )
    only = f"CASE WHEN json_type(j) = 'NULL' THEN NULL ELSE coalesce({value}, {instead('error')}) END"
    body = (
        f"CASE WHEN q IS NULL OR len(q) > 1 THEN {instead('error')} WHEN len(q) = 0 THEN {instead('empty')} "
        f"ELSE {let('j', 'q[1]', only)} END"
    )
    return body, kind


def _query(compiler: Compiler, node: SqlJson, scope: Scope) -> tuple[str, Type]:
    returning = node.args.get("returning")
    if returning and (literals.type_of(returning) != VARCHAR or literals.varchar_width(returning)):
        raise Refusal("json_query returns varchar here", "CAST the result.")
    instead = _outcome(compiler, node, scope, VARCHAR)
    several = "'[' || array_to_string(list_transform(q, lambda j: CAST(json_extract(j, '$') AS VARCHAR)), ',') || ']'"
    one = "CAST(json_extract(q[1], '$') AS VARCHAR)"
    wrapper = node.args.get("wrapper")
    if wrapper == "CONDITIONAL":
        several = f"CASE WHEN len(q) = 1 AND json_type(q[1]) IN ('ARRAY', 'OBJECT') THEN {one} ELSE {several} END"
    text = several if wrapper else f"CASE WHEN len(q) = 1 THEN {one} END"
    odd = require_sure(f"regexp_matches({without_texts('t')}, '{JAVA_NUMBER}')", ODD_NUMBER, escaped("t"), VARCHAR)
    twice = "a key that comes twice in one object"
    shown = let(
        "t",
        text,
        f"CASE WHEN t IS NOT NULL THEN {require_sure(_repeats_keys('t'), twice, odd, VARCHAR)} ELSE {instead('error')} END",
    )
    return (
        f"CASE WHEN q IS NULL THEN {instead('error')} WHEN len(q) = 0 THEN {instead('empty')} ELSE {shown} END",
        VARCHAR,
    )


def _repeats_keys(text: str) -> str:
    """SQL that is true for compact JSON in which an object may have one key twice.

    Where keys come again at all, the innermost objects are looked at and taken out, level by level.
    """
    keys = 'regexp_extract_all({0}, \'"(?:[^"\\\\]|\\\\.)*":\')'
    some = keys.format("o")
    body = "contains(t0, '{')"
    for level in reversed(range(_DEEPEST)):
        objects = f"regexp_extract_all(t{level}, '\\{{[^{{}}]*\\}}')"
        bad = f"len(list_filter({objects}, lambda o: len({some}) > len(list_distinct({some})))) > 0"
        inner = f"regexp_replace(t{level}, '\\{{[^{{}}]*\\}}', '0', 'g')"
        following = body.replace("t0", f"t{level + 1}") if level == _DEEPEST - 1 else body
        body = f"({bad} OR {let(f't{level + 1}', inner, following)})"
    bare = f"regexp_replace({text}, '(\"(?:[^\"\\\\]|\\\\.)*\":)|\"(?:[^\"\\\\]|\\\\.)*\"', '\\1', 'g')"
    again = f"len({keys.format(text)}) > len(list_distinct({keys.format(text)}))"
    return f"({again} AND {let('t0', bare, body)})"
