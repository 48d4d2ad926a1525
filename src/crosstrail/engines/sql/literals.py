"""Literals: numbers, texts, typed literals such as TIMESTAMP '...', intervals, and the names of types.

Decides a literal's type exactly as Trino does; what Trino refuses is refused here.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from sqlglot import exp

from crosstrail.engines.sql import types
from crosstrail.engines.sql.addresses import address_literal
from crosstrail.engines.sql.expr import Expr, Refusal, text_literal
from crosstrail.engines.sql.json_literals import json_literal
from crosstrail.engines.sql.time_values import MILLISECONDS, MONTHS, from_local
from crosstrail.engines.sql.types import BIGINT, DAY_TIME, DOUBLE, INTEGER, VARCHAR, YEAR_MONTH, Type, decimal_of
from crosstrail.engines.sql.zones import exists, zone_name
from crosstrail.vocabulary import words

TYPED = "typed"
"""The mark that parse.py leaves on a typed literal."""

ODD = "odd"
"""The mark that parse.py leaves on an interval that Trino has no such spelling of."""

COMMA = "comma"
"""The mark that parse.py leaves on a comma between tables, which the parser takes for a JOIN without ON."""

_MOMENT = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:\s+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,12}))?)?)?\s*([A-Za-z+-][\w/+:-]*)?\s*",
    re.ASCII,
)
_DAY_TO_SECOND = re.compile(r"(\d+)(?: (\d+)(?::(\d+)(?::(\d+)(?:\.(\d{1,3}))?)?)?)?", re.ASCII)
_NAMES: dict[exp.DType, Type] = {
    exp.DType.BOOLEAN: types.BOOLEAN,
    exp.DType.TINYINT: types.TINYINT,
    exp.DType.SMALLINT: types.SMALLINT,
    exp.DType.INT: types.INTEGER,
    exp.DType.BIGINT: types.BIGINT,
    exp.DType.FLOAT: types.REAL,
    exp.DType.DOUBLE: types.DOUBLE,
    exp.DType.VARCHAR: types.VARCHAR,
    exp.DType.VARBINARY: types.VARBINARY,
    exp.DType.JSON: types.JSON,
    exp.DType.DATE: types.DATE,
    exp.DType.IPADDRESS: types.IPADDRESS,
}


def literal(node: exp.Literal, *, negative: bool = False) -> Expr:
    text, sign = str(node.this), "-" if negative else ""
    if node.is_string:
        return text_literal(text, VARCHAR)
    if re.fullmatch(r"\d+", text):
        number = int(text)
        if number >= 2**63 + negative:
            raise Refusal("this number is too large", "Write it as a decimal: DECIMAL '...'.")
        kind = INTEGER if number < 2**31 + negative else BIGINT
        shown = f"CAST(-{number} AS {types.duck(kind)})" if negative else f"{number}::{types.duck(kind)}"
        return Expr(shown, kind, value=-number if negative else number)
    if re.fullmatch(r"\d*\.\d*", text):
        return _decimal(sign + text)
    if re.fullmatch(r"(\d+\.?\d*|\.\d+)[eE][+-]?\d+", text):
        return Expr(f"CAST('{sign}{text}' AS DOUBLE)", DOUBLE)
    raise Refusal("this is no number")


def _decimal(text: str) -> Expr:
    sign = "-" if text.startswith("-") else ""
    integer, _, fraction = text.lstrip("+-").partition(".")
    digits = (integer.lstrip("0") + fraction) or "0"
    if len(digits) > types.MAX_DECIMAL:
        raise Refusal("this number has more than 38 digits")
    kind = decimal_of(max(1, len(digits)), len(fraction))
    shown = f"{sign}{integer or '0'}.{fraction or '0'}"
    return Expr(f"CAST('{shown}' AS {types.duck(kind)})", kind, value=Decimal(shown))


def binary(node: exp.HexString) -> Expr:
    text = str(node.this)
    if not re.fullmatch(r"([0-9A-Fa-f]{2})*", text):
        raise Refusal("a binary literal takes pairs of hexadecimal digits")
    return Expr(f"unhex('{text}')", types.VARBINARY)


def is_typed_literal(node: exp.Cast) -> bool:
    """Whether it was written TYPE '...' and not CAST(... AS type)."""
    return TYPED in node.meta


def moment(text: str, to: exp.DataType) -> Expr:
    """DATE '...', TIMESTAMP '...' with or without zone, DECIMAL '...', and the like."""
    name = to.this
    if name == exp.DType.DATE:
        return _date(text)
    if name in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ):
        return _timestamp(text)
    if name == exp.DType.DECIMAL and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text):
        return _decimal(text)
    from crosstrail.engines.sql.casts import cast

    if name == exp.DType.JSON:
        return json_literal(text)
    if name == exp.DType.IPADDRESS:
        return address_literal(text)
    return cast(text_literal(text, VARCHAR), type_of(to))


def _date(text: str) -> Expr:
    found = re.fullmatch(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*", text, re.ASCII)
    try:
        day = datetime(*(int(part) for part in found.groups())) if found else None  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        day = None
    if day is None:
        raise Refusal("this text is no date", "Write DATE '2026-11-20'.")
    return Expr(f"DATE '{day.date().isoformat()}'", types.DATE)


def _timestamp(text: str) -> Expr:
    found = _MOMENT.fullmatch(text)
    if not found:
        raise Refusal("this text is no timestamp", "Write TIMESTAMP '2026-11-20 09:00:00'.")
    parts = [int(part or 0) for part in found.groups()[:6]]
    fraction, zone = found[7] or "", found[8] or ""
    if len(fraction) > 6:
        raise Refusal("times have at most six digits after the second here")
    try:
        value = datetime(*parts[:3], *parts[3:], int(fraction.ljust(6, "0")))  # type: ignore[arg-type,call-arg]  # noqa: DTZ001
    except ValueError:
        raise Refusal("this text is no timestamp", "Write TIMESTAMP '2026-11-20 09:00:00'.") from None
    plain = Expr(f"TIMESTAMP '{value.isoformat(' ')}'", types.timestamp_of(len(fraction)))
    if not zone:
        return plain
    if not exists(value, zone_name(zone)):
        raise Refusal("there is no such time in this zone: its clocks were set forward", "Write it in UTC.")
    return from_local(plain, types.zoned(len(fraction), zone_name(zone)))


def interval(node: exp.Interval) -> Expr:
    if ODD in node.meta:
        raise Refusal("an interval is written as a quoted number and a unit in the singular", "Write INTERVAL '7' DAY.")
    written, unit = node.this, node.args.get("unit")
    negative = isinstance(written, exp.Neg)
    text = str(written.this.name if negative else written.name).strip()
    negative ^= text.startswith("-")
    text = text.lstrip("+-")
    if isinstance(unit, exp.IntervalSpan):
        return _span(text, unit.this.name.lower(), unit.expression.name.lower(), negative)
    name = (unit.name if unit else "").lower()
    if not re.fullmatch(r"\d{1,12}(\.\d{1,3})?", text) or ("." in text and name != "second"):
        raise Refusal("this is no interval", "Write INTERVAL '7' DAY.")
    sign = -1 if negative else 1
    if name in MONTHS and name != "quarter":
        return _of(sign * int(text) * MONTHS[name], YEAR_MONTH)
    if name in MILLISECONDS and name not in ("millisecond", "week"):
        return _of(sign * int(Decimal(text) * MILLISECONDS[name]), DAY_TIME)
    raise Refusal("an interval has the unit year, month, day, hour, minute or second", "Write INTERVAL '7' DAY.")


def _span(text: str, start: str, end: str, negative: bool) -> Expr:
    sign = -1 if negative else 1
    if (start, end) == ("year", "month") and (found := re.fullmatch(r"(\d+)-(\d+)", text, re.ASCII)):
        return _of(sign * (int(found[1]) * 12 + int(found[2])), YEAR_MONTH)
    if start == "day" and end in ("hour", "minute", "second") and (found := _DAY_TO_SECOND.fullmatch(text)):
        day, hour, minute, second = (int(part or 0) for part in found.groups()[:4])
        total = ((day * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + int((found[5] or "").ljust(3, "0"))
        return _of(sign * total, DAY_TIME)
    raise Refusal("this kind of interval is not supported here", "Write INTERVAL '7' DAY.")


def _of(amount: int, kind: Type) -> Expr:
    return Expr(f"({amount}::BIGINT)", kind)


def type_of(node: exp.DataType) -> Type:
    """The type a CAST names. Raises Refusal."""
    name, params = node.this, list(node.expressions)
    if name in _NAMES and (not params or name == exp.DType.VARCHAR):
        return _NAMES[name]
    if name == exp.DType.DECIMAL:
        sizes = [int(part.name) for part in params if part.name.isdigit()] or [38, 0]
        precision, scale = (*sizes, 0)[:2]
        if not 1 <= precision <= types.MAX_DECIMAL or scale > precision:
            raise Refusal("a decimal has 1 to 38 digits")
        return decimal_of(precision, scale)
    if name in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ):
        digits = int(params[0].name) if params else 3
        if digits > 6:
            raise Refusal("times have at most six digits after the second here")
        return types.timestamp_of(digits) if name == exp.DType.TIMESTAMP else types.zoned(digits)
    if name == exp.DType.ARRAY and len(params) == 1:
        return types.array_of(type_of(params[0]))
    if name == exp.DType.MAP and len(params) == 2:
        return types.map_of(type_of(params[0]), type_of(params[1]))
    if name == exp.DType.STRUCT and params:
        if all(isinstance(part, exp.ColumnDef) for part in params):
            return types.row_of([type_of(part.args["kind"]) for part in params], [part.name for part in params])
        return types.row_of([type_of(part) for part in params])
    raise Refusal("this type is not supported here", f"See {words().sql_page}: it lists the types.")


def varchar_width(node: exp.DataType) -> int:
    """The n of varchar(n); 0 without one."""
    if node.this != exp.DType.VARCHAR or not node.expressions:
        return 0
    return int(node.expressions[0].name)
