"""What clients write to a server over stdio: UTF-8, with or without a byte order mark in front.

Decides that a mark before the first line is no part of it: PowerShell and editors of scripts write one. It reads no line.
"""

from __future__ import annotations

import io
import os
import sys

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def skip_byte_order_mark() -> None:
    """From now on `sys.stdin` is what follows a mark. Whoever reads descriptor 0 itself, as a child would, finds nothing: mcp
    does as much where the descriptor is its own to take."""
    if sys.stdin is None:  # closed
        return
    own = os.dup(sys.stdin.fileno())  # not for children
    if sys.platform != "win32":
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, sys.stdin.fileno())
        os.close(nothing)
    unmarked = io.BufferedReader(_Unmarked(io.FileIO(own)))
    sys.stdin = io.TextIOWrapper(unmarked, encoding="utf-8", errors="replace")


class _Unmarked(io.RawIOBase):
    """Has no descriptor to name, so that nobody reads past it."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__()
        self._file = file
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int | None:  # type: ignore[override]  # what BufferedReader gives
        """`buffer`: of three bytes or more, as BufferedReader has it."""
        if self._begun:
            return self._file.readinto(buffer)
        self._begun, first = True, b""
        while len(first) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(first):
            part = self._file.read(len(BYTE_ORDER_MARK) - len(first))
            if not part:
                break
            first += part
        if not (first := first.removeprefix(BYTE_ORDER_MARK)):
            return self._file.readinto(buffer)
        buffer[: len(first)] = first
        return len(first)
