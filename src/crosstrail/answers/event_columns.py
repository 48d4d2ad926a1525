"""The event table as SQL writers need it: columns with type and meaning, the names FROM takes, five example queries.

One text for the resource crosstrail://schema/events and for list_event_data_stores. It decides how they are worded; the
columns are the lake's own, the examples sql_examples.py's.
"""

from __future__ import annotations

from crosstrail.answers.sql_examples import DESCRIBED, SQL_EXAMPLES
from crosstrail.lake.schema import COLUMNS


def described_columns() -> str:
    """About 6 KB of plain text."""
    lines = [
        "The event table. SQL is CloudTrail Lake's dialect (Trino), one SELECT. FROM names: events (all accounts), an "
        "account's id or alias, or an event data store id. Times are UTC.",
        "column | type | meaning",
        *(f"{column.name} | {column.type} | {column.description}" for column in COLUMNS),
        "",
        "Fields of a row are reached by a dot (useridentity.sessioncontext.sessionissuer.arn), map values by "
        "element_at(requestparameters, 'bucketName'); nested values in a map are JSON text.",
    ]
    for one in SQL_EXAMPLES[:DESCRIBED]:
        lines += ["", f"-- {one.title}", one.sql]
    return "\n".join(lines)
