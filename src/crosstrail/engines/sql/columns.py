"""The lake's columns as the dialect knows them: their names and Trino types, read from the lake's own schema."""

from __future__ import annotations

from functools import cache

from sqlglot import exp
from sqlglot.dialects.trino import Trino

from crosstrail.engines.sql.literals import type_of
from crosstrail.engines.sql.scope import Field
from crosstrail.engines.sql.types import Type, array_of, map_of, row_of
from crosstrail.lake.schema import COLUMNS


@cache
def lake_fields() -> tuple[Field, ...]:
    """Every column that SQL shows, in order."""
    return tuple(Field(column.name, column.name, lake_type(column.type)) for column in COLUMNS)


def lake_type(text: str) -> Type:
    """Trino's text of a column's type; a row's fields are held under their own names."""
    return _stored(type_of(exp.DataType.build(text, dialect=Trino)))


def _stored(kind: Type) -> Type:
    parts = [_stored(part) for part in kind.args]
    match kind.name:
        case "row":
            return row_of(parts, kind.fields, kind.fields)
        case "array":
            return array_of(parts[0])
        case "map":
            return map_of(*parts)
    return kind
