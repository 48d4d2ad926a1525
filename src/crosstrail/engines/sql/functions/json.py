"""JSON functions on text and on json values; paths are literals of the form $.a.b[0]["c"].

Decides what a path may be and what becomes of text that is no JSON.
"""

from __future__ import annotations

import re

from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived, require, require_sure, unsure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.trino_versions import NUMBERS_AS_WRITTEN
from crosstrail.engines.sql.types import BIGINT, BOOLEAN, DOUBLE, JSON, UNKNOWN, VARCHAR, is_integer, is_number
from crosstrail.lake.reader import quoted

_STEP = re.compile(r"""\.([\w:]+)|\[(\w+)\]|\["((?:[^"\\]|\\["\\])*)"\]""")
_TEXT = r'"(?:[^"\\]|\\.)*"'
_NUMBER = r"-?[0-9][0-9.eE+-]*"
# Numbers that Java writes with an exponent, and DuckDB in full or the other way round.
JAVA_NUMBER = r"[0-9][eE]|[0-9]{8,}\.|(^|[^0-9])0\.00[0-9]|[0-9.]{18,}"
ODD_NUMBER = "a number in a JSON text whose spelling Trino changes (1e5)"
_AS_WRITTEN = "a number in a JSON text that Trino keeps as it is written (1.50)"
_HALF = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_COMPLETE = r"\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
CUT_SHORT = "a text that begins like JSON and is none"


def pointer(call: FunctionCall, index: int = 1) -> str:
    """The path as a JSON pointer: like Trino's steps, its steps name a key or count from 0, whichever they meet."""
    path = constant_text(coerce(call.arg(index), VARCHAR), "a JSON path")
    steps, place = [], 1
    if not path.startswith("$"):
        raise Refusal("a JSON path begins with $", "Write '$.name', '$.list[0]' or '$[\"odd name\"]'.")
    while place < len(path):
        found = _STEP.match(path, place)
        if not found:
            raise Refusal("this JSON path is not supported", "Write '$.name', '$.list[0]' or '$[\"odd name\"]'.")
        step = found[1] or found[2] or re.sub(r"\\(.)", r"\1", found[3] or "")
        steps.append("/" + step.replace("~", "~0").replace("/", "~1"))
        place = found.end()
    return quoted("".join(steps))


def _mended(text: Expr) -> str:
    """The same text with U+FFFD for escapes of half a surrogate pair, which whoever is in the log may have written: Trino
    reads them, DuckDB calls the text no JSON. NULL for a text without any. U+0001, which stands in no JSON text as it is,
    marks them."""
    marked = f"regexp_replace({text.sql}, '({_COMPLETE})|({_HALF})', '\\1' || chr(1) || '\\2' || chr(1), 'g')"
    mended = f"regexp_replace(replace({marked}, chr(1) || chr(1), ''), '\\x01(?:{_HALF})+\\x01', chr(65533), 'g')"
    return f"(CASE WHEN regexp_matches({text.sql}, '{_HALF}') THEN {mended} END)"


def _document(call: FunctionCall) -> tuple[Expr, str]:
    """The argument and SQL for it as valid JSON; NULL for text that is none."""
    value = call.arg(0)
    if value.type == JSON:
        return value, value.sql
    text = coerce(value, VARCHAR)
    mended = _mended(text)
    # Trino reads JSON piece by piece and may find a value in a text that is broken further on; nobody should rely on it.
    bad = unsure(CUT_SHORT, JSON)
    looks = f"regexp_matches({text.sql}, '^\\s*[\\[{{]')"
    valid = (
        f"(CASE WHEN json_valid({text.sql}) THEN CAST({text.sql} AS JSON) "
        f"WHEN json_valid({mended}) THEN CAST({mended} AS JSON) WHEN {looks} THEN {bad} END)"
    )
    return text, call.compiler.parts.hold(valid)  # it is read several times, and costs most


