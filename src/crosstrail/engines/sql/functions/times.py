"""Dates and times: parts, truncation, arithmetic, zones, ISO 8601 and format strings."""

from __future__ import annotations

import re
from dataclasses import replace

from crosstrail.engines.sql.casts import cast, coerce, moment_from_text
from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived, failure, moment_of, require, unsure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.time_values import (
    MILLISECONDS,
    MONTHS,
    add_interval,
    add_months,
    from_local,
    local,
    rounded,
    timestamp_text,
    zone_name,
)
from crosstrail.engines.sql.types import (
    BIGINT,
    DATE,
    DAY_TIME,
    DOUBLE,
    VARCHAR,
    YEAR_MONTH,
    Type,
    is_moment,
    timestamp_of,
    zoned,
)
from crosstrail.lake.reader import quoted

_PARTS = {
    "year": "year", "quarter": "quarter", "month": "month", "week": "week", "day": "day", "day_of_month": "day", "hour": "hour",
    "day_of_week": "isodow", "dow": "isodow", "day_of_year": "dayofyear", "doy": "dayofyear", "minute": "minute",
    "year_of_week": "isoyear", "yow": "isoyear", "week_of_year": "week", "second": "second",
}  # fmt: skip
_CLOCK = {"hour", "minute", "second", "millisecond"}
_ISO = r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)?Z?"


def moment(value: Expr, what: str) -> Expr:
    if not is_moment(value.type):
        hint = "Use CAST(x AS timestamp) or from_iso8601_timestamp(x)." if value.type == VARCHAR else ""
        raise Refusal(f"{what} takes a date or timestamp, not {value.type}", hint)
    return value


def extract(part: str, value: Expr) -> Expr:
    """EXTRACT(part FROM value) and the functions named like parts."""
    if value.type in (DAY_TIME, YEAR_MONTH):
        return _interval_part(part, value)
    value = moment(value, part)
    if part in ("timezone_hour", "timezone_minute"):
        raise Refusal(f"{part} is not supported here")
    if value.type == DATE and part in _CLOCK:
        raise Refusal(f"a date has no {part}")
    clock = local(value)
    if part == "millisecond":
        return derived(f"({_microseconds(clock.sql)} // 1000)", BIGINT, value)
    if part not in _PARTS:
        raise Refusal("this part of a time is not supported", f"Parts are {', '.join(sorted(_PARTS))}.")
    return derived(f"CAST({_PARTS[part]}({clock.sql}) AS BIGINT)", BIGINT, value)


def _interval_part(part: str, value: Expr) -> Expr:
    divisors = {
        "day": (86_400_000, 0),
        "hour": (3_600_000, 24),
        "minute": (60_000, 60),
        "second": (1000, 60),
        "millisecond": (1, 1000),
    }
    if value.type == YEAR_MONTH:
        divisors = {"year": (12, 0), "month": (1, 12)}
    if part not in divisors:
        raise Refusal(f"an interval has no {part}")
    by, modulo = divisors[part]
    return derived(f"({value.sql} // {by}{f' % {modulo}' if modulo else ''})", BIGINT, value)


@function(*_PARTS, "millisecond")
def _part(call: FunctionCall) -> Expr:
    call.need(1)
    if call.name == "week_of_year" or call.name in _PARTS or call.name == "millisecond":
        return extract(call.name, call.arg(0))
    raise Refusal(f"{call.name} is not supported here")


def _unit(call: FunctionCall) -> str:
    unit = constant_text(coerce(call.arg(0), VARCHAR), "the unit").lower()
    if unit not in MILLISECONDS and unit not in MONTHS:
        raise Refusal("this unit is not supported", f"Units are {', '.join([*MILLISECONDS, *MONTHS])}.")
    return unit


@function("date_trunc")
def _trunc(call: FunctionCall) -> Expr:
    call.need(2)
    unit, value = _unit(call), moment(call.arg(1), call.name)
    if value.type == DATE:
        if unit in ("millisecond", "second", "minute", "hour"):
            raise Refusal(f"a date cannot be truncated to the {unit}")
        return derived(f"CAST(date_trunc('{unit}', {value.sql}) AS DATE)", DATE, value)
    clock = local(value)
    cut = derived(f"CAST(date_trunc('{unit}', {clock.sql}) AS TIMESTAMP)", clock.type, value)
    return from_local(cut, value.type, before=value) if value.type.name == "timestamptz" else cut


@function("date_add")
def _add(call: FunctionCall) -> Expr:
    call.need(3)
    unit, amount, value = _unit(call), coerce(call.arg(1), BIGINT), moment(call.arg(2), call.name)
    if unit in MONTHS:
        return add_months(
            value, Expr(f"({amount.sql} * {MONTHS[unit]})", YEAR_MONTH, free=amount.free, aggregated=amount.aggregated)
        )
    if value.type == DATE and MILLISECONDS[unit] < MILLISECONDS["day"]:
        raise Refusal(f"a date takes no {unit}s", "CAST it to timestamp first.")
    span = Expr(f"({amount.sql} * {MILLISECONDS[unit]})", DAY_TIME, free=amount.free, aggregated=amount.aggregated)
    if value.type.name == "timestamptz" and unit in ("day", "week"):
        # Days are counted on the wall clock, so that a change of summer time does not move it.
        return from_local(_keeping_precision(local(value), span, negative=False), value.type, before=value)
    return _keeping_precision(value, span, negative=False)


