"""Ctrl-C in a shell: it cancels the statement that runs, and nothing where none does.

Decides that an interrupt is the statement's and never the shell's, which Ctrl-D or `\\q` leaves.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress

import anyio


class Interrupts:
    """One a shell. `caught`: within it, Ctrl-C raises nothing."""

    def __init__(self) -> None:
        self._scope: anyio.CancelScope | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # where signals are no events: there it ends the shell
            loop.add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)

    async def run(self, work: Awaitable[None]) -> bool:
        """Whether it came to its end; otherwise it was cancelled, upstream too."""
        with anyio.CancelScope() as scope:
            self._scope = scope
            try:
                await work
            finally:
                self._scope = None
        return not scope.cancelled_caught

    def _interrupt(self) -> None:
        if self._scope:
            self._scope.cancel()
