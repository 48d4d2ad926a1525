"""Dates and times: parts, truncation, arithmetic, zones, ISO 8601 and format strings."""

from __future__ import annotations

import re

from crosstrail.engines.sql.casts import cast, coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived, failure, moment_of, require, unsure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.time_values import (
    MILLISECONDS,
    MONTHS,
    add_interval,
    add_months,
    from_local,
    local,
    offset_text,
    rounded,
    timestamp_text,
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
from crosstrail.engines.sql.zones import (
    OFFSET_PATTERN,
    full_offset,
    moved,
    offset_minutes,
    offset_sql,
    or_utc,
    zone_name,
    zoned_by_value,
)
from crosstrail.lake.reader import quoted

_PARTS = {
    "year": "year", "quarter": "quarter", "month": "month", "week": "week", "day": "day", "day_of_month": "day", "hour": "hour",
    "day_of_week": "isodow", "dow": "isodow", "day_of_year": "dayofyear", "doy": "dayofyear", "minute": "minute",
    "year_of_week": "isoyear", "yow": "isoyear", "week_of_year": "week", "second": "second",
}  # fmt: skip
_ZONE_PARTS = ("timezone_hour", "timezone_minute")
_CLOCK = {"hour", "minute", "second", "millisecond"}
_ISO = r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T(?:[01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?)?Z?"


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
    if part in _ZONE_PARTS:
        if value.type.name != "timestamptz":
            raise Refusal(f"{value.type} has no {part}")
        sign = f"(CASE WHEN left({offset_text(value)}, 1) = '-' THEN -1 ELSE 1 END)"
        digits = f"substr({offset_text(value)}, {2 if part == 'timezone_hour' else 5}, 2)"
        return derived(f"CAST({sign} * CAST({digits} AS BIGINT) AS BIGINT)", BIGINT, value)
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


@function(*_PARTS, *_ZONE_PARTS, "millisecond")
def _part(call: FunctionCall) -> Expr:
    call.need(1)
    return extract(call.name, call.arg(0))


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
    later = add_interval(value, span, negative=negative)
    if not value.type.size:
        return derived(later.sql, value.type, later)
    return moved(later, lambda sql: rounded(sql, later.type.precision, value.type.precision), value.type)


@function("date_diff")
def _diff(call: FunctionCall) -> Expr:
    """Whole units between two moments, cut towards zero."""
    call.need(3)
    unit, start, end = _unit(call), moment(call.arg(1), call.name), moment(call.arg(2), call.name)
    if start.type.name == end.type.name == "timestamptz" and (
        start.zone or end.zone or start.type.zone != end.type.zone
    ):
        end = _seen_from(end, start)
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


def _seen_from(value: Expr, other: Expr) -> Expr:
    """The same moment in the other's zone, which is where Trino counts days and months."""
    kind = zoned(value.type.precision, other.type.zone)
    value = moment_of(value)
    return zoned_by_value(value.sql, other.zone, kind, value) if other.zone else derived(value.sql, kind, value)


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
    clock = f"regexp_extract({text.sql}, '^[0-9-]{{10}}(T[0-9:]+([.,][0-9]+)?)?')"
    seconds = f"(CASE WHEN length({clock}) = 16 THEN ':00' ELSE '' END)"
    utc = f"date_trunc('millisecond', CAST(replace(replace({clock}, 'T', ' '), ',', '.') || {seconds} AS TIMESTAMP))"
    if isinstance(text.value, str):
        found = re.fullmatch(_ISO.replace("Z?", rf"(Z|{OFFSET_PATTERN})?"), text.value)
        if not found:
            raise Refusal("this text is no ISO 8601 timestamp", "Write '2026-11-20T09:00:00Z'.")
        name = zone_name(found[5] or "UTC")
        return Expr(f"({utc} - to_minutes({offset_minutes(name)}))", zoned(3, name))
    zone = f"regexp_extract({text.sql}, '[+-][0-9]{{2}}(:?[0-9]{{2}})?$')"
    known = f"regexp_full_match({text.sql}, {quoted(_ISO)})"
    also = f"regexp_full_match({text.sql}, {quoted(_ISO.replace('Z?', OFFSET_PATTERN))})"
    other = f"regexp_full_match({text.sql}, '[0-9TtWwZz:.,+-]+')"
    odd = unsure("an ISO 8601 timestamp in an unusual form", zoned(3))
    bad = failure("a text is no ISO 8601 timestamp", zoned(3))
    rest = f"WHEN {text.sql} IS NULL THEN NULL WHEN {other} THEN {odd} ELSE {bad}"
    named = full_offset(zone)
    instant = f"(CASE WHEN {known} THEN {utc} WHEN {also} THEN {utc} - to_minutes({offset_sql(named)}) {rest} END)"
    zone_sql = f"(CASE WHEN {known} THEN 'UTC' WHEN {also} THEN {or_utc(named)} ELSE NULL END)"
    return zoned_by_value(instant, zone_sql, zoned(3), text)


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
        offset = offset_text(value)
        sql = f"({sql} || (CASE WHEN {offset} = '+00:00' THEN 'Z' ELSE {offset} END))"
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
