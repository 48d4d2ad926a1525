"""All lines of a record, whichever of its files they are in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from crosstrail.record.files import compressed_name, record_files


def lines_of(audit: Path) -> list[dict[str, Any]]:
    """The oldest file first; the lock beside them is empty."""
    assert audit.with_name(f"{audit.name}.lock").read_bytes() == b""
    files = sorted(record_files(audit), key=lambda file: (file == audit, file.name))
    return [json.loads(line) for file in files for line in _text(file).splitlines()]


def _text(file: Path) -> str:
    try:
        raw = file.read_bytes()
    except FileNotFoundError:  # compressed meanwhile
        raw = compressed_name(file).read_bytes()
    return (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode()
