"""CAST between types that hold no other: which texts are numbers, times and booleans, and how values read as text.

Decides how decimals and doubles are rounded, as Trino does. DuckDB accepts far more texts than Trino does, so every cast
from text is guarded by a pattern.
"""

from __future__ import annotations

from crosstrail.engines.sql.addresses import address_from_text, address_text
from crosstrail.engines.sql.expr import Expr, Refusal, derived, failure, require, require_sure, unsure
from crosstrail.engines.sql.time_values import day_time_text, local, rounded, timestamp_text, year_month_text
from crosstrail.engines.sql.timestamp_texts import (
    DATE_TEXT,
    LONG_YEAR,
    ODD_TIME,
    SPACES,
    ZONED_TIME,
    clock_from_text,
    knows_zone,
    zoned_from_text,
)
from crosstrail.engines.sql.types import (
    BOOLEAN,
    DATE,
    DAY_TIME,
    DOUBLE,
    IPADDRESS,
    MAX_DECIMAL,
    REAL,
    VARBINARY,
    VARCHAR,
    YEAR_MONTH,
    Type,
    duck,
    is_integer,
    is_number,
)
from crosstrail.engines.sql.zones import moved

_INTEGER = r"[+-]?[0-9]+"
_DECIMAL = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?"
_DOUBLE = r"[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)"
# What Trino takes and DuckDB does not: digits of other scripts, hexadecimal doubles, years of fewer or more digits than four.
_OTHER_DIGITS = r"^\s*[+-]?[0-9.]*[^\x00-\x7F\P{Nd}]"
_HEXADECIMAL = r"^\s*[+-]?0[xX][0-9A-Fa-f.]+[pP]"
_ODD_YEAR = rf"^\s*[+-]?[0-9]{{1,3}}-[0-9]|{LONG_YEAR}"
_LARGEST_REAL, _BEYOND_REAL = "3.4028234663852886e38", "3.4028235677973366e38"


def cast_scalar(expr: Expr, target: Type) -> Expr:
    """Raises Refusal for a pair of types without a cast; the SQL fails on values that cannot be cast."""
    if expr.type == target:
        return expr
    if target.name == "timestamptz" and (zoned := _to_zoned(expr, target)):
        return zoned
    sql = _scalar(expr, target)
    if sql is None:
        raise Refusal(f"there is no cast from {expr.type} to {target}")
    return derived(sql, target, expr)


def _scalar(expr: Expr, target: Type) -> str | None:
    source, sql = expr.type, expr.sql
    if target == VARCHAR:
        return _to_text(expr)
    if source == VARCHAR:
        return _from_text(sql, target)
    if source == BOOLEAN and is_number(target):
        return f"CAST({sql} AS {duck(target)})"
    if target == BOOLEAN and is_number(source):
        return f"({sql} <> 0)"
    if is_number(source) and is_number(target):
        return _number(expr, target)
    if source == IPADDRESS and target == VARBINARY:
        return sql
    if target == DATE and source.name in ("timestamp", "timestamptz"):
        return f"CAST({local(expr).sql} AS DATE)"
    if target.name == "timestamp" and source.name in ("date", "timestamp", "timestamptz"):
        moment = f"CAST({local(expr).sql} AS TIMESTAMP)"
        return rounded(moment, source.size[0] if source.size else 0, target.precision)
    return None


def _to_zoned(expr: Expr, target: Type) -> Expr | None:
    """As a timestamp with time zone; what has no zone is in the session's, which is UTC."""
    source = expr.type
    if source.name == "timestamptz" and source.zone == target.zone:
        return moved(expr, lambda sql: rounded(sql, source.precision, target.precision), target)
    if target.zone != "UTC":
        return None
    if source == VARCHAR:
        return zoned_from_text(expr, target)
    if source.name not in ("date", "timestamp"):
        return None
    return derived(
        rounded(f"CAST({expr.sql} AS TIMESTAMP)", source.size[0] if source.size else 0, target.precision), target, expr
    )


def _number(expr: Expr, target: Type) -> str:
    source, sql = expr.type, expr.sql
    if source in (DOUBLE, REAL) and is_integer(target):
        # Java rounds half up, towards positive infinity, after which DuckDB's own rounding changes nothing.
        wide = f"CAST({sql} AS DOUBLE)"
        half_up = f"(CASE WHEN {wide} < 0 THEN -round(-{wide}) ELSE round({wide}) END)"
        return require(
            f"isnan({wide}) OR isinf({wide})",
            "this number fits no integer",
            f"CAST({half_up} AS {duck(target)})",
            target,
        )
    if source in (DOUBLE, REAL) and target.name == "decimal":
        return f"CAST(CAST(CAST({sql} AS DOUBLE) AS VARCHAR) AS {duck(target)})"
    if source == DOUBLE and target == REAL:  # what is too large is infinite, from halfway beyond the largest on
        sign, size = f"(CASE WHEN {sql} < 0 THEN -1 ELSE 1 END)", f"abs({sql})"
        infinite = f"WHEN NOT isnan({sql}) AND {size} >= CAST('{_BEYOND_REAL}' AS DOUBLE) THEN CAST({sign} * CAST('Infinity' AS DOUBLE) AS FLOAT)"
        largest = f"WHEN NOT isnan({sql}) AND {size} > CAST('{_LARGEST_REAL}' AS DOUBLE) THEN CAST({sign} * CAST('{_LARGEST_REAL}' AS DOUBLE) AS FLOAT)"
        return f"(CASE {infinite} {largest} ELSE CAST({sql} AS FLOAT) END)"
    return f"CAST({sql} AS {duck(target)})"