def _keeping_precision(value: Expr, span: Expr, *, negative: bool) -> Expr:
    moved = add_interval(value, span, negative=negative)
    sql = rounded(moved.sql, moved.type.precision, value.type.precision) if value.type.size else moved.sql
    return derived(sql, value.type, moved)


@function("date_diff")
def _diff(call: FunctionCall) -> Expr:
    """Whole units between two moments, cut towards zero."""
    call.need(3)
    unit, start, end = _unit(call), moment(call.arg(1), call.name), moment(call.arg(2), call.name)
    on_the_clock = unit in MONTHS or unit in ("day", "week")  # a day of 23 hours is a day
    if (unit in MILLISECONDS and start.type == end.type and start.type.zone == "UTC") or not on_the_clock:
        start, end = moment_of(start), moment_of(end)
    kind = _wider(start.type, end.type)
    start, end = coerce(start, kind), coerce(end, kind)
    if unit in MILLISECONDS and kind != DATE:
        first, last = (_epoch_milliseconds((local(each) if on_the_clock else each).sql) for each in (start, end))
        return derived(f"(({last} - {first}) // {MILLISECONDS[unit]})", BIGINT, start, end)
    if unit in MILLISECONDS:
        if MILLISECONDS[unit] < MILLISECONDS["day"]:
            raise Refusal(f"dates have no {unit}s between them", "CAST them to timestamp first.")
        days = MILLISECONDS[unit] // MILLISECONDS["day"]
        return derived(f"(CAST({end.sql} - {start.sql} AS BIGINT) // {days})", BIGINT, start, end)
    first, last = (f"CAST({local(each).sql} AS TIMESTAMP)" for each in (start, end))
    forth, back = _months_between(first, last), _months_between(last, first)
    months = f"(CASE WHEN {last} >= {first} THEN {forth} ELSE -{back} END)"
    return derived(f"({months} // {MONTHS[unit]})", BIGINT, start, end)


def _microseconds(sql: str) -> str:
    """SQL for those since the last full second, before 1970 too, where DuckDB's remainder is negative."""
    return f"((epoch_us({sql}) % 1000000 + 1000000) % 1000000)"


def _epoch_milliseconds(sql: str) -> str:
    """SQL for the milliseconds since 1970, rounded down before it too, where DuckDB's `//` rounds up."""
    return f"((epoch_us({sql}) - (epoch_us({sql}) % 1000 + 1000) % 1000) // 1000)"


def _months_between(first: str, last: str) -> str:
    """Months that fit in between, counted from the earlier moment with its day clamped to each month's length."""
    crude = f"((year({last}) - year({first})) * 12 + month({last}) - month({first}))"
    reached = f"({first} + to_months(CAST({crude} AS INTEGER)))"
    return f"CAST({crude} - (CASE WHEN {reached} > {last} THEN 1 ELSE 0 END) AS BIGINT)"


def _wider(one: Type, other: Type) -> Type:
    from crosstrail.engines.sql.types import common

    kind = common(one, other)
    if kind is None:
        raise Refusal(f"{one} and {other} lie in different zones", "Use AT TIME ZONE to give both one zone.")
    return kind


@function("date")
def _date(call: FunctionCall) -> Expr:
    call.need(1)
    return cast(call.arg(0), DATE)


@function("last_day_of_month")
def _last_day(call: FunctionCall) -> Expr:
    call.need(1)
    return derived(f"last_day({local(moment(call.arg(0), call.name)).sql})", DATE, call.arg(0))


@function("from_iso8601_timestamp")
def _from_iso(call: FunctionCall) -> Expr:
    call.need(1)
    text = coerce(call.arg(0), VARCHAR)
    if isinstance(text.value, str):
        found = re.fullmatch(_ISO.replace("Z?", r"(Z|[+-]\d\d:?\d\d)?"), text.value)
        if found:
            zone = found[5] or "UTC"
            zone = zone if zone in ("UTC", "Z") else f"{zone[:3]}:{zone[-2:]}"
            moment = moment_from_text(text.value.replace(",", "."), zoned(3))
            return Expr(cast(Expr(moment.sql, zoned(6)), zoned(3)).sql, zoned(3, zone_name(zone)))
        raise Refusal("this text is no ISO 8601 timestamp", "Write '2026-11-20T09:00:00Z'.")
    clock = f"regexp_extract({text.sql}, '^[0-9-]{{10}}(T[0-9:]+([.,][0-9]+)?)?')"
    seconds = f"(CASE WHEN length({clock}) = 16 THEN ':00' ELSE '' END)"
    utc = f"date_trunc('millisecond', CAST(replace(replace({clock}, 'T', ' '), ',', '.') || {seconds} AS TIMESTAMP))"
    shifted = f"({utc} - to_minutes({_offset_minutes(text.sql)}))"
    known = f"regexp_full_match({text.sql}, {quoted(_ISO)})"
    also = f"regexp_full_match({text.sql}, {quoted(_ISO.replace('Z?', '[+-][0-9]{2}:?[0-9]{2}'))})"
    other = f"regexp_full_match({text.sql}, '[0-9TtWwZz:.,+-]+')"
    odd = unsure("an ISO 8601 timestamp in an unusual form", zoned(3))
    bad = failure("a text is no ISO 8601 timestamp", zoned(3))
    rest = f"WHEN {text.sql} IS NULL THEN NULL WHEN {other} THEN {odd} ELSE {bad}"
    zone = unsure("the zone of an ISO 8601 timestamp other than Z (compare it, or use AT TIME ZONE)", zoned(3))
    sql = f"(CASE WHEN {known} THEN {utc} WHEN {also} THEN {zone} {rest} END)"
    instant = f"(CASE WHEN {known} THEN {utc} WHEN {also} THEN {shifted} {rest} END)"
    return replace(derived(sql, zoned(3), text), instant=instant)