@function("json_extract_scalar")
def _scalar(call: FunctionCall) -> Expr:
    """NULL for objects, arrays and JSON null."""
    call.need(2)
    call.typed()
    value, document = _document(call)
    found = f"json_extract({document}, {pointer(call)})"
    text = f"json_extract_string({document}, {pointer(call)})"
    # A number comes as it stands in the text, 1.50 or 1e5; DuckDB would give its value.
    spelled = f"json_extract_string({_numbers_as_texts(document)}, {pointer(call)})"
    if value.type == JSON:
        # Whose numbers were written anew by Java.
        spelled = require_sure(f"regexp_matches({spelled}, '{JAVA_NUMBER}')", ODD_NUMBER, spelled, VARCHAR)
    sql = (
        f"(CASE WHEN json_type({found}) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL "
        f"WHEN json_type({found}) IN ('VARCHAR', 'BOOLEAN') THEN {text} ELSE {spelled} END)"
    )
    return derived(sql, VARCHAR, value)


def _numbers_as_texts(document: str) -> str:
    """A document with quotes around its numbers. U+0001 marks them, which stands in no JSON text as it is."""
    marked = (
        f"regexp_replace(CAST({document} AS VARCHAR), '({_TEXT})|({_NUMBER})', '\\1' || chr(1) || '\\2' || chr(1), 'g')"
    )
    return f"replace(replace({marked}, chr(1) || chr(1), ''), chr(1), '\"')"


@function("json_extract")
def _extract(call: FunctionCall) -> Expr:
    call.need(2)
    value, document = _document(call)
    found = f"json_extract({document}, {pointer(call)})"
    odd = f"regexp_matches({without_texts(found)}, '{JAVA_NUMBER}')"
    return derived(require_sure(odd, ODD_NUMBER, found, JSON), JSON, value)


def without_texts(document: str) -> str:
    """A document's text with empty strings in it."""
    return f"regexp_replace(CAST({document} AS VARCHAR), '{_TEXT}', '', 'g')"


@function("json_size")
def _size(call: FunctionCall) -> Expr:
    call.need(2)
    value, document = _document(call)
    found = f"json_extract({document}, {pointer(call)})"
    sql = (
        f"(CASE json_type({found}) WHEN 'OBJECT' THEN CAST(len(json_keys({found})) AS BIGINT) "
        f"WHEN 'ARRAY' THEN CAST(json_array_length({found}) AS BIGINT) ELSE CASE WHEN {found} IS NOT NULL THEN 0::BIGINT END END)"
    )
    return derived(sql, BIGINT, value)


@function("json_array_length")
def _length(call: FunctionCall) -> Expr:
    call.need(1)
    value, document = _document(call)
    sql = f"(CASE WHEN json_type({document}) = 'ARRAY' THEN CAST(json_array_length({document}) AS BIGINT) END)"
    return derived(sql, BIGINT, value)


@function("json_array_contains")
def _contains(call: FunctionCall) -> Expr:
    call.need(2)
    value, document = _document(call)
    item = call.arg(1)
    elements = f"CAST(json_extract({document}, '$[*]') AS JSON[])"
    if item.type == VARCHAR:
        test = f"json_type(j) = 'VARCHAR' AND json_extract_string(j, '$') = {item.sql}"
    elif item.type == BOOLEAN:
        test = f"json_type(j) = 'BOOLEAN' AND json_extract_string(j, '$') = CAST({item.sql} AS VARCHAR)"
    elif is_integer(item.type):
        test = f"json_type(j) IN ('UBIGINT', 'BIGINT') AND json_extract_string(j, '$') = CAST({item.sql} AS VARCHAR)"
    elif is_number(item.type):
        test = (
            f"json_type(j) = 'DOUBLE' AND TRY_CAST(json_extract_string(j, '$') AS DOUBLE) = {coerce(item, DOUBLE).sql}"
        )
    else:
        raise Refusal(f"json_array_contains looks for text, numbers and booleans, not {item.type}")
    found = f"len(list_filter({elements}, lambda j: {test})) > 0"
    return derived(
        f"(CASE WHEN json_type({document}) = 'ARRAY' AND {item.sql} IS NOT NULL THEN {found} END)", BOOLEAN, value, item
    )


