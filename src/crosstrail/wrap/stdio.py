"""The one client over stdin and stdout, and what may be asked of it: known with its first message, before anything is answered.

Decides what wrapped servers are told of the client when they start: some have other tools for a client that they may ask something.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCRequest, jsonrpc_message_adapter

from crosstrail.json_values import Json, table
from crosstrail.standard_input import BYTE_ORDER_MARK
from crosstrail.tasks import in_daemon_thread
from crosstrail.wrap.client import askable

Received = SessionMessage | Exception
_STDIN = 0
_MAX_LINE_BYTES = 1_000_000
"""Of the first message; a client says little of itself."""


@dataclass(frozen=True, slots=True)
class StdioClient:
    """`first`: its first message; None where it left without one."""

    first: Received | None

    @property
    def capabilities(self) -> Json | None:
        """What may be asked of it. None for a client of a protocol that has no requests to the client."""
        if self.first is None:
            return {}
        message = self.first.message if isinstance(self.first, SessionMessage) else None
        if not isinstance(message, JSONRPCRequest) or message.method != "initialize":
            return None
        return askable(table(table(message.params).get("capabilities")))

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[tuple[ReadStream[Received], WriteStream[SessionMessage]]]:
        """All that it sends, its first message included, and where it is answered."""
        async with stdio_server() as (reading, writing):
            yield _WithFirst(self.first, reading), writing


async def connected_client() -> StdioClient:
    """Once its first message is there, or its end."""
    line = (await in_daemon_thread(_first_line)).removeprefix(BYTE_ORDER_MARK)
    if not line:
        return StdioClient(None)
    try:
        return StdioClient(SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False)))
    except ValueError as error:
        return StdioClient(error)


def _first_line() -> bytes:
    """Not a byte more is taken from stdin, which the transport opens later."""
    line = bytearray()
    with suppress(OSError):
        while not line.endswith(b"\n") and len(line) < _MAX_LINE_BYTES and (byte := os.read(_STDIN, 1)):
            line += byte
    return bytes(line)


class _WithFirst:
    """A stream with the message that was taken from it."""

    def __init__(self, first: Received | None, rest: ReadStream[Received]) -> None:
        self._first = first
        self._rest = rest

    async def receive(self) -> Received:
        first, self._first = self._first, None
        return first if first is not None else await self._rest.receive()

    async def aclose(self) -> None:
        await self._rest.aclose()

    def __aiter__(self) -> ReadStream[Received]:
        return self

    async def __anext__(self) -> Received:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._rest.__aexit__(kind, error, trace)
