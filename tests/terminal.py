"""The command line on a terminal of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import preloaded


def on_a_terminal(
    columns: int, *arguments: str | Path, errors: bool = False, environ: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Exit status of `crosstrail ARGUMENTS...`, and what it prints on a terminal of that width: its answer, or its `errors`."""
    screen, its_end = pty.openpty()
    termios.tcsetwinsize(its_end, (50, columns))
    command = [preloaded.python(), "-m", "crosstrail", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment |= {"TERM": "xterm-256color", **(environ or {})}
    stdout, stderr = (subprocess.DEVNULL, its_end) if errors else (its_end, subprocess.DEVNULL)
    process = subprocess.Popen(command, stdin=its_end, stdout=stdout, stderr=stderr, env=environment)
    os.close(its_end)
    printed = b""
    with suppress(OSError):  # the terminal closes when the process ends
        while part := os.read(screen, 65536):
            printed += part
    os.close(screen)
    return process.wait(timeout=300), printed.decode()
