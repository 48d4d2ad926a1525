"""The command line on a terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import preloaded

_STEERING = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>])|\r")


def _environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """That of the tests, which says nothing of how wide a terminal is: the terminal itself does."""
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return environment | {"TERM": "xterm-256color"} | dict(environ or {})


def on_a_terminal(
    columns: int, *arguments: str | Path, errors: bool = False, environ: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Exit status of `crosstrail ARGUMENTS...`, and what it prints on a terminal of that width: its answer, or its `errors`."""
    screen, its_end = pty.openpty()
    termios.tcsetwinsize(its_end, (50, columns))
    command = [preloaded.python(), "-m", "crosstrail", *map(str, arguments)]
    environment = _environment(environ)
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
        env=_environment(environ),
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


class TerminalSession:
    """A program that is talked to on a terminal of its own, whose keys reach it as a user's do: Ctrl-C is a signal to it."""

    def __init__(self, columns: int, *arguments: str | Path, environ: Mapping[str, str] | None = None) -> None:
        """`crosstrail ARGUMENTS...`, started anew: a fork has no terminal that could send it signals."""
        self._screen, its_end = pty.openpty()
        termios.tcsetwinsize(its_end, (40, columns))
        command = [sys.executable, "-m", "crosstrail", *map(str, arguments)]
        launcher = f"import os; os.open(os.ttyname(0), os.O_RDWR); os.execv({command[0]!r}, {command!r})"
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", launcher],  # the leader of a session has as its own the terminal that it opens
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            env=_environment({"TERM": "xterm", **(environ or {})}),
            start_new_session=True,
        )
        self.process_id = self._process.pid
        os.close(its_end)
        self._shown = ""

    def send(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def until(self, text: str, seconds: float = 20) -> str:
        """What is shown from the last call on up to this text, without what steers the terminal."""
        deadline = time.monotonic() + seconds
        while text not in self._shown:
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{text!r} is not shown, but {self._shown!r}"
            try:
                part = os.read(self._screen, 65536).decode(errors="replace")
            except OSError:  # it has ended
                raise AssertionError(f"{text!r} was not shown, but {self._shown!r}") from None
            if "\x1b[6n" in part:
                self.send("\x1b[1;1R")  # where the cursor is
            self._shown += _STEERING.sub("", part)
        before, found, self._shown = self._shown.partition(text)
        return before + found

    def ended(self) -> int:
        """Its exit status, when it has ended; one that does not end by itself is killed."""
        timer = threading.Timer(20, self._process.kill)
        timer.start()
        with suppress(OSError):  # the terminal closes when the process ends
            while os.read(self._screen, 65536):
                pass
        os.close(self._screen)
        status = self._process.wait(timeout=60)
        timer.cancel()
        return status