def _from_text(sql: str, target: Type) -> str | None:
    trimmed = f"trim({sql}, {SPACES})"

    def guarded(pattern: str, text: str, good: str, odd: str) -> str:
        rest = require_sure(
            f"regexp_matches({sql}, '{odd}')", f"a text that Trino may take for {target}", "NULL", target
        )
        bad = f"(CASE WHEN {sql} IS NOT NULL THEN coalesce({rest}, {failure(f'a text is no {target}', target)}) END)"
        return f"(CASE WHEN regexp_full_match({text}, '{pattern}') THEN {good} ELSE {bad} END)"

    if is_integer(target):
        bare = f"regexp_replace({sql}, '^[\\x00-\\x20]+|[\\x00-\\x20]+$', '', 'g')"  # what Java's trim() takes off
        return guarded(_INTEGER, bare, f"CAST(ltrim({bare}, '+') AS {duck(target)})", _OTHER_DIGITS)
    if target in (DOUBLE, REAL):
        bare = f"regexp_replace(ltrim({trimmed}, '+'), '([0-9.])[fFdD]$', '\\1')"
        return guarded(_DOUBLE, trimmed, f"CAST({bare} AS {duck(target)})", _HEXADECIMAL)
    if target.name == "decimal":
        return guarded(_DECIMAL, sql, f"CAST(ltrim({sql}, '+') AS {duck(target)})", _OTHER_DIGITS)
    if target == BOOLEAN:
        good = f"(lower({sql}) IN ('true', 't', '1'))"
        return require(
            f"lower({sql}) NOT IN ('true', 't', '1', 'false', 'f', '0')", "a text is no boolean", good, target
        )
    if target == DATE:
        return guarded(DATE_TEXT, trimmed, f"CAST({trimmed} AS DATE)", _ODD_YEAR)
    if target.name == "timestamp":
        # The zone is read and dropped: Trino casts to the wall clock that is written there.
        clock = clock_from_text(trimmed, target.precision)
        return guarded(ZONED_TIME, trimmed, f"(CASE WHEN {knows_zone(trimmed)} THEN {clock} END)", ODD_TIME)
    if target == VARBINARY:
        return f"encode({sql})"
    if target == IPADDRESS:
        return address_from_text(sql)
    return None


def _to_text(expr: Expr) -> str | None:
    source, sql = expr.type, expr.sql
    if source.name == "decimal" and source.precision == source.scale and source.precision < MAX_DECIMAL:
        # DuckDB leaves out the zero before the point where the type has no digits there.
        return f"CAST(CAST({sql} AS DECIMAL({source.precision + 1}, {source.scale})) AS VARCHAR)"
    if is_integer(source) or source.name in ("decimal", "boolean"):
        return f"CAST({sql} AS VARCHAR)"
    if source in (DOUBLE, REAL):
        return double_text(sql)
    if source == DATE:
        return f"strftime({sql}, '%Y-%m-%d')"
    if source.name in ("timestamp", "timestamptz"):
        return timestamp_text(expr)
    if source == DAY_TIME:
        return day_time_text(sql)
    if source == YEAR_MONTH:
        return year_month_text(sql)
    if source == IPADDRESS:
        return address_text(sql)
    return None


def double_text(sql: str) -> str:
    """Trino's text of a double: one digit, a point, the rest, E and the exponent."""
    text = f"CAST(abs({sql}) AS VARCHAR)"
    mantissa = f"split_part({text}, 'e', 1)"
    shift = f"coalesce(TRY_CAST(split_part({text}, 'e', 2) AS INTEGER), 0)"
    integer = f"split_part({mantissa}, '.', 1)"
    digits = f"ltrim(replace({mantissa}, '.', ''), '0')"
    padded = f"length(replace({mantissa}, '.', '')) - length({digits})"
    exponent = f"(length({integer}) - 1 - ({padded}) + {shift})"
    rest = f"coalesce(nullif(rtrim(substr({digits}, 2), '0'), ''), '0')"
    sign = f"(CASE WHEN signbit({sql}) THEN '-' ELSE '' END)"
    # Java writes two digits at least: those nearest to the value, where one would do.
    small = f"abs({sql}) < CAST('1.1e-322' AS DOUBLE) OR (typeof({sql}) = 'FLOAT' AND abs({sql}) < CAST('1.1e-43' AS FLOAT))"
    odd = unsure("the text of one of the smallest numbers", VARCHAR)
    return (
        f"(CASE WHEN isnan({sql}) THEN 'NaN' WHEN isinf({sql}) THEN {sign} || 'Infinity' WHEN {sql} = 0 THEN {sign} || '0E0' "
        f"WHEN {small} THEN {odd} ELSE {sign} || left({digits}, 1) || '.' || {rest} || 'E' || {exponent} END)"
    )
