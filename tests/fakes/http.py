"""HTTP/1.1 as far as clouds' clients use it: keep-alive, a body with a length. One event loop in a thread of its own.

Written on asyncio's bare protocol, so that a fake costs a benchmark next to nothing. A delayed answer delays no other.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from types import TracebackType
from typing import Self


@dataclass(slots=True)
class Answer:
    """`wire`: a fault of the connection to show instead: reset, hang, half (of the body), or endless (white space after it
    for as long as anybody reads). `delay` is in seconds."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    wire: str = ""
    delay: float = 0.0


_LAST_ROUNDS = 5
"""Of the loop: a connection that was just accepted is a connection after three, and one that was aborted is gone after one."""

_SPACE = b" " * 65_536

Respond = Callable[[str, str, dict[str, str], bytes], Answer]
"""(method, path with query, headers by name in lower case, body) -> the answer."""


class HttpFake:
    """`with HttpFake(respond) as fake:` serves at fake.url (loopback only) until the block ends."""

    def __init__(self, respond: Respond, port: int = 0) -> None:
        self.respond = respond
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections: set[_Connection] = set()
        self.poured = 0
        """Bytes that went out after the ends of bodies."""
        self._thread = threading.Thread(target=self._serve, name="fake-http", daemon=True)
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def _serve(self) -> None:
        self._loop.run_until_complete(self._until_stopped())

    async def _until_stopped(self) -> None:
        server = await self._loop.create_server(lambda: _Connection(self, self._loop), sock=self._socket)
        async with server:
            await self._stop.wait()
            self._loop.remove_reader(self._socket)  # a closed server has no place for who was just accepted
            for _ in range(_LAST_ROUNDS):
                for connection in tuple(self.connections):
                    connection.transport.abort()
                await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, server: HttpFake, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._received = b""
        self._pouring = self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        while (end := received.find(b"\r\n\r\n")) >= 0:
            first, *lines = received[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in [line.partition(":") for line in lines]}
            whole = end + 4 + int(headers.get("content-length", 0))
            if len(received) < whole:
                break
            method, path, _ = first.split(" ", 2)
            answer = self._server.respond(method, path, headers, received[end + 4 : whole])
            received = received[whole:]
            if answer.delay:
                self._loop.call_later(answer.delay, self._send, answer)
            else:
                self._send(answer)
        self._received = received

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._pour()

    def _pour(self) -> None:
        while self._pouring and not self._full and not self.transport.is_closing():
            self.transport.write(_SPACE)
            self._server.poured += len(_SPACE)

    def _send(self, answer: Answer) -> None:
        if self.transport.is_closing() or answer.wire == "hang":
            return
        if answer.wire == "reset":
            linger = struct.pack("ii", 1, 0)  # close sends RST
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
            return
        length = "Connection: close" if answer.wire == "endless" else f"Content-Length: {len(answer.body)}"
        more = "".join([f"{name}: {value}\r\n" for name, value in answer.headers.items()])
        more = more if "Date" in answer.headers else f"{more}Date: {formatdate(usegmt=True)}\r\n"
        head = (f"HTTP/1.1 {answer.status} -\r\nContent-Type: {answer.content_type}\r\n{length}\r\n{more}\r\n").encode()
        if answer.wire == "half":
            self.transport.write(head + answer.body[: len(answer.body) // 2])
            self.transport.close()
            return
        self.transport.write(head + answer.body)
        if answer.wire == "endless":
            self._pouring = True
            self._pour()
