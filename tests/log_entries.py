"""Lines of a server's stderr, read as those read them who collect logs as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

LEVELS = {"debug", "info", "warning", "error", "critical"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_FIELDS = {"time": str, "level": str, "logger": str, "message": str, "process": int}


def entries_of(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The entries of the log; lines of the record are left out. Every line must be one or the other."""
    found = [(line, json.loads(line)) for line in lines]
    return [checked(line, one) for line, one in found if "kind" not in one]


def checked(line: str, entry: dict[str, Any]) -> dict[str, Any]:
    assert {name: type(value) for name, value in entry.items()} in (_FIELDS, {**_FIELDS, "exception": str}), line
    assert _TIME.fullmatch(entry["time"]), line
    assert entry["level"] in LEVELS, line
    assert len(line.encode()) < 16_384, line
    assert entry["logger"], line
    assert entry["message"] == " ".join(entry["message"].splitlines()), line
    assert line.rstrip("\n").isprintable(), line
    return entry
