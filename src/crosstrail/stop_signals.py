"""What SIGTERM and SIGINT do to a process that serves: its own way to end, once.

Decides that the first signal counts, later ones are ignored, and a block that ends meanwhile waits for the end it was told
to make. It knows nothing of what is served.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio


@asynccontextmanager
async def on_stop_signal(stop: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
    """In this block the first SIGTERM or SIGINT calls `stop` with its number. Windows has no such signals to wait for."""
    if sys.platform == "win32":
        yield
        return
    received = False
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:

        async def wait() -> None:
            nonlocal received
            number = await anext(aiter(signals))
            received = True
            await stop(number)

        waiting = asyncio.create_task(wait())
        try:
            yield
        finally:
            if received:  # an error of what was ended for this is none to speak of
                await waiting
            waiting.cancel()


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
