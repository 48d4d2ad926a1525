"""What SIGTERM and SIGINT do to a process that serves: its own way to end, once.

Decides that the first signal counts, later ones are ignored, a block that ends meanwhile waits for the end it was told to make,
and the process ends in any case within 10 s. It knows nothing of what is served.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType

_LAST_SECONDS = 9.0


@asynccontextmanager
async def on_stop_signal(stop: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
    """In this block the first SIGTERM or SIGINT calls `stop` with its number. Windows has no such signals to wait for."""
    if sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []

    async def end(number: int) -> None:
        await stop(number)

    def begin(number: int) -> None:
        if not stopping:
            stopping.append(loop.create_task(end(number)))

    def received(number: int, _: FrameType | None) -> None:
        """Between two instructions of the main thread, whatever holds up the event loop."""
        exit_late(128 + number)
        loop.call_soon_threadsafe(begin, number)

    before = {number: signal.signal(number, received) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        if stopping:  # an error of what was ended for this is none to speak of
            await stopping[0]
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_late(status: int) -> None:
    """End the process in 9 s, unless it has ended by then: a thread that hangs cannot be ended, and is waited for at an exit."""
    timer = threading.Timer(_LAST_SECONDS, os._exit, [status])
    timer.daemon = True
    timer.start()


@asynccontextmanager
async def exit_on_signal(clean_up: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """In this block the first SIGTERM or SIGINT runs `clean_up` and ends the program, whatever else runs.

    Cancelling instead would wait for the thread that reads stdin, which cannot be stopped.
    """

    async def leave(number: int) -> None:
        try:
            await clean_up()
        finally:
            os._exit(128 + number)

    async with on_stop_signal(leave):
        yield
