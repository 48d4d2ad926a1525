"""JSON '...': the value that Trino makes of the text, written as Trino writes it.

Decides which texts are JSON literals. Keys come in order, each once with its last value, and what lies beyond the Basic
Multilingual Plane as two escapes. Numbers whose spelling differs between versions of Trino are refused.
"""

from __future__ import annotations

import json
import re
from typing import Any

from crosstrail.engines.sql.expr import Expr, Refusal
from crosstrail.engines.sql.types import JSON
from crosstrail.lake.reader import quoted

_PLAIN_NUMBER = re.compile(r"0|-?[1-9][0-9]*|-?(?:0\.(?!00)|[1-9][0-9]{0,6}\.)(?:0|[0-9]{0,7}[1-9])", re.ASCII)


class _Number(str):
    """A number as it is spelled."""

    __slots__ = ()


def json_literal(text: str) -> Expr:
    """Raises Refusal for a text that is no JSON, or that Trino would spell in a way of its own."""
    try:
        value = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
        written = _written(value)
    except RecursionError:
        raise Refusal("this JSON is nested too deeply") from None
    except ValueError:
        raise Refusal("this text is no JSON", """Write JSON '{"key": "value"}'.""") from None
    return Expr(f"CAST({quoted(written)} AS JSON)", JSON)


def _number(text: str) -> _Number:
    if not _PLAIN_NUMBER.fullmatch(text):
        raise Refusal("this number in a JSON literal is spelled in ways that versions of Trino differ in", "Write 1.5.")
    return _Number(text)


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _written(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_text(key)}:{_written(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Refusal("a text in a JSON literal holds half of a surrogate pair")
    shown = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^\x20-\uffff]|\\u[0-9a-f]{4}", lambda found: _escaped(found.group()), shown)


def _escaped(found: str) -> str:
    if found.startswith("\\u"):
        return "\\u" + found[2:].upper()
    units = found.encode("utf-16-be")
    return "".join(f"\\u{units[place] << 8 | units[place + 1]:04X}" for place in range(0, len(units), 2))