@function("json_array_get")
def _get(call: FunctionCall) -> Expr:
    """From the end with a negative index. A text element comes without its quotes in Trino and then is no JSON."""
    call.need(2)
    value, document = _document(call)
    index = coerce(call.arg(1), BIGINT)
    found = f"json_extract({document}, {index.sql})"
    if call.compiler.trino_version >= NUMBERS_AS_WRITTEN or value.type != JSON:  # out of a text, as it stands there
        number = f"json_extract_string({_numbers_as_texts(document)}, {index.sql})"
        changed = f"json_type({found}) IN ('DOUBLE', 'BIGINT', 'UBIGINT') AND {number} <> CAST({found} AS VARCHAR)"
        found = require_sure(changed, _AS_WRITTEN, found, JSON)
    odd = f"regexp_matches({without_texts(found)}, '{JAVA_NUMBER}')"
    text = "a text element, which json_array_get gives without its quotes and json_extract_scalar whole"
    given = require_sure(f"json_type({found}) = 'VARCHAR'", text, require_sure(odd, ODD_NUMBER, found, JSON), JSON)
    return derived(
        f"(CASE WHEN json_type({document}) = 'ARRAY' AND json_type({found}) <> 'NULL' THEN {given} END)",
        JSON,
        value,
        index,
    )


@function("json_parse")
def _parse(call: FunctionCall) -> Expr:
    call.need(1)
    call.compiler.parses_json = True
    found = parse_json(coerce(call.arg(0), VARCHAR))
    if call.compiler.trino_version < NUMBERS_AS_WRITTEN:
        return found
    return derived(_as_written(call.arg(0).sql, found.sql), JSON, found)


def _as_written(text: str, found: str) -> str:
    """What was parsed, where DuckDB writes its numbers as they stand in the text: it keeps no other spelling."""
    numbers = [f"regexp_extract_all({without_texts(one)}, '{_NUMBER}')" for one in (text, found)]
    odd = f"{numbers[0]} <> {numbers[1]} OR regexp_matches({without_texts(text)}, '[0-9][eE]|-0(\\.0+)?([^0-9.]|$)')"
    return require_sure(odd, _AS_WRITTEN, found, JSON)


def parse_json(text: Expr) -> Expr:
    """Text to json; text that is none fails.

    Trino sorts the keys of objects here and DuckDB keeps them as they came, so a statement that parses json may take
    it apart but not print or compare it whole.
    """
    mended = _mended(text)
    broken = f"NOT json_valid({text.sql}) AND NOT coalesce(json_valid({mended}), false)"
    good = f"json(CASE WHEN json_valid({text.sql}) THEN {text.sql} ELSE {mended} END)"
    sql = require(broken, "a text is no JSON", good, JSON)
    return derived(f"(CASE WHEN {text.sql} IS NOT NULL THEN {sql} END)", JSON, text)


@function("json_format")
def _format(call: FunctionCall) -> Expr:
    call.need(1)
    value = call.arg(0)
    if value.type not in (JSON, UNKNOWN):
        raise Refusal(f"json_format takes json, not {value.type}", "Use json_parse or CAST(x AS json) first.")
    if call.compiler.parses_json:
        raise Refusal(
            "json that was parsed cannot be printed whole here: its keys would not be sorted",
            "Print the text it was parsed from.",
        )
    return derived(f"CAST({value.sql} AS VARCHAR)", VARCHAR, value)


@function("is_json_scalar")
def _is_scalar(call: FunctionCall) -> Expr:
    call.need(1)
    value = call.arg(0)
    text = value if value.type == JSON else parse_json(coerce(value, VARCHAR))
    return derived(f"(json_type({text.sql}) NOT IN ('OBJECT', 'ARRAY'))", BOOLEAN, text)
