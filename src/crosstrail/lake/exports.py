"""Rows of CloudTrail Lake, Athena and this lake, exported as JSON, back to records.

Decides which column is which field of a record: the columns' names are the fields' in lower case. Times, texts and numbers
stay as the export has them. A row that carries its whole record (`eventjson`) is never looked at here: see records.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from crosstrail.lake.column_fields import FIELD_OF_COLUMN, IDENTITY_FIELDS, MAP_COLUMNS, RESOURCE_FIELDS
from crosstrail.lake.json_text import NotJson, parsed
from crosstrail.models import DEFAULT_CLOUD

CLOUD = DEFAULT_CLOUD
"""Of the rows that CloudTrail Lake and Athena give."""
_NEEDED = ("eventtime", "eventname", "eventid")
_FIELDS = FIELD_OF_COLUMN | {"eventtime": "eventTime", "eventid": "eventID"}
_IS_CELLS = re.compile(
    rb'\s*\[\s*\{\s*"\w{1,40}"\s*:\s*(?:"(?:[^"\\]|\\.){0,4096}"|null)\s*\}\s*,\s*\{\s*"\w{1,40}"\s*:'
)
_MAX_ROW = 2 * 1024 * 1024
_TRUTH = {"true": True, "false": False}


def is_row(item: Mapping[str, object]) -> bool:
    """Whether the object is an exported row of one event."""
    return all(isinstance(item.get(name), str) for name in _NEEDED)


def are_cells(raw: bytes, place: int) -> bool:
    """Whether the list that begins at `place` may be a row, as GetQueryResults gives rows."""
    return _IS_CELLS.match(raw, place) is not None


def from_cells(raw: bytes) -> dict[str, object] | None:
    """The row that a list of one-key objects is, as GetQueryResults gives rows; None for any other list."""
    if len(raw) > _MAX_ROW or not are_cells(raw, 0):
        return None
    cells = parsed(raw)
    if not isinstance(cells, list) or not all(isinstance(cell, dict) and len(cell) == 1 for cell in cells):
        return None
    row = {key.lower(): value for cell in cells for key, value in cell.items()}
    return row if len(row) == len(cells) and ("eventjson" in row or is_row(row)) else None


def to_record(item: Mapping[str, object]) -> dict[str, object]:
    """The record of a row: NULL, which some exports write as an empty text or `null`, is an absent field."""
    record: dict[str, object] = {}
    for column, value in item.items():
        field = _FIELDS.get(column)
        if field is None or value in (None, "", "null"):
            continue
        if column in MAP_COLUMNS or column in ("useridentity", "resources", "tlsdetails"):
            value = _inner(value)
        if column in ("useridentity", "tlsdetails"):
            value = _renamed(value, IDENTITY_FIELDS)
        elif column == "resources" and isinstance(value, list):
            value = [_renamed(one, RESOURCE_FIELDS) for one in value]
        elif column in ("readonly", "managementevent") and isinstance(value, str):
            value = _TRUTH.get(value.lower(), value)
        record[field] = value
    return record


def _inner(value: object) -> object:
    """What a nested column's text holds, where it is JSON."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return parsed(value.encode())
        except (NotJson, RecursionError):
            return value
    return value


def _renamed(value: object, names: Mapping[str, str], depth: int = 8) -> object:
    if not isinstance(value, dict) or not depth:
        return value
    return {names.get(key, key): _renamed(inner, names, depth - 1) for key, inner in value.items()}
