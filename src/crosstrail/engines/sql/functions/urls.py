"""Parts of URLs, by RFC 3986 as Trino reads them."""

from __future__ import annotations

from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, derived, require, require_sure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.types import BIGINT, VARCHAR

# What java.net.URI takes; any other text gives NULL.
_CHARS = r"([A-Za-z0-9_.!~*''();:@&=+$,/?#\[\]-]|%[0-9A-Fa-f]{2}|[^\x00-\x7F])*"
# A scheme with nothing behind it, two slashes with nothing but a fragment, a second fragment, an open bracket.
_NOTHING = r"^([A-Za-z][A-Za-z0-9+.-]*:(//)?|//)(#|$)|#.*#|//[^/?#]*\[[^\]/?#]*([/?#]|$)"
_PARTS = {"protocol": r"^([A-Za-z][A-Za-z0-9+.-]*):", "fragment": "#(.*)$", "query": r"^[^?#]*\?([^#]*)"}
_OPAQUE = r"^[A-Za-z][A-Za-z0-9+.-]*:[^/]"
_AFTER_HOST = r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://[^/?#]*)?([^?#]*)"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
# Of several labels the last begins with a letter: java.net.URI takes others for names of a registry, which have no host.
_NAME = rf"{_LABEL}\.?|(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?|{_BYTE}(?:\.{_BYTE}){{3}}"
_HOST = rf"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//(?:[^/?#@]*@)?(\[[0-9A-Fa-f:.]+\]|{_NAME})(?::[0-9]*)?(?:[/?#]|$)"
_PORT = r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*:([0-9]{1,9})(?:[/?#]|$)"


def _part(value: Expr, pattern: str) -> str:
    valid = f"(regexp_full_match({value.sql}, '{_CHARS}') AND NOT regexp_matches({value.sql}, '{_NOTHING}'))"
    if pattern in (_AFTER_HOST, _PARTS["query"]):
        # mailto:x and the like have neither a path nor a query.
        return (
            f"(CASE WHEN NOT {valid} THEN NULL WHEN regexp_matches({value.sql}, '{_OPAQUE}') THEN '' "
            f"ELSE regexp_extract({value.sql}, '{pattern}', 1) END)"
        )
    return f"(CASE WHEN {valid} THEN regexp_extract({value.sql}, '{pattern}', 1) END)"


def _decoded(sql: str) -> str:
    return f"url_decode(replace({sql}, '+', '%2B'))"


@function("url_extract_host", "url_extract_path", "url_extract_query", "url_extract_fragment", "url_extract_protocol")
def _text(call: FunctionCall) -> Expr:
    call.need(1)
    value, name = coerce(call.arg(0), VARCHAR), call.name.removeprefix("url_extract_")
    pattern = {"host": _HOST, "path": _AFTER_HOST}.get(name) or _PARTS[name]
    sql = _part(value, pattern)
    return derived(_decoded(sql) if name in ("path", "query", "fragment") else sql, VARCHAR, value)


@function("url_extract_port")
def _port(call: FunctionCall) -> Expr:
    call.need(1)
    value = coerce(call.arg(0), VARCHAR)
    return derived(f"TRY_CAST(nullif({_part(value, _PORT)}, '') AS BIGINT)", BIGINT, value)


@function("url_extract_parameter")
def _parameter(call: FunctionCall) -> Expr:
    call.need(2)
    value, name = coerce(call.arg(0), VARCHAR), coerce(call.arg(1), VARCHAR)
    query = _part(value, _PARTS["query"])
    pairs = f"string_split({query}, '&')"
    found = f"list_extract(list_filter({pairs}, lambda e: url_decode(split_part(e, '=', 1)) = {name.sql}), 1)"
    sql = f"(CASE WHEN {found} IS NOT NULL THEN url_decode(replace(CASE WHEN contains({found}, '=') THEN substr({found}, strpos({found}, '=') + 1) ELSE '' END, '+', ' ')) END)"
    return derived(sql, VARCHAR, value, name)


@function("url_decode")
def _decode(call: FunctionCall) -> Expr:
    call.need(1)
    value = coerce(call.arg(0), VARCHAR)
    broken = f"contains(regexp_replace({value.sql}, '%[0-9A-Fa-f]{{2}}', '', 'g'), '%')"
    # Bytes that are no UTF-8 become U+FFFD in Java and an error in DuckDB.
    decoded = f"TRY(url_decode(replace({value.sql}, '+', ' ')))"
    odd = f"{value.sql} IS NOT NULL AND {decoded} IS NULL"
    decoded = require_sure(odd, "a text whose bytes are no UTF-8 once they are decoded", decoded, VARCHAR)
    return derived(require(broken, "a % begins no byte in a text to decode", decoded, VARCHAR), VARCHAR, value)
