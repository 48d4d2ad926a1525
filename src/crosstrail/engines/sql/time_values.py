"""Dates, timestamps, zones and intervals: arithmetic and text, on values as types.py holds them.

Decides nothing about functions' names; see functions/times.py for those.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crosstrail.engines.sql.expr import Expr, Refusal, derived, unsure
from crosstrail.engines.sql.types import DATE, DAY_TIME, Type, timestamp_of
from crosstrail.lake.reader import quoted

_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})", re.ASCII)
MILLISECONDS = {
    "millisecond": 1,
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 604_800_000,
}
_OVERLAPS = (60, 30, 120)
"""Minutes by which clocks are set back: nearly everywhere, on Lord Howe Island, at Troll Station."""
MONTHS = {"month": 1, "quarter": 3, "year": 12}


@cache
def zone_name(text: str) -> str:
    """The zone as Trino writes it: UTC, +09:00 or Area/City. Raises Refusal."""
    if text.upper() in ("UTC", "Z", "GMT", "+00:00"):
        return "UTC"
    if _OFFSET.fullmatch(text):
        return text
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refusal("there is no such time zone", "Write UTC, +09:00 or a name such as Asia/Tokyo.") from None
    return text


def exists(clock: datetime, zone: str) -> bool:
    """Whether the clocks of the zone ever show it: not in the hour that is left out when they are set forward."""
    if offset_minutes(zone) is not None:
        return True
    there = ZoneInfo(zone)
    return clock.replace(tzinfo=there).astimezone(UTC).astimezone(there).replace(tzinfo=None) == clock


def offset_minutes(zone: str) -> int | None:
    """Of a zone that is an offset; None for one with a name."""
    if zone == "UTC":
        return 0
    found = _OFFSET.fullmatch(zone)
    if not found:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    return minutes if found[1] == "+" else -minutes


def zoned_by_value(instant: str, zone: str, kind: Type, *parts: Expr) -> Expr:
    """A timestamp with time zone whose zone is known from the value alone: SQL of the moment in UTC and of the zone's name.

    What asks for no zone takes the moment, and `local` the wall clock; everything else fails for zones other than UTC.
    """
    hint = "the zone of a time other than UTC (compare it, CAST it to varchar or use AT TIME ZONE)"
    sql = f"(CASE WHEN {zone} <> 'UTC' THEN {unsure(hint, kind)} ELSE {instant} END)"
    made = derived(sql, kind, *parts)
    return replace(made, instant=instant, zone=zone)


def local(moment: Expr) -> Expr:
    """The wall clock of a timestamp with time zone, in its zone; anything else as it is."""
    if moment.zone:
        named = f"timezone({moment.zone}, timezone('UTC', {moment.instant}))"
        shifted = f"({moment.instant} + to_minutes({_offset_sql(moment.zone)}))"
        utc = f"WHEN {moment.zone} = 'UTC' THEN {moment.instant}"
        sql = f"(CASE {utc} WHEN left({moment.zone}, 1) IN ('+', '-') THEN {shifted} ELSE {named} END)"
        return derived(sql, timestamp_of(moment.type.precision), moment)
    if moment.type.name != "timestamptz" or moment.type.zone == "UTC":
        kind = timestamp_of(moment.type.precision) if moment.type.name == "timestamptz" else moment.type
        return derived(moment.sql, kind, moment)
    minutes = offset_minutes(moment.type.zone)
    if minutes is None:
        sql = f"timezone({quoted(moment.type.zone)}, timezone('UTC', {moment.sql}))"
    else:
        sql = f"({moment.sql} + to_minutes({minutes}))"
    return derived(sql, timestamp_of(moment.type.precision), moment)


def _offset_sql(zone: str) -> str:
    """SQL for the minutes of an offset such as +09:30."""
    return f"(CAST(left({zone}, 3) AS INTEGER) * 60 + CAST(left({zone}, 1) || right({zone}, 2) AS INTEGER))"


def zone_text(moment: Expr) -> str:
    """SQL for the name of a moment's zone."""
    return moment.zone or quoted(moment.type.zone)