def _offset_minutes(text: str) -> str:
    """SQL for the minutes of the +09:30 that a text ends in."""
    hours, rest = (f"regexp_extract({text}, '([+-][0-9]{{2}}):?([0-9]{{2}})$', {part})" for part in (1, 2))
    return f"(CAST({hours} AS INTEGER) * 60 + CAST(left({hours}, 1) || {rest} AS INTEGER))"


@function("from_iso8601_date")
def _from_iso_date(call: FunctionCall) -> Expr:
    call.need(1)
    text = coerce(call.arg(0), VARCHAR)
    pattern = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    return derived(
        require(
            f"NOT regexp_full_match({text.sql}, '{pattern}')",
            "a text is no date such as 2026-11-20",
            f"CAST({text.sql} AS DATE)",
            DATE,
        ),
        DATE,
        text,
    )


@function("to_iso8601")
def _to_iso(call: FunctionCall) -> Expr:
    call.need(1)
    value = moment(call.arg(0), call.name)
    if value.type == DATE:
        return cast(value, VARCHAR)
    text = timestamp_text(Expr(local(value).sql, timestamp_of(value.type.precision)))
    sql = f"replace({text}, ' ', 'T')"
    if value.type.name == "timestamptz":
        if value.type.zone != "UTC" and not value.type.zone.startswith(("+", "-")):
            raise Refusal("to_iso8601 takes UTC or an offset such as +09:00 here", "Use AT TIME ZONE 'UTC'.")
        sql = f"({sql} || {quoted('Z' if value.type.zone == 'UTC' else value.type.zone)})"
    return derived(sql, VARCHAR, value)


@function("from_unixtime")
def _from_unix(call: FunctionCall) -> Expr:
    call.need(1, 2)
    value = coerce(call.arg(0), DOUBLE)
    zone = zone_name(constant_text(call.arg(1), "the zone")) if len(call) == 2 else "UTC"
    return derived(f"make_timestamp(CAST(floor({value.sql} * 1000 + 0.5) AS BIGINT) * 1000)", zoned(3, zone), value)


@function("to_unixtime")
def _to_unix(call: FunctionCall) -> Expr:
    call.need(1)
    value = moment_of(moment(call.arg(0), call.name))
    clock = f"CAST({value.sql} AS TIMESTAMP)"
    milliseconds = _epoch_milliseconds(clock)
    rest = f"(epoch_us({clock}) - {milliseconds} * 1000)"  # added by itself, so that the last digit is Trino's
    sql = f"({milliseconds} / CAST(1000 AS DOUBLE) + {rest} / CAST(1000000 AS DOUBLE))"
    return derived(sql, DOUBLE, value)


@function("to_milliseconds")
def _to_millis(call: FunctionCall) -> Expr:
    call.need(1)
    value = call.arg(0)
    if value.type != DAY_TIME:
        raise Refusal(f"to_milliseconds takes an interval of days to seconds, not {value.type}")
    return derived(value.sql, BIGINT, value)


def in_zone(value: Expr, zone: Expr) -> Expr:
    """AT TIME ZONE: the same moment seen elsewhere; a timestamp without zone is UTC."""
    name = zone_name(constant_text(zone, "the zone"))
    value = moment_of(moment(value, "AT TIME ZONE"))
    if value.type == DATE:
        raise Refusal("AT TIME ZONE takes a timestamp", "CAST the date to timestamp first.")
    return derived(value.sql, zoned(value.type.precision, name), value)


@function("at_timezone")
def _at_zone(call: FunctionCall) -> Expr:
    call.need(2)
    return in_zone(call.arg(0), call.arg(1))  # a timestamp without a zone is coerced: it is UTC


@function("with_timezone")
def _with_zone(call: FunctionCall) -> Expr:
    call.need(2)
    value = call.arg(0)
    if value.type.name != "timestamp":
        raise Refusal(f"with_timezone takes a timestamp without zone, not {value.type}")
    return from_local(value, zoned(value.type.precision, zone_name(constant_text(call.arg(1), "the zone"))))
