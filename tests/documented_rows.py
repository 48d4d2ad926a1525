"""Rows that a command wrote, held against their documented schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).parents[1] / "docs" / "output.schema.json"


def rows_of(command: str, document: str) -> list[dict[str, Any]]:
    """The rows of a document of --format json, each of which is as docs/output.schema.json says."""
    rows: list[dict[str, Any]] = json.loads(document)
    schema = json.loads(SCHEMAS.read_text())["$defs"][command]
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for row in rows:
        validator.validate(row)
    return rows
