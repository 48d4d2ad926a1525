"""How a value of a result reads: text, as CloudTrail Lake prints it.

Decides the text of every Trino type; containers become compact JSON. It never cuts or fences anything: that is for whoever
shows it.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from crosstrail.engines.sql.addresses import shown
from crosstrail.engines.sql.types import BY_VALUE, Type
from crosstrail.engines.sql.zones import offset_minutes

_Value = Any
"""What Arrow's `as_py` gives for a column's type, which `Type` says at run time alone."""


def renderer(kind: Type) -> Callable[[_Value], str | None]:
    """A function from a value as Arrow gives it (`as_py`) to its text; None stays None."""

    def render(value: _Value) -> str | None:
        if value is None:
            return None
        if kind.args:
            import orjson

            return orjson.dumps(plain(value, kind), option=orjson.OPT_NON_STR_KEYS).decode()
        return scalar(value, kind)

    return render


def scalar(value: _Value, kind: Type) -> str:
    """The text of a value that is no container and not None."""
    match kind.name:
        case "boolean":
            return "true" if value else "false"
        case "double" | "real":
            return java_double(float(value)) if kind.name == "double" else java_double(_as_real(value))
        case "timestamp":
            return _moment(value, kind.precision)
        case "timestamptz":
            zone = kind.zone
            if zone == BY_VALUE:
                value, zone = value["t"], value["z"]
            return f"{_moment(_wall_clock(value, zone), kind.precision)} {zone}"
        case "date":
            return value.isoformat() if isinstance(value, date) else str(value)
        case "interval day to second":
            integer, rest = divmod(abs(value), 86_400_000)
            clock = f"{rest // 3_600_000:02d}:{rest // 60_000 % 60:02d}:{rest // 1000 % 60:02d}.{rest % 1000:03d}"
            return f"{'-' if value < 0 else ''}{integer} {clock}"
        case "interval year to month":
            return f"{'-' if value < 0 else ''}{abs(value) // 12}-{abs(value) % 12}"
        case "ipaddress":
            return shown(value)
        case "varbinary":
            return base64.b64encode(value).decode()
        case "decimal":
            return f"{value:f}"
    return str(value)


def plain(value: _Value, kind: Type) -> _Value:
    """The value as JSON's own types, for containers; numbers, booleans and NULL stay what they are."""
    if value is None:
        return None
    match kind.name:
        case "array":
            return [plain(item, kind.element) for item in value]
        case "map":
            pairs = value.items() if isinstance(value, Mapping) else value
            return {_key(key, kind.args[0]): plain(item, kind.args[1]) for key, item in pairs}
        case "row":
            names = [name or f"field{index}" for index, name in enumerate(kind.fields)]
            parts = zip(names, kind.keys, kind.args, strict=True)
            return {name: plain(value[key], part) for name, key, part in parts}
        case "boolean" | "tinyint" | "smallint" | "integer" | "bigint":
            return value
        case "double" if math.isfinite(value):
            return float(value)
        case "real" if math.isfinite(value):
            return float(java_double(_as_real(value)))
    return scalar(value, kind)


def _key(key: _Value, kind: Type) -> str:
    return scalar(key, kind) if not kind.args else str(plain(key, kind))


def _moment(value: datetime, digits: int) -> str:
    text = value.isoformat(" ", "microseconds")[:26]
    return text[: 20 + digits if digits else 19]


def _wall_clock(value: datetime, zone: str) -> datetime:
    minutes = offset_minutes(zone)
    there = ZoneInfo(zone) if minutes is None else timezone(timedelta(minutes=minutes))
    return value.replace(tzinfo=timezone.utc).astimezone(there)  # noqa: UP017


def _as_real(value: _Value) -> float:
    """The shortest decimal of two digits or more that is this single-precision number."""
    import struct

    for digits in range(2, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("f", short) == struct.pack("f", value):
            return short
    return float(value)


def java_double(value: float) -> str:
    """As Java prints a double: 0.1, 1.0E7, 1.0E-4, NaN, Infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(value)
        return text if "e" not in text else f"{value:f}".rstrip("0")
    two = f"{value:.1e}"  # Java writes two digits at least: those nearest to the value, where one would do
    shortest = two if float(two) == value else repr(value)
    digits, _, exponent = shortest.replace("-", "", 1 if value < 0 else 0).partition("e")
    integer, _, fraction = digits.partition(".")
    power = int(exponent or 0) + len(integer) - 1
    significant = (integer + fraction).lstrip("0")
    if integer.strip("0") == "":
        power = int(exponent or 0) - (len(fraction) - len(fraction.lstrip("0"))) - 1
    significant = significant.rstrip("0") or "0"
    return f"{'-' if value < 0 else ''}{significant[0]}.{significant[1:] or '0'}E{power}"
