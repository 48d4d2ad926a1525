"""A shell that somebody types into, on a terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import selectors
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

_PROMPT = "READY> "
_CLEAR_LINE = "\x15"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|[\r\x07\x08]")


class InteractiveShell:
    """`prompt`: what is typed first, and makes its prompt be `READY> `."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str], start: str) -> None:
        self._screen, its_end = pty.openpty()
        termios.tcsetwinsize(its_end, (50, 150))
        self._process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True
        )
        os.close(its_end)
        self._type(f"{start}\n")
        self._read_until(rf"(?<!'){_PROMPT}")

    def __enter__(self) -> InteractiveShell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    def shown(self, typed: str, until: str) -> str:
        """What is on the screen after that was typed, once this pattern is. The line is taken back then."""
        self._type(typed)
        text = self._read_until(until)
        self._type(f'{_CLEAR_LINE}echo "ended"-\n')
        self._read_until(rf"(?s)\nended-\n.*{_PROMPT}")
        return text

    def _type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def _read_until(self, pattern: str, seconds: float = 60) -> str:
        text, end = "", time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._screen, selectors.EVENT_READ)
            while not re.search(pattern, text):
                assert selector.select(end - time.monotonic()), f"waited for {pattern}, and there is {text!r}"
                text = _CONTROL.sub("", text + os.read(self._screen, 65536).decode(errors="replace"))
        return text
