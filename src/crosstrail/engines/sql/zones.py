"""Time zones: their names as Trino reads and writes them, and moments whose zone is known from the value alone.

Decides which names are zones, in which zone a text is a time, and how a zone for each value is held.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from crosstrail.engines.sql.expr import Expr, Refusal, derived, unsure
from crosstrail.engines.sql.types import BY_VALUE, Type, duck, zoned
from crosstrail.lake.reader import quoted

_OFFSET = re.compile(r"(?:UTC|GMT|UT)?([+-])(\d{2})(?::?(\d{2}))?|(?:UTC|GMT|UT)?([+-])(\d)", re.ASCII)
_ETC = re.compile(r"Etc/GMT([+-])(\d{1,2})", re.ASCII)
_UTC = frozenset(
    {"UTC", "Z", "GMT", "UT", "GMT0", "Greenwich", "UCT", "Universal", "Zulu", "Etc/GMT", "Etc/GMT0", "Etc/UCT", "Etc/UTC", "Etc/Universal"}
)  # fmt: skip
_UNKNOWN = frozenset({"EST", "HST", "MST", "ROC", "Factory", "Etc/Greenwich", "Etc/Zulu", "localtime", "posixrules"})
"""Names in the list of zones that Trino does not take."""
OFFSET_PATTERN = r"[+-](?:(?:0[0-9]|1[0-3])(?::?[0-5][0-9])?|14(?::?00)?)"
"""Offsets that Trino has, as texts name them."""
_FURTHEST = 14 * 60


@cache
def zone_name(text: str) -> str:
    """The zone as Trino writes it: UTC, +09:00 or Area/City. Raises Refusal."""
    if text in _UTC:
        return "UTC"
    if found := _OFFSET.fullmatch(text):
        sign, hours, minutes = found[1] or found[4], int(found[2] or found[5]), int(found[3] or 0)
    elif found := _ETC.fullmatch(text):  # whose signs are the other way round
        sign, hours, minutes = "-" if found[1] == "+" else "+", int(found[2]), 0
    else:
        sign, hours, minutes = "", 0, 0
    if sign and hours * 60 + minutes <= _FURTHEST and minutes < 60:
        return f"{sign}{hours:02d}:{minutes:02d}" if hours or minutes else "UTC"
    if sign or text in _UNKNOWN or text not in available_timezones():
        raise Refusal("there is no such time zone", "Write UTC, +09:00 or a name such as Asia/Tokyo.")
    return text


def exists(clock: datetime, zone: str) -> bool:
    """Whether the clocks of the zone ever show it: not in the hour that is left out when they are set forward."""
    if offset_minutes(zone) is not None:
        return True
    there = ZoneInfo(zone)
    return clock.replace(tzinfo=there).astimezone(UTC).astimezone(there).replace(tzinfo=None) == clock


def offset_minutes(zone: str) -> int | None:
    """Of a zone that is an offset, as `zone_name` writes it; None for one with a name."""
    if zone == "UTC":
        return 0
    if zone[:1] not in ("+", "-"):
        return None
    minutes = int(zone[1:3]) * 60 + int(zone[4:])
    return minutes if zone[0] == "+" else -minutes


def zoned_by_value(instant: str, zone: str, kind: Type, *parts: Expr) -> Expr:
    """A timestamp with time zone whose zone is known from the value alone: SQL of the moment in UTC and of the zone's name.

    What asks for no zone takes the moment, and `local` the wall clock; everything else fails for zones other than UTC.
    """
    hint = "the zone of a time other than UTC (compare it, CAST it to varchar or use AT TIME ZONE)"
    sql = f"(CASE WHEN {zone} <> 'UTC' THEN {unsure(hint, kind)} ELSE {instant} END)"
    return replace(derived(sql, kind, *parts), instant=instant, zone=zone)


def column_value(sql: str, kind: Type, free: frozenset[str] = frozenset()) -> Expr:
    """A column of a query as an expression."""
    if kind.zone != BY_VALUE:
        return Expr(sql, kind, free=free)
    held = Expr(sql, kind, free=free)
    return zoned_by_value(f"struct_extract({sql}, 't')", f"struct_extract({sql}, 'z')", zoned(kind.precision), held)


def held(value: Expr) -> tuple[str, Type]:
    """SQL and type of a column that holds the value with its own zone."""
    if not value.zone:
        return value.sql, value.type
    kind = zoned(value.type.precision, BY_VALUE)
    packed = f"struct_pack(t := {value.instant}, z := {value.zone})"
    return f"(CASE WHEN {value.instant} IS NOT NULL THEN CAST({packed} AS {duck(kind)}) END)", kind


def moved(moment: Expr, change: Callable[[str], str], kind: Type, *parts: Expr) -> Expr:
    """The moment after a change of its SQL, in the zone it has."""
    if moment.zone:
        return zoned_by_value(change(moment.instant), moment.zone, kind, moment, *parts)
    return derived(change(moment.sql), kind, moment, *parts)


def wall_clock(instant: str, zone: str) -> str:
    """SQL for what the clocks of a zone, named by SQL, show at a moment."""
    named = f"timezone({zone}, timezone('UTC', {instant}))"
    shifted = f"({instant} + to_minutes({offset_sql(zone)}))"
    return (
        f"(CASE WHEN {zone} = 'UTC' THEN {instant} WHEN left({zone}, 1) IN ('+', '-') THEN {shifted} ELSE {named} END)"
    )


def offset_sql(zone: str) -> str:
    """SQL for the minutes of an offset such as +09:30."""
    return f"(CAST(left({zone}, 3) AS INTEGER) * 60 + CAST(left({zone}, 1) || right({zone}, 2) AS INTEGER))"


def zone_text(moment: Expr) -> str:
    """SQL for the name of a moment's zone."""
    return moment.zone or quoted(moment.type.zone)


def full_offset(text: str) -> str:
    """SQL for the offset +05:30 of a text +0530 or +05."""
    return f"(left({text}, 3) || ':' || right('00' || substr(replace({text}, ':', ''), 4), 2))"


def or_utc(offset: str) -> str:
    """SQL for the zone's name of a full offset."""
    return f"(CASE WHEN right({offset}, 5) = '00:00' THEN 'UTC' ELSE {offset} END)"