def from_local(clock: Expr, kind: Type, before: Expr | None = None) -> Expr:
    """The moment whose wall clock in the zone of `kind` is `clock`.

    Of the two when a clock is set back: that with the offset of `before`, which the clock was computed from, else the
    earlier one, as Joda-Time has it and therefore Trino.
    """
    if kind.zone == "UTC":
        return derived(clock.sql, kind, clock)
    minutes = offset_minutes(kind.zone)
    if minutes is not None:
        return derived(f"({clock.sql} - to_minutes({minutes}))", kind, clock)
    zone = quoted(kind.zone)
    later = f"timezone('UTC', timezone({zone}, {clock.sql}))"
    others = [f"{later} - to_minutes({overlap})" for overlap in _OVERLAPS]
    if before is not None:
        others.insert(0, f"{clock.sql} - ({local(before).sql} - {before.sql})")
    tests = " ".join(f"WHEN timezone({zone}, timezone('UTC', {one})) = {clock.sql} THEN {one}" for one in others)
    return derived(f"(CASE {tests} ELSE {later} END)", kind, clock)


def rounded(sql: str, have: int, want: int) -> str:
    """A TIMESTAMP with fewer digits after the second, rounded half up."""
    if want >= have or want >= 6:
        return sql
    if want not in (0, 3):
        raise Refusal(f"timestamp({want}) is not supported here", "Use timestamp(0), timestamp(3) or timestamp(6).")
    half, unit = (500_000, "second") if want == 0 else (500, "millisecond")
    return f"date_trunc('{unit}', {sql} + to_microseconds({half}))"


def add_interval(moment: Expr, interval: Expr, *, negative: bool) -> Expr:
    """Moment plus or minus an interval; months clamp to the end of the month, and wall clocks count months."""
    amount = f"(-{interval.sql})" if negative else interval.sql
    if interval.type == DAY_TIME:
        if moment.type == DATE:
            raise_if = f"{interval.sql} % 86400000 <> 0"
            from crosstrail.engines.sql.expr import require

            sql = f"({moment.sql} + CAST({amount} // 86400000 AS INTEGER))"
            message = "hours, minutes and seconds cannot be added to a date"
            return derived(require(raise_if, message, sql, DATE), DATE, moment, interval)
        kind = moment.type
        if kind.precision < 3:
            kind = Type(kind.name, size=(3,), zone=kind.zone)
        return derived(f"({moment.sql} + to_microseconds({amount} * 1000))", kind, moment, interval)
    return add_months(moment, Expr(amount, interval.type, free=interval.free, aggregated=interval.aggregated))


def add_months(moment: Expr, months: Expr) -> Expr:
    clock = local(moment)
    moved = f"({clock.sql} + to_months(CAST({months.sql} AS INTEGER)))"
    if moment.type == DATE:
        return derived(f"CAST({moved} AS DATE)", DATE, moment, months)
    shifted = derived(moved, clock.type, moment, months)
    return from_local(shifted, moment.type, before=moment) if moment.type.name == "timestamptz" else shifted


def timestamp_text(moment: Expr) -> str:
    """As CAST(... AS varchar) writes it: with exactly the precision's digits, and the zone."""
    digits = moment.type.precision
    text = f"strftime({local(moment).sql}, '%Y-%m-%d %H:%M:%S.%f')"
    text = f"left({text}, {20 + digits if digits else 19})"
    return f"({text} || ' ' || {zone_text(moment)})" if moment.type.name == "timestamptz" else text


def day_time_text(sql: str) -> str:
    """`1 02:03:04.005`."""
    whole = f"abs({sql})"
    parts = (
        f"format('{{}} {{:02d}}:{{:02d}}:{{:02d}}.{{:03d}}', {whole} // 86400000, {whole} // 3600000 % 24, "
        f"{whole} // 60000 % 60, {whole} // 1000 % 60, {whole} % 1000)"
    )
    return f"((CASE WHEN {sql} < 0 THEN '-' ELSE '' END) || {parts})"


def year_month_text(sql: str) -> str:
    """`1-2`."""
    return f"((CASE WHEN {sql} < 0 THEN '-' ELSE '' END) || (abs({sql}) // 12) || '-' || (abs({sql}) % 12))"
