"""A real MCP client beside a real server process: what the demo asks its questions with.

Decides how the server is started. It prints nothing. Imported when the demo runs, never by `serve`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import platformdirs
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

_ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Connection:
    """An open client. `protocol` is what both sides agreed on, `tools` how many the server lists."""

    protocol: str
    tools: int
    _client: Client

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> str:
        """The text of the answer, an error's too, as a model would read it."""
        result = await self._client.call_tool(name, arguments)
        return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


@asynccontextmanager
async def connected(arguments: Sequence[str]) -> AsyncIterator[Connection]:
    """`python -m crosstrail` with these arguments, spoken to over stdin and stdout, ended on leaving."""
    # The client hands on few variables: the server must find the same code, and the same cache as this process.
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "XDG_CACHE_HOME": platformdirs.user_cache_dir()}
    command = StdioServerParameters(command=sys.executable, args=["-m", "crosstrail", *arguments], env=environment)
    async with Client(command, read_timeout_seconds=_ANSWER_SECONDS) as client:
        tools = (await client.list_tools()).tools
        yield Connection(client.protocol_version, len(tools), client)
