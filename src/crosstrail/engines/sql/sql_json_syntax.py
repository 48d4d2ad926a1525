"""How json_exists, json_value and json_query are written: their clauses, which the parser's own grammar has for other dialects.

Decides nothing about what they mean; see functions/sql_json.py.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import TokenType

_BEHAVIOURS = ("NULL", "ERROR", "TRUE", "FALSE", "UNKNOWN")


class SqlJson(exp.Expression):
    """json_exists, json_value or json_query (`name`) with its clauses."""

    arg_types = {  # noqa: RUF012 - sqlglot declares it so
        "this": True, "name": True, "path": True, "returning": False, "wrapper": False, "on_empty": False, "empty_value": False,
        "on_error": False, "error_value": False,
    }  # fmt: skip


def parsers() -> dict[str, Callable[[TrinoParser], exp.Expr]]:
    """For the parser's table of special forms."""
    return {
        "JSON_EXISTS": _parser("json_exists"),
        "JSON_VALUE": _parser("json_value"),
        "JSON_QUERY": _parser("json_query"),
    }


def _parser(name: str) -> Callable[[TrinoParser], exp.Expr]:
    def parse(parser: TrinoParser) -> exp.Expr:
        document = parser._parse_bitwise()
        parser._match_text_seq("FORMAT", "JSON")
        parser._match(TokenType.COMMA)
        found = SqlJson(this=document, name=name, path=parser._parse_string())
        if name != "json_exists" and parser._match_text_seq("RETURNING"):
            found.set("returning", parser._parse_types())
        if name == "json_query":
            found.set("wrapper", _wrapper(parser))
        while behaviour := _behaviour(parser, name):
            word, value = behaviour
            case = "empty" if parser._match_text_seq("ON", "EMPTY") and name != "json_exists" else "error"
            if case == "error" and not parser._match_text_seq("ON", "ERROR"):
                parser.raise_error("ON EMPTY or ON ERROR belongs here")
            if found.args.get(f"on_{case}") or (case == "empty" and found.args.get("on_error")):
                parser.raise_error("this comes twice, or too late")
            found.set(f"on_{case}", word)
            found.set(f"{case}_value", value)
        return found

    return parse


def _wrapper(parser: TrinoParser) -> str | None:
    if parser._match_text_seq("WITHOUT"):
        parser._match_text_seq("ARRAY")
        parser._match_text_seq("WRAPPER")
        return None
    if not parser._match_text_seq("WITH"):
        return None
    kind = "CONDITIONAL" if parser._match_text_seq("CONDITIONAL") else "UNCONDITIONAL"
    if kind == "UNCONDITIONAL":
        parser._match_text_seq("UNCONDITIONAL")
    parser._match_text_seq("ARRAY")
    if not parser._match_text_seq("WRAPPER"):
        parser.raise_error("WRAPPER belongs here")
    return kind


def _behaviour(parser: TrinoParser, name: str) -> tuple[str, exp.Expr | None] | None:
    if name == "json_value" and parser._match_text_seq("DEFAULT"):
        return "DEFAULT", parser._parse_bitwise()
    if name == "json_query" and parser._match_text_seq("EMPTY"):
        return ("EMPTY OBJECT" if parser._match_text_seq("OBJECT") else _array(parser)), None
    allowed = _BEHAVIOURS[1:] if name == "json_exists" else _BEHAVIOURS[:2]
    word = next((word for word in allowed if parser._match_text_seq(word)), None)
    return (word, None) if word else None


def _array(parser: TrinoParser) -> str:
    parser._match_text_seq("ARRAY")
    return "EMPTY ARRAY"
