"""Several processes that serve one address: uvicorn's, which all end in time.

Decides how long a worker that was told to stop may take, and that one hears no Ctrl-C, which a terminal sends to all processes,
before it can end well: until then Python would print where it was. Imported only where there are several.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from uvicorn.supervisors import Multiprocess

_LAST_SECONDS = 8.0


class Workers(Multiprocess):
    """Kills a worker that hangs when it is told to stop; uvicorn would wait for it for good."""

    def init_processes(self) -> None:
        with _interrupts_wait():
            super().init_processes()

    def handle_signals(self) -> None:
        with _interrupts_wait():
            super().handle_signals()

    def keep_subprocess_alive(self) -> None:
        with _interrupts_wait():
            super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        super().terminate_all()
        until = time.monotonic() + _LAST_SECONDS
        for worker in self.processes:
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()


def hear_interrupts() -> None:
    """In a worker, once it can end well: uvicorn's handlers are there by the time it makes its application."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """What starts in this block hears no SIGINT until it says so; one to this process waits for the end of the block."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # started later, it would undo this
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
