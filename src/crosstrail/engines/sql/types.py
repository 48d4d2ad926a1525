"""Trino's types: what an expression is, what it may be coerced to, and how DuckDB holds it.

This module decides coercions as Trino documents them. It never looks at values. How values are held in DuckDB where
that is not obvious: a timestamp with time zone is a UTC TIMESTAMP whose zone is known when the statement is compiled; an
interval is a BIGINT of milliseconds or months; json is JSON text; ipaddress is a BLOB of 16 bytes; a row is a STRUCT whose
fields are f0, f1, ... unless it is a column of the lake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_DECIMAL = 38
BY_VALUE = "*"
"""In place of a zone's name, of a query's column: each value has its own, and is held as a STRUCT of the moment and its name."""


@dataclass(frozen=True, slots=True)
class Type:
    """`args` are a container's element types; `size` is a timestamp's precision or a decimal's (precision, scale)."""

    name: str
    args: tuple[Type, ...] = ()
    fields: tuple[str, ...] = ()
    """A row's field names as written; empty text for a field without one."""
    size: tuple[int, ...] = ()
    zone: str = ""
    keys: tuple[str, ...] = ()
    """A row's field names in DuckDB."""
    weight: int = field(init=False, compare=False, repr=False)
    """How many types it is made of, itself included."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", 1 + sum(part.weight for part in self.args))

    def __str__(self) -> str:
        match self.name:
            case "row":
                pairs = zip(self.fields, self.args, strict=True)
                return f"row({', '.join(f'{name} {kind}'.strip() for name, kind in pairs)})"
            case "decimal":
                return f"decimal({self.precision},{self.scale})"
            case "timestamp":
                return f"timestamp({self.size[0]})"
            case "timestamptz":
                return f"timestamp({self.size[0]}) with time zone"
        inner = ", ".join(str(part) for part in (*self.args, *self.size))
        return f"{self.name}({inner})" if inner else self.name

    @property
    def element(self) -> Type:
        return self.args[0]

    @property
    def precision(self) -> int:
        return self.size[0]

    @property
    def scale(self) -> int:
        return self.size[1]


UNKNOWN = Type("unknown")
BOOLEAN = Type("boolean")
TINYINT, SMALLINT, INTEGER, BIGINT = (Type(name) for name in ("tinyint", "smallint", "integer", "bigint"))
REAL, DOUBLE = Type("real"), Type("double")
VARCHAR, VARBINARY, JSON = Type("varchar"), Type("varbinary"), Type("json")
DATE, IPADDRESS = Type("date"), Type("ipaddress")
HUGEINT = Type("hugeint")
"""Of intermediate results only; Trino has no such type."""
DAY_TIME, YEAR_MONTH = Type("interval day to second"), Type("interval year to month")

_INTEGER_DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
_DUCK = {
    "unknown": "INTEGER",
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double": "DOUBLE",
    "varchar": "VARCHAR",
    "varbinary": "BLOB",
    "json": "JSON",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP",
    "ipaddress": "BLOB",
    DAY_TIME.name: "BIGINT",
    YEAR_MONTH.name: "BIGINT",
    "hugeint": "HUGEINT",
}


def array_of(element: Type) -> Type:
    return Type("array", (element,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def row_of(kinds: Sequence[Type], names: Sequence[str] = (), keys: Sequence[str] = ()) -> Type:
    """A row; without `keys` its fields are f0, f1, ... in DuckDB."""
    return Type(
        "row",
        tuple(kinds),
        tuple(names) or ("",) * len(kinds),
        keys=tuple(keys) or tuple(f"f{index}" for index in range(len(kinds))),
    )


def decimal_of(precision: int, scale: int) -> Type:
    return Type("decimal", size=(precision, scale))


def timestamp_of(precision: int) -> Type:
    return Type("timestamp", size=(precision,))


def zoned(precision: int, zone: str = "UTC") -> Type:
    return Type("timestamptz", size=(precision,), zone=zone)


def duck(kind: Type) -> str:
    """The DuckDB type that holds it."""
    match kind.name:
        case "decimal":
            return f"DECIMAL({kind.precision}, {kind.scale})"
        case "timestamptz" if kind.zone == BY_VALUE:
            return "STRUCT(t TIMESTAMP, z VARCHAR)"
        case "array":
            return f"{duck(kind.element)}[]"
        case "map":
            return f"MAP({duck(kind.args[0])}, {duck(kind.args[1])})"
        case "row":
            pairs = zip(kind.keys, kind.args, strict=True)
            return f"STRUCT({', '.join(f'{key} {duck(part)}' for key, part in pairs)})"
    return _DUCK[kind.name]


def is_integer(kind: Type) -> bool:
    return kind.name in _INTEGER_DIGITS


def is_exact(kind: Type) -> bool:
    return is_integer(kind) or kind.name == "decimal"


def is_number(kind: Type) -> bool:
    return is_exact(kind) or kind.name in ("real", "double")


def is_moment(kind: Type) -> bool:
    return kind.name in ("date", "timestamp", "timestamptz")


def is_interval(kind: Type) -> bool:
    return kind in (DAY_TIME, YEAR_MONTH)


def is_comparable(kind: Type) -> bool:
    """May be grouped and made distinct."""
    return kind.name != "function" and kind.zone != BY_VALUE and all(is_comparable(part) for part in kind.args)


def holds_json(kind: Type) -> bool:
    return kind.name == "json" or any(holds_json(part) for part in kind.args)


def is_orderable(kind: Type) -> bool:
    return (
        kind.name not in ("map", "json", "function")
        and kind.zone != BY_VALUE
        and all(is_orderable(part) for part in kind.args)
    )


def as_decimal(kind: Type) -> Type:
    """The decimal that holds an integer type whole; a decimal itself."""
    return kind if kind.name == "decimal" else decimal_of(_INTEGER_DIGITS[kind.name], 0)


def can_coerce(source: Type, target: Type) -> bool:
    """Whether Trino turns `source` into `target` without being asked to."""
    return common(source, target) == target


def common(left: Type, right: Type) -> Type | None:
    """The type both can be coerced to, or None."""
    if left == right or right == UNKNOWN:
        return left
    if left == UNKNOWN:
        return right
    if is_number(left) and is_number(right):
        return _common_number(left, right)
    if is_moment(left) and is_moment(right):
        return _common_moment(left, right)
    if left.name == right.name and len(left.args) == len(right.args) and left.args:
        parts = [common(one, other) for one, other in zip(left.args, right.args, strict=True)]
        kinds = [part for part in parts if part is not None]
        if len(kinds) < len(parts):
            return None
        if left.name == "row":
            names = [a if a == b else "" for a, b in zip(left.fields, right.fields, strict=True)]
            return row_of(kinds, names)
        return Type(left.name, tuple(kinds))
    return None


def _common_number(left: Type, right: Type) -> Type:
    for wide in (DOUBLE, REAL):
        if wide in (left, right):
            return wide
    if is_integer(left) and is_integer(right):
        return max(left, right, key=lambda kind: _INTEGER_DIGITS[kind.name])
    one, other = as_decimal(left), as_decimal(right)
    scale = max(one.scale, other.scale)
    integers = max(one.precision - one.scale, other.precision - other.scale)
    return decimal_of(min(MAX_DECIMAL, integers + scale), scale)


def _common_moment(left: Type, right: Type) -> Type | None:
    precision = max((kind.precision for kind in (left, right) if kind.size), default=0)
    zones = {kind.zone for kind in (left, right) if kind.name == "timestamptz"}
    if len(zones) > 1:
        return None
    if zones:
        zone = zones.pop()
        # A plain timestamp would be read in the session's zone, which is UTC and need not be the other side's.
        alone = all(kind.name == "timestamptz" for kind in (left, right))
        return zoned(precision, zone) if alone or zone == "UTC" else None
    return timestamp_of(precision)
