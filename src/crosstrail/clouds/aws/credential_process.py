"""A profile's credential_process, as botocore runs it, within bounds of time and of bytes.

Decides that no program of somebody's keeps an account, or the end of this program, waiting: at its time it ends with all that it
started. It reads nothing of our input, which may be a client's messages, and has no terminal. What it writes may hold keys, and
so may its arguments: neither is ever shown. Imports botocore.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from botocore import exceptions as vendor

_MAX_BYTES = 1_000_000
"""Of its output: credentials have 4 KB at most."""


class CredentialProcessError(vendor.CredentialRetrievalError):  # type: ignore[misc]
    """`program` is its name without folders; `reason` is a clause about it."""

    fmt = "The credential_process {program} {reason}"

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(program=program, reason=reason)
        self.program, self.reason = program, reason


class CredentialProcess:
    """What botocore needs of subprocess.Popen. Raises CredentialProcessError where the program cannot be started."""

    def __init__(self, command: Sequence[str], *, seconds: float, **_: Any) -> None:
        self._program, self._seconds = PurePath(command[0]).name if command else "", seconds
        if not command:
            raise CredentialProcessError("", "names no program")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the operator's own configuration names it
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", "") or type(error).__name__
            raise CredentialProcessError(self._program, f"cannot be started: {reason}") from None
        self.returncode = 0

    def communicate(self) -> tuple[bytes, bytes]:
        """Its output, once it has ended well. Raises CredentialProcessError."""
        output, deadline = bytearray(), time.monotonic() + self._seconds
        reader = threading.Thread(target=self._read, args=(output,), daemon=True)
        _running.add(self._process)
        try:
            reader.start()
            reader.join(self._seconds)
            in_time = not reader.is_alive() and len(output) <= _MAX_BYTES and self._has_ended(deadline)
        finally:
            end(self._process)
            _running.discard(self._process)
            if self._process.stdout and not reader.is_alive():
                self._process.stdout.close()
        if len(output) > _MAX_BYTES:
            raise CredentialProcessError(self._program, "wrote more than credentials have, and was ended")
        if not in_time:
            raise CredentialProcessError(self._program, f"gave no credentials in {self._seconds:g} s, and was ended")
        if self._process.returncode:
            raise CredentialProcessError(self._program, f"failed with status {self._process.returncode}")
        return bytes(output), b""

    def _has_ended(self, deadline: float) -> bool:
        """It may have closed its output and go on."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        return self._process.returncode is not None

    def _read(self, output: bytearray) -> None:
        stream = self._process.stdout
        with suppress(OSError, ValueError):
            while stream and len(output) <= _MAX_BYTES and (part := os.read(stream.fileno(), 65_536)):
                output += part


def end(process: subprocess.Popen[bytes]) -> None:
    """It and all that it started and that stayed in its group; nothing where it has ended by itself."""
    if process.returncode is not None:  # its number may be another's by now
        return
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


_running: set[subprocess.Popen[bytes]] = set()


def end_all() -> None:
    """What still runs when nobody waits any more."""
    for process in tuple(_running):
        end(process)


atexit.register(end_all)
