"""Times written by a format string: MySQL's in date_format, Joda's in format_datetime.

Decides what a format consists of, for reading too (time_texts.py), and which letters are supported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.functions.times import moment
from crosstrail.engines.sql.time_values import local, offset_text, rounded
from crosstrail.engines.sql.types import VARCHAR
from crosstrail.engines.sql.zones import zone_text
from crosstrail.lake.reader import quoted


@dataclass(frozen=True, slots=True)
class FormatPart:
    """One part of a format: a field of a time with its digits, or a text that stands for itself (field "")."""

    field: str
    digits: int = 0
    text: str = ""


_MYSQL: dict[str, tuple[FormatPart, ...]] = {
    "a": (FormatPart("dow_short"),), "b": (FormatPart("month_short"),), "c": (FormatPart("month", 1),), "d": (FormatPart("day", 2),),
    "e": (FormatPart("day", 1),), "f": (FormatPart("fraction", 6),), "H": (FormatPart("hour", 2),), "h": (FormatPart("clock12", 2),),
    "I": (FormatPart("clock12", 2),), "i": (FormatPart("minute", 2),), "j": (FormatPart("day_of_year", 3),), "k": (FormatPart("hour", 1),),
    "l": (FormatPart("clock12", 1),), "M": (FormatPart("month_long"),), "m": (FormatPart("month", 2),), "p": (FormatPart("half"),),
    "S": (FormatPart("second", 2),), "s": (FormatPart("second", 2),), "v": (FormatPart("week", 2),), "W": (FormatPart("dow_long"),),
    "x": (FormatPart("weekyear", 4),), "Y": (FormatPart("year", 4),), "y": (FormatPart("year", 2),), "%": (FormatPart("", text="%"),),
}  # fmt: skip
_CLOCK = (*_MYSQL["i"], FormatPart("", text=":"), *_MYSQL["S"])
_MYSQL["T"] = (FormatPart("hour", 2), FormatPart("", text=":"), *_CLOCK)
_MYSQL["r"] = (
    FormatPart("clock12", 2),
    FormatPart("", text=":"),
    *_CLOCK,
    FormatPart("", text=" "),
    FormatPart("half"),
)

_JODA_NUMBERS = {
    "y": "year", "Y": "year", "x": "weekyear", "w": "week", "e": "dow", "D": "day_of_year", "d": "day", "H": "hour",
    "k": "clock24", "K": "hour12", "h": "clock12", "m": "minute", "s": "second", "S": "fraction",
}  # fmt: skip
_JODA = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")

_STRFTIME = {
    ("year", 4): "%Y", ("year", 2): "%y", ("weekyear", 4): "%G", ("month", 1): "%-m", ("month", 2): "%m", ("month_short", 0): "%b",
    ("month_long", 0): "%B", ("day", 1): "%-d", ("day", 2): "%d", ("dow_short", 0): "%a", ("dow_long", 0): "%A", ("week", 2): "%V",
    ("day_of_year", 1): "%-j", ("day_of_year", 3): "%j", ("hour", 1): "%-H", ("hour", 2): "%H", ("clock12", 1): "%-I",
    ("clock12", 2): "%I", ("minute", 1): "%-M", ("minute", 2): "%M", ("second", 1): "%-S", ("second", 2): "%S",
    ("fraction", 3): "%g", ("fraction", 6): "%f", ("half", 0): "%p",
}  # fmt: skip
_NUMBERS = {
    "year": "year({0})", "weekyear": "isoyear({0})", "week": "week({0})", "dow": "isodow({0})", "day_of_year": "dayofyear({0})",
    "day": "day({0})", "month": "month({0})", "hour": "hour({0})", "clock24": "((hour({0}) + 23) % 24 + 1)", "hour12": "(hour({0}) % 12)",
    "clock12": "((hour({0}) + 11) % 12 + 1)", "minute": "minute({0})", "second": "second({0})",
}  # fmt: skip


def mysql_pieces(text: str) -> list[FormatPart]:
    out, place = [], 0
    while place < len(text):
        if text[place] != "%":
            out.append(FormatPart("", text=text[place]))
            place += 1
            continue
        letter = text[place + 1 : place + 2]
        if letter not in _MYSQL:
            raise Refusal(f"%{letter} is not supported in a time format here")
        out += _MYSQL[letter]
        place += 2
    return _joined(out)


def joda_pieces(text: str) -> list[FormatPart]:
    out, place = [], 0
    for found in _JODA.finditer(text):
        if found.start() != place:
            break
        place = found.end()
        word, letter, count = found.group(), found[2], found.end() - found.start()
        if found[1] is not None:
            out.append(FormatPart("", text=found[1].replace("''", "'") or "'"))
        elif not letter:
            out.append(FormatPart("", text=word))
        else:
            out.append(_joda_field(letter, count))
    if place < len(text):
        raise Refusal("a text in a time format has no end")
    return _joined(out)


def _joda_field(letter: str, count: int) -> FormatPart:
    if letter in _JODA_NUMBERS and count <= 9:
        # Of years only two letters mean two digits, and one means as many as there are.
        return FormatPart(_JODA_NUMBERS[letter], count)
    if letter == "M":
        return FormatPart("month", count) if count < 3 else FormatPart("month_short" if count == 3 else "month_long")
    if letter == "E":
        return FormatPart("dow_short" if count < 4 else "dow_long")
    if letter == "a":
        return FormatPart("half")
    if letter == "Z":
        return FormatPart(("offset", "offset_colon", "zone")[min(count, 3) - 1])
    raise Refusal(f"{(letter * count)[:10]} is not supported in a time format here")


def _joined(pieces: list[FormatPart]) -> list[FormatPart]:
    """With neighbouring texts as one."""
    out: list[FormatPart] = []
    for piece in pieces:
        if out and not piece.field and not out[-1].field:
            out[-1] = replace(out[-1], text=out[-1].text + piece.text)
        else:
            out.append(piece)
    if not out:
        raise Refusal("a time format is empty")
    return out


@function("date_format", "format_datetime")
def _format(call: FunctionCall) -> Expr:
    call.need(2)
    value = moment(call.arg(0), call.name)
    written = constant_text(coerce(call.arg(1), VARCHAR), "a time format")
    pieces = mysql_pieces(written) if call.name == "date_format" else joda_pieces(written)
    clock = rounded(f"CAST({local(value).sql} AS TIMESTAMP)", value.type.size[0] if value.type.size else 0, 3)
    parts: list[str] = []
    pattern = ""
    for piece in pieces:
        plain = piece.text.replace("%", "%%") if not piece.field else _STRFTIME.get((piece.field, piece.digits), "")
        pattern += plain
        if not plain:
            parts += [f"strftime({clock}, {quoted(pattern)})"] if pattern else []
            pattern = ""
            parts.append(_written(piece, clock, value))
    parts += [f"strftime({clock}, {quoted(pattern)})"] if pattern else []
    return derived(f"({' || '.join(parts)})", VARCHAR, value)


def _written(piece: FormatPart, clock: str, value: Expr) -> str:
    """SQL for a field that DuckDB's strftime does not write."""
    if piece.field in ("offset", "offset_colon", "zone"):
        if value.type.name != "timestamptz":
            raise Refusal(f"{value.type} has no zone to be formatted", "Use with_timezone(x, 'UTC').")
        if piece.field == "zone":
            return zone_text(value)
        return offset_text(value, ":" if piece.field == "offset_colon" else "")
    if piece.field == "fraction":
        return f"left(strftime({clock}, '%f') || '000', {piece.digits})"
    if piece.field in ("year", "weekyear") and piece.digits == 2:
        return f"printf('%02d', {_NUMBERS[piece.field].format(clock)} % 100)"
    return f"printf('%0{piece.digits}d', {_NUMBERS[piece.field].format(clock)})"
