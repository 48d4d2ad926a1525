"""Texts read as times by a format string: date_parse and parse_datetime, which Trino leaves to Joda-Time.

Decides which texts are times of a format, which are certainly none, and which Joda-Time may take and nobody here reads:
years of other lengths, and numbers that run into each other.
"""

from __future__ import annotations

import re
from itertools import pairwise

from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived, failure, let, require, unsure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.functions.formats import FormatPart, joda_pieces, mysql_pieces
from crosstrail.engines.sql.types import VARCHAR, Type, timestamp_of, zoned
from crosstrail.engines.sql.zones import full_offset, offset_sql, or_utc, zoned_by_value
from crosstrail.lake.reader import quoted

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_GROUPS = {
    "month_short": "month", "month_long": "month", "dow_short": "dow", "dow_long": "dow", "hour": "hours", "clock24": "hours",
    "hour12": "hours", "clock12": "hours", "offset_colon": "offset",
}  # fmt: skip
"""Fields of which a format has one at most; others are their own group."""
_DIGITS = {"month": 2, "day": 2, "day_of_year": 3, "hours": 2, "minute": 2, "second": 2}
_RANGES = {
    "month": (1, 12), "day": (1, 31), "hour": (0, 23), "clock24": (1, 24), "hour12": (0, 11), "clock12": (1, 12), "minute": (0, 59),
    "second": (0, 59),
}  # fmt: skip
_NAMED = {"month_short", "month_long", "dow_short", "dow_long", "half"}
_OFFSET = r"[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?"
_LONG_OFFSET = r"[+-][0-9]{2}[0-9:.,]*"


def _names(names: tuple[str, ...]) -> str:
    """As Joda-Time takes them: whole or cut to three letters, capitalized, in small letters or in large ones."""
    texts = {form for name in names for one in (name, name[:3]) for form in (one, one.lower(), one.upper())}
    return "|".join(sorted(texts, key=lambda text: (-len(text), text)))


@function("date_parse", "parse_datetime")
def _parse(call: FunctionCall) -> Expr:
    call.need(2)
    text = coerce(call.arg(0), VARCHAR)
    written = constant_text(coerce(call.arg(1), VARCHAR), "a time format")
    joda = call.name == "parse_datetime"
    pieces = joda_pieces(written) if joda else mysql_pieces(written)
    fields = {_GROUPS.get(piece.field, piece.field): piece for piece in pieces if piece.field}
    _check(pieces, fields)
    kind: Type = zoned(3) if joda else timestamp_of(3)
    usual, wide = (_pattern(pieces, joda=joda, wide=each) for each in (False, True))
    captured = ", ".join(f"'{group}'" for group in (_GROUPS.get(one.field, one.field) for one in pieces if one.field))
    found = f"regexp_extract({text.sql}, {quoted(usual)}, [{captured}])"
    matches = (f"regexp_full_match({text.sql}, {quoted(each)})" for each in (usual, wide))
    odd, bad = unsure("a time in an unusual spelling", kind), failure("a text is no time of the format asked for", kind)

    def read(body: str, instead: str, unread: str) -> str:
        rest = f"WHEN {text.sql} IS NULL THEN NULL WHEN {wider} THEN {unread} ELSE {instead}"
        return f"(CASE WHEN {certain} THEN {let('f', found, body)} {rest} END)"

    certain, wider = matches
    year_from = call.compiler.now.year - 80 if joda else 1970
    clock = _clock(fields, year_from, kind)
    if "offset" not in fields:
        return derived(read(clock, bad, odd), kind, text)
    offset = "struct_extract(f, 'offset')"
    full = full_offset(offset)
    total = f"(CASE WHEN lower({offset}) = 'z' THEN 0 ELSE {offset_sql(full)} END)"
    far = unsure("an offset of more than 14 hours", kind)
    instant = f"(CASE WHEN abs({total}) > 840 THEN {far} ELSE {clock} - to_minutes({total}) END)"
    zone = f"(CASE WHEN lower({offset}) = 'z' THEN 'UTC' ELSE {or_utc(full)} END)"
    return zoned_by_value(read(instant, bad, odd), read(zone, "NULL", "NULL"), kind, text)


def _check(pieces: list[FormatPart], fields: dict[str, FormatPart]) -> None:
    """Raises Refusal for a format whose fields may say different things, or say less than a time."""
    hint = "Cut the text with substr first."
    if len(fields) < sum(1 for piece in pieces if piece.field):
        raise Refusal("a format for parsing has each part of a time once", hint)
    known = {"year", "month", "day", "day_of_year", "dow", "half", "hours", "minute", "second", "fraction", "offset"}
    if set(fields) - known or ("dow" in fields and fields["dow"].digits):
        raise Refusal(
            "a format for parsing takes years, months, days, names of them, the time of day and an offset", hint
        )
    if "day_of_year" in fields and {"month", "day"} & set(fields):
        raise Refusal("a format for parsing takes the day of a year or of a month", hint)
    if "dow" in fields and not {"day", "day_of_year"} & set(fields):
        raise Refusal("a format for parsing takes the day of a week beside a date only", hint)
    for piece, after in pairwise(pieces):
        if piece.field == "year" and piece.digits not in (2, 4) and _numeric(after):
            raise Refusal("a year before another number has two or four letters in a format for parsing", hint)
        if piece.field in _NAMED and not after.field and after.text[0].isalpha():
            raise Refusal("a name and a letter stand side by side in a format for parsing", hint)


