"""A real MCP client beside a real server process: what the demo asks its questions with.

Decides how the server is started, and what its silence means. It prints nothing. Imported when the demo runs, never by
`serve`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mcp import Client, MCPError, StdioServerParameters
from mcp_types import TextContent

from crosstrail.errors import QueryFailed
from crosstrail.user_folders import caches

_ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Connection:
    """An open client. `protocol` is what both sides agreed on, `tools` how many the server lists."""

    protocol: str
    tools: int
    _client: Client

    async def call_tool(self, name: str, arguments: Mapping[str, object]) -> tuple[str, bool]:
        """The text of the answer as a model would read it, and whether it is an error."""
        result = await self._client.call_tool(name, dict(arguments))
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        return text, result.is_error


@asynccontextmanager
async def connected(arguments: Sequence[str]) -> AsyncIterator[Connection]:
    """`python -m crosstrail` with these arguments, spoken to over stdin and stdout, ended on leaving.

    Raises QueryFailed when the server does not start, goes away or does not answer; what the caller raises inside comes
    out as it is.
    """
    # The client hands on few variables: the server must find the same code and the same cache as this process.
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    if place := caches():
        environment["XDG_CACHE_HOME"] = str(place)
    command = StdioServerParameters(command=sys.executable, args=["-m", "crosstrail", *arguments], env=environment)
    try:
        async with Client(command, read_timeout_seconds=_ANSWER_SECONDS) as client:
            tools = (await client.list_tools()).tools
            yield Connection(client.protocol_version, len(tools), client)
    except (BaseExceptionGroup, MCPError) as error:
        cause = _only(error)
        if not isinstance(cause, MCPError):
            raise cause from None
        tried = f"python -m crosstrail {' '.join(arguments)}"
        raise QueryFailed("the server did not answer", hint=f"It says why on stderr: {tried}") from error


def _only(error: BaseException) -> BaseException:
    """What a task group wrapped, when it was one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
