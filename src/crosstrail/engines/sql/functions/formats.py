"""Times by a format string: MySQL's in date_format and date_parse, Joda's in the others.

Decides which letters of a format are supported, and what text is certainly a time of a format.
"""

from __future__ import annotations

import re

from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived, failure, unsure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.functions.times import moment
from crosstrail.engines.sql.time_values import local, rounded
from crosstrail.engines.sql.types import VARCHAR, timestamp_of, zoned
from crosstrail.lake.reader import quoted

_ANY_NUMBER = r"[+-]?\pN+"
_MYSQL = {
    "a": "%a", "b": "%b", "d": "%d", "f": "%f", "H": "%H", "h": "%I", "I": "%I", "i": "%M", "j": "%j", "M": "%B",
    "m": "%m", "p": "%p", "r": "%I:%M:%S %p", "S": "%S", "s": "%S", "T": "%H:%M:%S", "W": "%A", "Y": "%Y", "y": "%y", "%": "%%",
    "c": "%-m", "e": "%-d", "k": "%-H", "l": "%-I", "v": "%V", "x": "%G",
}  # fmt: skip
_JODA = {
    "yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "MM": "%m", "M": "%-m", "MMM": "%b", "MMMM": "%B", "dd": "%d", "d": "%-d", "HH": "%H",
    "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "%g", "a": "%p", "E": "%a",
    "EEE": "%a", "EEEE": "%A", "DDD": "%j", "xxxx": "%G", "ww": "%V",
}  # fmt: skip


def _mysql(text: str) -> str:
    out, place = [], 0
    while place < len(text):
        if text[place] != "%":
            out.append(text[place])
            place += 1
            continue
        letter = text[place + 1 : place + 2]
        if letter not in _MYSQL:
            raise Refusal(f"%{letter} is not supported in a time format here")
        out.append(_MYSQL[letter])
        place += 2
    return "".join(out)


def _joda(text: str) -> str:
    out = []
    for found in re.finditer(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+", text):
        word = found.group()
        if found[1] is not None:
            out.append(found[1].replace("''", "'").replace("%", "%%") or "'")
        elif not found[2]:
            out.append(word.replace("%", "%%"))
        elif word in _JODA:
            out.append(_JODA[word])
        else:
            raise Refusal(f"{word[:10]} is not supported in a time format here")
    return "".join(out)


@function("date_format", "format_datetime")
def _format(call: FunctionCall) -> Expr:
    call.need(2)
    value = moment(call.arg(0), call.name)
    written = constant_text(coerce(call.arg(1), VARCHAR), "a time format")
    pattern = _mysql(written) if call.name == "date_format" else _joda(written)
    clock = rounded(f"CAST({local(value).sql} AS TIMESTAMP)", value.type.size[0] if value.type.size else 0, 3)
    return derived(f"strftime({clock}, {quoted(pattern)})", VARCHAR, value)


@function("date_parse", "parse_datetime")
def _parse(call: FunctionCall) -> Expr:
    call.need(2)
    text = coerce(call.arg(0), VARCHAR)
    written = constant_text(coerce(call.arg(1), VARCHAR), "a time format")
    pattern = _mysql(written) if call.name == "date_parse" else _joda(written)
    if re.search(r"%(-|f|g|j|V|G|B|A|a|y|p|I)", pattern) or "%Y" not in pattern:
        raise Refusal(
            "a format for parsing takes year, month, day, hour, minute and second here",
            "Cut the text with substr first.",
        )
    kind = timestamp_of(3) if call.name == "date_parse" else zoned(3)
    value = f"CAST(strptime({text.sql}, {quoted(pattern)}) AS TIMESTAMP)"
    usual = f"regexp_full_match({text.sql}, {quoted(_fields(pattern, '[1-9][0-9]{3}', '[0-9]{2}', '[0-9]{1,2}'))})"
    # Years of other lengths, signs, letters in another case, digits of other scripts: Trino takes some of these.
    wide = f"regexp_full_match({text.sql}, {quoted('(?i)' + _fields(pattern, *([_ANY_NUMBER] * 3)))})"
    odd = unsure("a time in an unusual spelling", kind)
    bad = failure("a text is no time of the format asked for", kind)
    sql = f"(CASE WHEN {usual} THEN {value} WHEN {text.sql} IS NULL THEN NULL WHEN {wide} THEN {odd} ELSE {bad} END)"
    return derived(sql, kind, text)


def _fields(pattern: str, year: str, tight: str, loose: str) -> str:
    """A regular expression for texts of a strptime pattern; `tight` is for numbers right before or after another one."""
    parts = re.findall(r"%[A-Za-z%]|[^%]", pattern)
    out = []
    for place, part in enumerate(parts):
        if part == "%Y":
            out.append(year)
        elif part == "%b":
            out.append("[A-Za-z]{3}" if tight != loose else "[A-Za-z]+")
        elif part[0] == "%" and part != "%%":
            near = [parts[at] for at in (place - 1, place + 1) if 0 <= at < len(parts)]
            out.append(tight if any(len(each) == 2 and each != "%%" for each in near) else loose)
        else:
            out.append(re.escape(part[-1]))
    return "".join(out)