def _pattern(pieces: list[FormatPart], *, joda: bool, wide: bool) -> str:
    """A regular expression for texts of the format, a group for each field; with `wide`, for those too that are not read."""
    out = []
    for place, piece in enumerate(pieces):
        near = [pieces[at] for at in (place - 1, place + 1) if 0 <= at < len(pieces)]
        tight = any(_numeric(one) or (not one.field and re.search(r"^\d|\d$", one.text)) for one in near)
        group = _GROUPS.get(piece.field, piece.field)
        if not piece.field:
            plain = piece.text.isascii() and not wide
            out.append(f"(?i:{re.escape(piece.text)})" if plain or wide else re.escape(piece.text))
        elif group == "month" and not piece.digits:
            out.append(f"({_names(_MONTHS)})")
        elif group == "dow":
            out.append(f"({_names(_DAYS)})")
        elif group == "half":
            out.append("(AM|am|PM|pm)")
        elif group == "offset":
            out.append(f"({_OFFSET}{'|' + _LONG_OFFSET if wide else ''})")
        elif wide and (tight or (group == "year" and (joda or piece.digits != 2))):
            out.append("([+-]?[0-9]+)")
        elif group == "year":
            out.append("([0-9]{2})" if piece.digits == 2 else "([1-9][0-9]{3})")
        else:
            digits = _DIGITS.get(group) or (9 if not joda else piece.digits)  # of fractions the rest
            out.append(f"([0-9]{{{digits if tight else 1},{digits}}})")
    return "(?s)" + "".join(out)


def _numeric(piece: FormatPart) -> bool:
    return piece.digits > 0


def _clock(fields: dict[str, FormatPart], year_from: int, kind: Type) -> str:
    """SQL for the wall clock that the groups of the struct `f` say, which fails for parts that are out of their range."""

    def number(group: str) -> str:
        return f"CAST(struct_extract(f, '{group}') AS INTEGER)"

    tests = []
    for group, piece in fields.items():
        if low_high := _RANGES.get(piece.field):
            tests.append(f"{number(group)} NOT BETWEEN {low_high[0]} AND {low_high[1]}")
    dated = {"month", "day", "day_of_year"} & set(fields)
    year = "2000" if dated else "1970"  # what Joda-Time takes where none is said
    if "year" in fields:
        year = number("year")
        if fields["year"].digits == 2:
            year = f"({year_from} + ({year} + 100 - {year_from % 100}) % 100)"
    month = _place("month", _MONTHS) if "month" in fields and not fields["month"].digits else number("month")
    month = month if "month" in fields else "1"
    first = f"make_date({year}, {month}, 1)"
    date = first
    if "day" in fields:
        tests.append(f"{number('day')} > day(last_day({first}))")
        date = f"make_date({year}, {month}, {number('day')})"
    if "day_of_year" in fields:
        tests.append(f"{number('day_of_year')} NOT BETWEEN 1 AND dayofyear(make_date({year}, 12, 31))")
        date = f"({first} + ({number('day_of_year')} - 1))"
    if "dow" in fields:  # set last, which moves the day inside its week
        date = f"({date} + CAST({_place('dow', _DAYS)} - isodow({date}) AS INTEGER))"
    hour = _hour(fields)
    minute, second = (number(group) if group in fields else "0" for group in ("minute", "second"))
    sql = f"(CAST({date} AS TIMESTAMP) + to_seconds(CAST({hour} * 3600 + {minute} * 60 + {second} AS BIGINT)))"
    if "fraction" in fields:
        sql = f"({sql} + to_milliseconds(CAST(left(struct_extract(f, 'fraction') || '00', 3) AS BIGINT)))"
    return require(" OR ".join(tests), "a part of a time is out of its range", sql, kind) if tests else sql


def _place(group: str, names: tuple[str, ...]) -> str:
    """SQL for the number of a name, counted from 1."""
    short = ", ".join(quoted(name[:3].lower()) for name in names)
    return f"list_position([{short}], left(lower(struct_extract(f, '{group}')), 3))"


def _hour(fields: dict[str, FormatPart]) -> str:
    hours = fields.get("hours")
    afternoon = "(CASE WHEN lower(struct_extract(f, 'half')) = 'pm' THEN 12 ELSE 0 END)" if "half" in fields else "0"
    if hours is None:
        return afternoon
    value = "CAST(struct_extract(f, 'hours') AS INTEGER)"
    if hours.field in ("hour", "clock24"):
        return f"({value} % 24)"
    return f"({value} % 12 + {afternoon})"
