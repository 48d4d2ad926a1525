"""Rows that a command wrote, held against their documented schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import jsonschema

from write_schemas import SCHEMAS


def rows_of(command: str, document: str) -> list[dict[str, Any]]:
    """The rows of a document of --format json, each of which is as docs/output.schema.json says."""
    rows: list[dict[str, Any]] = json.loads(document)
    check_rows(command, rows)
    return rows


def check_rows(command: str, rows: Iterable[object]) -> None:
    schema = json.loads(SCHEMAS.read_text())["$defs"][command]
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for row in rows:
        validator.validate(row)
