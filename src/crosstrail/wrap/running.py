"""One client over stdin and stdout. Decides nothing about calls. Imported when `crosstrail wrap` runs."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from crosstrail.wrap.serving import initialization


async def serve_stdio(server: Server[Any]) -> None:
    """Serve one client over stdin and stdout until it leaves."""
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, initialization(server))
