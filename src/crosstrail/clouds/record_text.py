"""The JSON text of one record, to a value that every answer can hold and write.

Decides what becomes of what orjson, which writes answers, has not: integers beyond 64 bits, halves of surrogate pairs,
nesting without end. The lake and lookups of live accounts read records alike, because a reader compares the two. Pure.
"""

from __future__ import annotations

import json
import re

import orjson

_MAX_DEPTH = 200
"""Lists and objects one inside another, in a record: orjson writes 254."""
_SURELY_SHALLOW = 150
_LONG = re.compile(rb"\d{19}")
_ESCAPE = re.compile(
    rb"\\(?:[^u]|u(?![dD][89a-fA-F])|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2}))",
    re.DOTALL,
)


def without_halves(text: bytes) -> bytes:
    """The same JSON text with U+FFFD for escapes of half a surrogate pair: JSON by its grammar, but no text. It is as long."""
    return _ESCAPE.sub(lambda escape: b"\\ufffd" if escape[1] else escape[0], text)


def is_nested(text: bytes) -> bool:
    """Whether the text may be nested so deeply that it has to be looked at."""
    return text.count(b"{") + text.count(b"[") > _SURELY_SHALLOW


def is_shallow(value: object) -> bool:
    """Whether every reader of a record, and every writer, can take its depth."""
    level: list[object] = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False


def parsed_record(text: str) -> object:
    """An integer beyond 64 bits comes as text, with every digit: a float would lose some. Raises ValueError."""
    raw = text.encode("utf-8", "replace")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raw = without_halves(raw)
        value = orjson.loads(raw)
    if is_nested(raw) and isinstance(value, dict | list) and not is_shallow(value):
        raise ValueError("nested too deeply")
    return json.loads(raw, parse_int=_integer) if _LONG.search(raw) else value


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < 19 or -(2**63) <= int(digits[:40]) < 2**64 else digits
