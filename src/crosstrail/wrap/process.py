"""One wrapped server's process: its pipes and its end.

Decides what stdout and stderr may hold, how long an end may take, and which lines of stderr are there to explain a failure. A
launcher in between ends the process with everything it started, also when crosstrail is killed. It knows lines, not MCP.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crosstrail.text import visible

_LAUNCHER = str(Path(__file__).with_name("launcher.py"))
MAX_LINE_BYTES = 32 * 1024 * 1024
_TAIL_LINES, _TAIL_WIDTH, _LAST_WORDS_WIDTH = 12, 300, 1_500
# Clients give crosstrail about two seconds to leave: its processes must have left before.
_STOP_SECONDS, _KILL_SECONDS = 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Program:
    """How a process is started. `name`: what messages call it, with its account."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path


class ServerProcess:
    """`await spawn()`, read `lines()`, `write()`, and `end()` at last. What goes wrong with a pipe is the end of `lines`."""

    def __init__(self, process: Process, transport: asyncio.SubprocessTransport, lifeline: int) -> None:
        self._process = process
        self._transport = transport
        self._lifeline = lifeline
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._errors = asyncio.create_task(self._read_errors())

    @classmethod
    async def spawn(cls, program: Program) -> ServerProcess:
        """Raises OSError when not even the launcher runs; a command that cannot be run ends with status 127."""
        watched, lifeline = os.pipe()
        loop = asyncio.get_running_loop()
        try:
            # What create_subprocess_exec does; but that gives out no transport, which alone closes the pipes.
            transport, protocol = await loop.subprocess_exec(
                lambda: SubprocessStreamProtocol(limit=MAX_LINE_BYTES, loop=loop),
                *(sys.executable, "-I", "-S", _LAUNCHER, str(watched), *program.command),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=dict(program.environment),
                cwd=program.folder,
                start_new_session=True,
                pass_fds=(watched,),
            )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            os.close(watched)
        return cls(Process(transport, protocol, loop), transport, lifeline)

    @property
    def status(self) -> int | None:
        """The exit status, once it has ended."""
        return self._process.returncode

    @property
    def last_words(self) -> str:
        """The last lines of stderr, and what else was odd, on one line."""
        return " | ".join(self._tail)[-_LAST_WORDS_WIDTH:]

    def note(self, line: bytes | str, *, prefix: str = "") -> None:
        """Add a line to `last_words`."""
        text = clean(line.decode("utf-8", "replace") if isinstance(line, bytes) else line)
        if text.strip("^~ "):  # the markers under a traceback's lines say nothing alone
            self._tail.append(prefix + text)

    async def lines(self) -> AsyncIterator[bytes]:
        """What it writes to stdout, line by line, until it ends or writes a line of more than 32 MB."""
        stdout = self._process.stdout
        while stdout:
            try:
                yield await stdout.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                self.note(f"a line on stdout was longer than {MAX_LINE_BYTES >> 20} MB")
                return
            except (asyncio.IncompleteReadError, ConnectionError):
                return

    async def drain(self) -> None:
        """Discard the rest of stdout: a server that is stuck in writing does not end."""
        with suppress(ConnectionError):
            while self._process.stdout and await self._process.stdout.read(65_536):
                pass

    async def write(self, line: bytes) -> None:
        """Raises ConnectionError when nobody reads stdin any more."""
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing():
            raise ConnectionResetError
        stdin.write(line)
        await stdin.drain()

    async def end(self) -> None:
        """Close stdin, as MCP says; then have the launcher end the tree; then kill. Bounded by seconds."""
        if self._process.stdin:
            self._process.stdin.close()
        if not await self._ended_within(_STOP_SECONDS):
            self._close_lifeline()
            if not await self._ended_within(_KILL_SECONDS):
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                await self._ended_within(_KILL_SECONDS)
        else:
            self._close_lifeline()
            if (self._process.returncode or 0) < 0:  # a launcher that was killed left its tree
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.wait([self._errors], timeout=_STOP_SECONDS)
        self._errors.cancel()
        self._transport.close()  # else it stays open with a survivor's pipe

    def _close_lifeline(self) -> None:
        lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)

    async def _ended_within(self, seconds: float) -> bool:
        """Not by `wait` alone where a survivor holds a pipe: that waits for the pipes too."""
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            return self._process.returncode is not None
        return True

    async def _read_errors(self) -> None:
        stderr, rest = self._process.stderr, b""
        while stderr and (chunk := await stderr.read(65_536)):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines[-_TAIL_LINES:]:
                self.note(line)
            rest = rest[-4 * _TAIL_WIDTH :]
        self.note(rest)


def clean(text: str) -> str:
    """One printable line of at most 300 characters, without the colours of terminals."""
    line = " ".join(visible(text).split())
    return line if len(line) <= _TAIL_WIDTH else line[: _TAIL_WIDTH - 1] + "…"
