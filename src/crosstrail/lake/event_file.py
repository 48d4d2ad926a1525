"""Events that a cloud gave, as one data file of the lake's columns beside the lake: for what reads both alike.

It decides nothing about events: records become rows as those of log files do (lake/records.py), under the account that gave them. Such
a file is never part of a lake.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import orjson

from crosstrail.lake.documents import Document
from crosstrail.lake.records import records
from crosstrail.lake.rows import Row, to_table
from crosstrail.models import Event


def write_events(path: Path, events: Iterable[Event]) -> int:
    """How many of them are in the new file; each must have its record. One whose record is none of an audit event is left out."""
    from crosstrail.lake.schema import ARROW_SCHEMA
    from crosstrail.lake.stage import write_parquet

    rows = [row for event in events for row in _rows(event)]
    rows.sort(key=lambda row: row.micros)
    write_parquet([to_table(rows, ARROW_SCHEMA)] if rows else (), path, ARROW_SCHEMA)
    return len(rows)


def _rows(event: Event) -> list[Row]:
    text = event.text.encode("utf-8", "replace") or orjson.dumps(event.record or {}, default=str)
    document = Document(0, text, False, text)
    try:
        found = list(records(document, "", event.account, (event.cloud, event.account)))
    except ValueError:
        return []
    return [row for row in found if isinstance(row, Row)]
