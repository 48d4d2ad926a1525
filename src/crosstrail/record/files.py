"""The files of a record: the one that is written, and those that were put away beside it.

Decides their names. `FILE.20261120T090000000000Z` was put away at that time (UTC, microseconds) and is never renamed or
written again; `.gz` after it says that it was compressed. One that stands there both ways was compressed whole, and only its first
form has not been deleted yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FORM = "%Y%m%dT%H%M%S%fZ"
_ROTATED = re.compile(r"\.(?P<time>\d{8}T\d{12}Z)(?P<gz>\.gz)?", re.ASCII)
_OTHERS = re.compile(r"[.-]\d{1,14}(\.gz)?", re.ASCII)
"""What logrotate and earlier versions put after the name: `.1`, `.2.gz`, `-20261120`."""


@dataclass(frozen=True, slots=True)
class RotatedFile:
    """One that this program put away. Its last line is from `time` at the latest."""

    path: Path
    time: datetime
    compressed: bool


def rotated_name(path: Path, now: datetime) -> Path:
    """A name that no file of this record has."""
    while True:
        name = path.with_name(f"{path.name}.{now.astimezone(UTC).strftime(_FORM)}")
        if not name.exists() and not compressed_name(name).exists():
            return name
        now += timedelta(microseconds=1)


def compressed_name(rotated: Path) -> Path:
    return rotated.with_name(f"{rotated.name}.gz")


def time_put_away(path: Path) -> datetime | None:
    """After which no line of that file was written; None where its name does not say it."""
    match = _ROTATED.search(path.name)
    return datetime.strptime(match["time"], _FORM).replace(tzinfo=UTC) if match else None


def rotated_files(path: Path) -> list[RotatedFile]:
    """Of the record that is written to `path`, the oldest first. Raises OSError."""
    found = [
        RotatedFile(file, datetime.strptime(match["time"], _FORM).replace(tzinfo=UTC), bool(match["gz"]))
        for file, match in _beside(path, _ROTATED)
    ]
    return sorted(found, key=lambda one: (one.time, one.compressed))


def record_files(path: Path) -> list[Path]:
    """All that belong to the record at `path` and can be read: each part once, in no order. Raises OSError."""
    rotated = rotated_files(path)
    compressed = {one.time for one in rotated if one.compressed}
    files = [one.path for one in rotated if one.compressed or one.time not in compressed]
    return [*files, *(file for file, _ in _beside(path, _OTHERS)), *([path] if path.exists() else [])]


def _beside(path: Path, pattern: re.Pattern[str]) -> Iterator[tuple[Path, re.Match[str]]]:
    for file in path.parent.iterdir():
        if file.name.startswith(path.name) and (match := pattern.fullmatch(file.name[len(path.name) :])):
            yield file, match
