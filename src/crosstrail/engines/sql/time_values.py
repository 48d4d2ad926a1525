"""Dates, timestamps, zones and intervals: arithmetic and text, on values as types.py holds them.

Decides nothing about functions' names; see functions/times.py for those.
"""

from __future__ import annotations

from crosstrail.engines.sql.expr import Expr, Refusal, derived
from crosstrail.engines.sql.types import DATE, DAY_TIME, Type, timestamp_of
from crosstrail.engines.sql.zones import moved, offset_minutes, offset_sql, wall_clock, zone_text, zoned_by_value
from crosstrail.lake.reader import quoted

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


def local(moment: Expr) -> Expr:
    """The wall clock of a timestamp with time zone, in its zone; anything else as it is."""
    if moment.zone:
        return derived(wall_clock(moment.instant, moment.zone), timestamp_of(moment.type.precision), moment)
    if moment.type.name != "timestamptz" or moment.type.zone == "UTC":
        kind = timestamp_of(moment.type.precision) if moment.type.name == "timestamptz" else moment.type
        return derived(moment.sql, kind, moment)
    minutes = offset_minutes(moment.type.zone)
    if minutes is None:
        sql = f"timezone({quoted(moment.type.zone)}, timezone('UTC', {moment.sql}))"
    else:
        sql = f"({moment.sql} + to_minutes({minutes}))"
    return derived(sql, timestamp_of(moment.type.precision), moment)


def from_local(clock: Expr, kind: Type, before: Expr | None = None) -> Expr:
    """The moment whose wall clock in the zone of `kind` is `clock`.

    Of the two when a clock is set back: that with the offset of `before`, which the clock was computed from, else the
    earlier one, as Joda-Time has it and therefore Trino.
    """
    if before is not None and before.zone:
        zone = before.zone
        named = from_named_sql(clock.sql, zone, before.instant, wall_clock(before.instant, zone))
        shifted = f"({clock.sql} - to_minutes({offset_sql(zone)}))"
        utc = f"WHEN {zone} = 'UTC' THEN {clock.sql}"
        sql = f"(CASE {utc} WHEN left({zone}, 1) IN ('+', '-') THEN {shifted} ELSE {named} END)"
        return zoned_by_value(sql, zone, kind, clock, before)
    if kind.zone == "UTC":
        return derived(clock.sql, kind, clock)
    minutes = offset_minutes(kind.zone)
    if minutes is not None:
        return derived(f"({clock.sql} - to_minutes({minutes}))", kind, clock)
    was = ("", "") if before is None else (before.sql, local(before).sql)
    return derived(from_named_sql(clock.sql, quoted(kind.zone), *was), kind, clock)


def from_named_sql(clock: str, zone: str, before: str = "", before_clock: str = "") -> str:
    """SQL for the moment at which the clocks of a zone with a name, given as SQL, show `clock`; see `from_local`."""
    later = f"timezone('UTC', timezone({zone}, {clock}))"
    others = [f"{later} - to_minutes({overlap})" for overlap in _OVERLAPS]
    if before:
        others.insert(0, f"{clock} - ({before_clock} - {before})")
    tests = " ".join(f"WHEN timezone({zone}, timezone('UTC', {one})) = {clock} THEN {one}" for one in others)
    return f"(CASE {tests} ELSE {later} END)"


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
        return moved(moment, lambda sql: f"({sql} + to_microseconds({amount} * 1000))", kind, interval)
    return add_months(moment, Expr(amount, interval.type, free=interval.free, aggregated=interval.aggregated))


def add_months(moment: Expr, months: Expr) -> Expr:
    clock = local(moment)
    moved = f"({clock.sql} + to_months(CAST({months.sql} AS INTEGER)))"
    if moment.type == DATE:
        return derived(f"CAST({moved} AS DATE)", DATE, moment, months)
    shifted = derived(moved, clock.type, moment, months)
    return from_local(shifted, moment.type, before=moment) if moment.type.name == "timestamptz" else shifted


def offset_text(moment: Expr, colon: str = ":") -> str:
    """SQL for how far the clocks of a moment's zone were from UTC then: +01:00."""
    minutes = f"CAST((epoch_us({local(moment).sql}) - epoch_us({moment.instant or moment.sql})) // 60000000 AS BIGINT)"
    sign = f"(CASE WHEN {minutes} < 0 THEN '-' ELSE '+' END)"
    return f"({sign} || printf('%02d{colon}%02d', abs({minutes}) // 60, abs({minutes}) % 60))"


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
