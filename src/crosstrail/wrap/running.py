"""From settings to a proxy at work, and its end: also when told to stop, no process and no folder is left.

Decides nothing about calls. Imported when `crosstrail wrap` runs.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from crosstrail.wrap.proxy import Proxy
from crosstrail.wrap.serving import initialization


async def serve_stdio(server: Server[Any]) -> None:
    """Serve one client over stdin and stdout until it leaves."""
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, initialization(server))


@asynccontextmanager
async def ended_when_told(proxy: Proxy) -> AsyncIterator[None]:
    """In this block SIGTERM and SIGINT end the proxy and then the whole program.

    Cancelling instead would wait for a thread that reads stdin.
    """

    told = asyncio.Event()

    async def leave() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                told.set()
                await proxy.aclose()
                os._exit(128 + number)

    leaving = asyncio.create_task(leave())
    try:
        yield
    finally:
        if told.is_set():  # a server that was ended for this is no error to speak of
            await leaving
        leaving.cancel()
