"""A file in parts of a bounded size, for whoever reads over a protocol that has no files: put together they are its bytes.

Decides where a part ends: after a line where there is one, never inside of a character. Nothing is kept between two parts.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

PART_BYTES = 128 * 1024
_AHEAD = PART_BYTES // 2
"""How far beyond its size a part may go for the end of a line."""


def count(size: int) -> int:
    """Of a file of so many bytes; 1 of an empty one."""
    return max(1, -(-size // PART_BYTES))


def part_of(path: Path, number: int) -> bytes:
    """`number` counts from 1. Raises IndexError for a part that the file has not, OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not 1 <= number <= count(size):
            raise IndexError
        start, end = _boundary(file, (number - 1) * PART_BYTES, size), _boundary(file, number * PART_BYTES, size)
        file.seek(start)
        return file.read(end - start)


def _boundary(file: IO[bytes], place: int, size: int) -> int:
    """Where the part ends that may end at `place`, the same whichever side asks."""
    if place <= 0 or place >= size:
        return min(max(place, 0), size)
    file.seek(place)
    window = file.read(_AHEAD)
    if (line := window.find(b"\n")) >= 0:
        return place + line + 1
    return place + next((offset for offset, byte in enumerate(window[:4]) if byte & 0xC0 != 0x80), 0)
