"""From settings to a proxy at work, and its end: also when told to stop, no process and no folder is left.

Decides nothing about calls. Imported when `crosstrail wrap` runs.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import anyio
from mcp.server.stdio import stdio_server

from crosstrail.accounts.registry import Registry
from crosstrail.config import WrapSettings
from crosstrail.estate import Estate
from crosstrail.wrap.proxy import Proxy, opened
from crosstrail.wrap.serving import initialization


async def use(settings: WrapSettings, estate: Estate, work: Callable[[Proxy], Awaitable[None]]) -> None:
    """Learn what the servers have, do this work, end every process. Raises like Proxy.learn_all."""

    async def accounts() -> Registry:
        return (await estate.listed()).registry

    try:
        async with opened(settings, accounts, estate.broker) as proxy:
            leaving = asyncio.create_task(_leave_when_told(proxy))
            try:
                await proxy.learn_all()
                await work(proxy)
            finally:
                leaving.cancel()
    finally:
        await estate.aclose()


async def serve_stdio(proxy: Proxy) -> None:
    """Serve one client over stdin and stdout until it leaves."""
    server = proxy.server
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, initialization(server))


async def _leave_when_told(proxy: Proxy) -> None:
    """On SIGTERM or SIGINT. Cancelling would wait for a thread that reads stdin: so the process ends from here."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            await proxy.aclose()
            os._exit(128 + number)
