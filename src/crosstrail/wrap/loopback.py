"""HTTP on loopback: one request a connection, a small one, answered with JSON that no client may cache.

Decides how large a request's head may be and how long it may take, and how many connections may stand open without one: of
too many the oldest gives way, so opening connections locks nobody out. h11 reads and writes HTTP. What was sent
and what was answered is never logged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

import h11

LOOPBACK = "127.0.0.1"
MAX_WAITING = 64
"""Connections whose request has not come: an SDK sends its request at once."""
_HEAD_BYTES = 8_192
_HEAD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LoopbackRequest:
    """`authorization`: empty where there is none, or more than one."""

    method: str
    path: str
    authorization: str


@dataclass(frozen=True, slots=True)
class LoopbackResponse:
    status: HTTPStatus
    body: Mapping[str, str | int]


class LoopbackServer:
    """`async with LoopbackServer(answer) as server:` answers on `server.port`, a free one of 127.0.0.1, until the block ends;
    what is being answered then is given up."""

    def __init__(self, answer: Callable[[LoopbackRequest], Awaitable[LoopbackResponse]]) -> None:
        self.port = 0
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._waiting: dict[asyncio.StreamWriter, None] = {}
        """Those whose request has not come, oldest first."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, LOOPBACK, 0, limit=_HEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
        answering = dict(self._open)
        for writer, task in answering.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*answering.values(), return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """No coroutine: asyncio would keep its task to itself, and it could not be ended with the block."""
        self._open[writer] = asyncio.get_running_loop().create_task(self._handled(reader, writer))

    async def _handled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._waiting[writer] = None
        if len(self._waiting) > MAX_WAITING:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.transport.abort()
        try:
            await self._serve(reader, writer)
        except (TimeoutError, ConnectionError):
            pass  # whoever that was, it is owed nothing
        finally:
            self._waiting.pop(writer, None)
            self._open.pop(writer, None)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
        method = ""
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                request = await _head(http, reader)
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            response = LoopbackResponse(status, {"code": "BadRequest", "message": status.phrase})
        else:
            if request is None:
                return
            self._waiting.pop(writer, None)
            method = request.method
            response = await self._answer(request)
        body = b"" if method == "HEAD" else json.dumps(response.body).encode()
        head = h11.Response(
            status_code=response.status.value,
            reason=response.status.phrase.encode(),
            headers=[
                ("Content-Type", "application/json"),
                ("Cache-Control", "no-store"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ],
        )
        parts = [http.send(event) for event in (head, h11.Data(data=body), h11.EndOfMessage())]
        writer.write(b"".join(part for part in parts if part))
        await writer.drain()


async def _head(http: h11.Connection, reader: asyncio.StreamReader) -> LoopbackRequest | None:
    """The request without its body, which is not read; None where the client left. Raises h11.RemoteProtocolError."""
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(await reader.read(_HEAD_BYTES))
    if not isinstance(event, h11.Request):
        return None
    tokens = [value for name, value in event.headers if name == b"authorization"]
    authorization = tokens[0].decode("latin-1") if len(tokens) == 1 else ""
    return LoopbackRequest(event.method.decode("ascii"), event.target.decode("latin-1"), authorization)
