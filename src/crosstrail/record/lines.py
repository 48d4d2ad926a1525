"""The lines of one file of a record, plain or compressed: each in bounded memory, the damaged ones too."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from gzip import GzipFile
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import Final

import orjson

from crosstrail.json_values import Json, text
from crosstrail.record.files import compressed_name

MAX_LINE = 16_000_000
BROKEN: Final = (OSError, EOFError, zlib.error)
"""What reading a file may raise."""
_GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """The file of that name; the compressed one when it was compressed meanwhile. Raises OSError."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        file = open(compressed_name(path), "rb")  # noqa: SIM115
    with file:
        yield file


def lines(stream: BufferedReader) -> Iterator[bytes]:
    """Each with its end, if it has one; of a longer one than 16 MB the beginning. Raises what BROKEN lists."""
    plain: BufferedIOBase = GzipFile(fileobj=stream) if stream.peek(2)[:2] == _GZIP else stream
    while line := plain.readline(MAX_LINE):
        yield line
        while len(line) == MAX_LINE and not line.endswith(b"\n"):
            line = plain.readline(MAX_LINE)


def record_of(line: bytes) -> tuple[datetime, Json] | None:
    """(its time, the record); None for what is none."""
    try:
        found = orjson.loads(line)
        time = datetime.fromisoformat(text(found["time"])).astimezone(UTC)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    return (time, found) if isinstance(found.get("kind"), str) else None


def is_log_entry(line: bytes) -> bool:
    """Whether it is of a server's log as JSON (stderr_log.py), among which a record on stderr stands."""
    try:
        found = orjson.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and "kind" not in found and {"time", "level", "logger", "message"} <= found.keys()
