"""The command line on a terminal of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
from collections.abc import Mapping, Sequence
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


def typing(
    answers: Sequence[tuple[str, str]],
    *arguments: str | Path,
    environ: Mapping[str, str] | None = None,
    columns: int = 100,
) -> tuple[int, str]:
    """Exit status and screen of `crosstrail ARGUMENTS...` for somebody who answers each question (its end, the answer) in turn."""
    screen, its_end = pty.openpty()
    termios.tcsetwinsize(its_end, (50, columns))
    command = [preloaded.python(), "-m", "crosstrail", *map(str, arguments)]
    process = subprocess.Popen(
        command,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env={**os.environ, **(environ or {})},
        start_new_session=True,
    )
    os.close(its_end)
    printed, seen, waiting = "", 0, list(answers)
    with suppress(OSError):  # the terminal closes when the process ends
        while part := os.read(screen, 65536):
            printed += part.decode(errors="replace")
            if waiting and (place := printed.find(waiting[0][0], seen)) >= 0:
                seen = place + len(waiting[0][0])
                os.write(screen, waiting.pop(0)[1].encode() + b"\n")
    os.close(screen)
    assert not waiting, f"{waiting[0][0]!r} was not asked: {printed}"
    return process.wait(timeout=300), printed
