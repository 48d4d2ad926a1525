"""The one relation that Trino is asked for: a view of the lake's table with the documented columns, and how it is read.

Decides what stands in the view and what does not: no column of our own lookups, none of Iceberg's hidden ones, and no name
of a `$` table leads past it. Views of an Iceberg catalog have no timestamp(3), so the view says timestamp(6) as the table
does, and whoever reads it takes CloudTrail Lake's type (`relation`). `event_date` is there for pruning: Trino sees a condition
on it as one on the table's partitions, which it does not through the cast.
"""

from __future__ import annotations

from crosstrail.engines.trino_access import quoted_name
from crosstrail.lake.schema import COLUMNS

DAY = "event_date"
"""A column of the view beside those of COLUMNS."""
_SOURCE_OBJECT = r"""CASE WHEN NOT starts_with(source_object, '/') THEN source_object
WHEN strpos(source_object, '/AWSLogs/') > 0 THEN regexp_extract(source_object, '/(AWSLogs/.*)$', 1)
ELSE regexp_extract(source_object, '/([^/]*|[^/]*[.][zZ][iI][pP]!.*)$', 1) END"""
"""As lake/reader.py has it for DuckDB."""


def create_view(view: tuple[str, str, str], table: tuple[str, str, str]) -> str:
    """The statement that makes the view, or makes it anew. Each name: catalog, schema, name."""
    listed = ",\n  ".join(in_view(column.name) for column in COLUMNS)
    return (
        f"CREATE OR REPLACE VIEW {quoted_name(*view)} SECURITY DEFINER AS SELECT\n  {listed},\n"
        f"  CAST(eventtime AS date) AS {DAY}\nFROM {quoted_name(*table)}"
    )


def in_view(name: str) -> str:
    """A column of the view, of the lake's table."""
    return f"{_SOURCE_OBJECT} AS source_object" if name == "source_object" else name


def relation(view: tuple[str, str, str]) -> str:
    """What stands in a FROM: the view with CloudTrail Lake's types."""
    listed = ", ".join(_typed(column.name, column.type) for column in COLUMNS)
    return f"(SELECT {listed}, {DAY} FROM {quoted_name(*view)})"  # noqa: S608 - names that are quoted


def _typed(name: str, kind: str) -> str:
    if "timestamp" not in kind:
        return name
    return f"CAST({name} AS {kind.replace('timestamp', 'timestamp(3)')}) AS {name}"


def grant(view: tuple[str, str, str]) -> str:
    """What an administrator allows the user of queries: the view alone."""
    return f"GRANT SELECT ON {quoted_name(*view)} TO USER ..."
