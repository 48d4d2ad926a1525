"""Texts cast to timestamps, with and without time zone.

Decides which texts are times and in which zones. Names of zones are taken as they are written in the list of them alone:
DuckDB would take them in small letters, too.
"""

from __future__ import annotations

from crosstrail.engines.sql.expr import Expr, failure, require_sure
from crosstrail.engines.sql.time_values import from_named_sql, rounded
from crosstrail.engines.sql.types import Type
from crosstrail.engines.sql.zones import OFFSET_PATTERN, full_offset, offset_sql, or_utc, zoned_by_value

SPACES = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"
LONG_YEAR = r"^\s*([+-][0-9]{4}|[+-]?[0-9]{5,}|0000)-[0-9]"
DATE_TEXT = r"(?:[1-9][0-9]{3}|0(?:[1-9][0-9]{2}|0(?:[1-9][0-9]|0[1-9])))-[0-9]{1,2}-[0-9]{1,2}"
_TIME = r"(?:[01]?[0-9]|2[0-3]):[0-9]{1,2}(?::[0-9]{1,2}(?:\.[0-9]{1,12})?)?"
_AREA = "(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)"
_WORD = "[A-Z][a-z]+"
_CITY = f"{_WORD}(?:[_-](?:{_WORD}|au|de|es|of))*"
_NAMED = f"{_AREA}/{_CITY}(?:/{_CITY})?"
_ZONE = f"UTC|Z|GMT|{OFFSET_PATTERN}|{_NAMED}"
ZONED_TIME = f"{DATE_TEXT}(?: {_TIME})?(?: +(?:{_ZONE}))?|{DATE_TEXT} {_TIME}(?:{_ZONE})"
ODD_TIME = rf"{LONG_YEAR}|^\s*{DATE_TEXT}(?: {_TIME} *| +)([+-][0-9]{{1,2}}|[A-Za-z])[A-Za-z0-9_/:+-]*\s*$"
"""Years and zones that Trino may know and that are not read here."""
_CAPITALS = "[_-](Au|De|Es|Of)([_-]|$)"


def _zone(text: str) -> str:
    """SQL for the zone that a trimmed text names, '' for none."""
    return f"regexp_extract({text}, '^{DATE_TEXT}(?: {_TIME})? *({_ZONE})?$', 1)"


def clock_from_text(text: str, digits: int) -> str:
    """SQL for the wall clock that a trimmed text names, as a TIMESTAMP."""
    bare = f"regexp_extract({text}, '^({DATE_TEXT}(?: {_TIME})?)', 1)"
    minutes = f"regexp_full_match({bare}, '.*:.*') AND NOT regexp_full_match({bare}, '.*:.*:.*')"
    clock = f"CAST((CASE WHEN {minutes} THEN {bare} || ':00' ELSE {bare} END) AS TIMESTAMP)"
    if digits == 6:
        clock = f"({clock} + to_microseconds(CASE WHEN regexp_matches({bare}, '[.][0-9]{{6}}[5-9]') THEN 1 ELSE 0 END))"
    return rounded(clock, 6, digits)


def knows_zone(text: str) -> str:
    """SQL that is true, or fails for a name that is no zone's."""
    zone = _zone(text)
    # timezone() fails on such a name, which is all it is asked for.
    return f"(NOT contains({zone}, '/') OR timezone({zone}, TIMESTAMP '2000-01-01') IS NOT NULL)"


def zoned_from_text(text: Expr, target: Type) -> Expr:
    """CAST(text AS timestamp with time zone): each value has the zone that its text names, or UTC."""
    trimmed = f"trim({text.sql}, {SPACES})"
    found, clock = _zone(trimmed), clock_from_text(trimmed, target.precision)
    offset = full_offset(found)
    is_offset = f"left({found}, 1) IN ('+', '-')"
    utc = f"{found} IN ('', 'Z', 'UTC', 'GMT')"
    good = f"regexp_full_match({trimmed}, '{ZONED_TIME}') AND NOT regexp_matches({trimmed}, '{_CAPITALS}')"
    odd = require_sure(
        f"regexp_matches({text.sql}, '{ODD_TIME}')", f"a text that Trino may take for {target}", "NULL", target
    )
    bad = f"(CASE WHEN {text.sql} IS NOT NULL THEN coalesce({odd}, {failure(f'a text is no {target}', target)}) END)"
    shifted = f"{clock} - to_minutes({offset_sql(offset)})"
    known = f"(CASE WHEN {utc} THEN {clock} WHEN {is_offset} THEN {shifted} ELSE {from_named_sql(clock, found)} END)"
    instant = f"(CASE WHEN {good} THEN {known} ELSE {bad} END)"
    name = f"(CASE WHEN {utc} THEN 'UTC' WHEN {is_offset} THEN {or_utc(offset)} ELSE {found} END)"
    return zoned_by_value(instant, f"(CASE WHEN {good} THEN {name} END)", target, text)
