"""Connections of HTTP/1.1: how long the next request's head may take to come, how many may be open without a request, and
what is said where it is no HTTP.

Decides what uvicorn leaves open; it parses nothing (h11 does), and sees requests only until they are whole. Whatever it
turns away is recorded, by status and address alone.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import OrderedDict
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from crosstrail.server.access.audit import AuditLog
from crosstrail.server.http.middleware import LAST_LOOK_SECONDS, MAX_HEAD_BYTES, MAX_THROWN_BYTES

_HEADER_SECONDS = 10.0
_IPV4_IN_IPV6 = "::ffff:"
_MAX_IDLE = 2_000
"""Connections without a request in one process: 10,000 would cost it 80 MB, and as many of its open files."""
_MAX_JOINED_BYTES = 65_536
"""Beyond that writes go out at once, so that the transport's own limit of what may wait holds."""
_TOLD_BY_STRANGERS = ("Invalid HTTP request received.", "Unsupported upgrade request.")
"""What uvicorn logs as often as a stranger likes."""


def _is_ours(record: logging.LogRecord) -> bool:
    return record.msg not in _TOLD_BY_STRANGERS and not str(record.msg).startswith("No supported WebSocket library")


def open_files() -> int:
    """How many this process may have."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 2 * _MAX_IDLE
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2 * _MAX_IDLE if soft == resource.RLIM_INFINITY else soft


class IdleConnections:
    """Those of one process that have no request. Beyond a number the one that has been idle longest is closed for the next: its
    client opens another when it needs one, and whoever holds many of them keeps nobody out."""

    def __init__(self) -> None:
        self._max = min(_MAX_IDLE, open_files() // 2)
        self._idle: OrderedDict[TimelyHttp, None] = OrderedDict()

    def add(self, connection: TimelyHttp) -> None:
        self._idle[connection] = None
        if len(self._idle) > self._max:
            longest, _ = self._idle.popitem(last=False)
            longest.close_idle()

    def discard(self, connection: TimelyHttp) -> None:
        self._idle.pop(connection, None)


class _JoinedWrites(asyncio.Transport):
    """A transport that sends what is written in one step of the event loop as one: uvicorn writes an answer's head and its
    body one after the other, and each system call costs more than the copy."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes | bytearray | memoryview] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > _MAX_JOINED_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts, self._size = [], 0

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._parts, self._size = [], 0
        self._transport.abort()

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._transport.get_extra_info(name, default)


class TimelyHttp(H11Protocol):
    """HTTP/1.1 that gives a request's head a time to come, and records what is no HTTP or too large.

    A connection's state holds `record`, an AuditLog, and `idle`, IdleConnections.
    """

    _waiting: asyncio.TimerHandle | None = None
    _thrown: int | None = None
    """Bytes thrown away since this connection was turned away; None as long as it is not."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # As much of a head that comes in parts as of a whole one.
        self.conn = h11.Connection(h11.SERVER, MAX_HEAD_BYTES)
        self.logger.addFilter(_is_ours)  # added once, however often this is called

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.client and self.client[0].startswith(_IPV4_IN_IPV6):  # as a socket for both families has it
            self.client = (self.client[0].removeprefix(_IPV4_IN_IPV6), self.client[1])
        self.transport = _JoinedWrites(transport, self.loop)
        self._wait()
        self._idle.add(self)

    def data_received(self, data: bytes) -> None:
        if self._thrown is not None:
            self._thrown += len(data)
            if self._thrown > MAX_THROWN_BYTES:
                self.transport.close()
            return
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
            self._idle.discard(self)
        elif self._waiting is None:
            self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()  # the next request was already there
        elif not self.transport.is_closing():
            self._idle.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._idle.discard(self)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Called where h11 gives up: 431 for a head too large, 501 for a coding it does not know, else 400.

        What still comes is thrown away for a moment: a connection closed on unread data is reset, and the client would
        not see why.
        """
        status = HTTPStatus(getattr(sys.exception(), "error_status_hint", 400))
        self._record(status)
        self._stop()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # whoever waits for the rest of this request waits in vain
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._say(status)
            self._thrown = 0
            self._waiting = self.loop.call_later(LAST_LOOK_SECONDS, self.transport.close)
        else:  # in the middle of an answer
            self.transport.close()

    def _say(self, status: HTTPStatus) -> None:
        text = status.phrase.encode()
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(text))), ("Connection", "close")]
        answer = h11.Response(status_code=status.value, headers=headers, reason=text)
        for event in (answer, h11.Data(data=text), h11.EndOfMessage()):
            if data := self.conn.send(event):
                self.transport.write(data)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    @property
    def _idle(self) -> IdleConnections:
        found: IdleConnections = self.app_state["idle"]
        return found

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(_HEADER_SECONDS, self.close_idle)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def close_idle(self) -> None:
        """Called where its next request's head is late, or too many connections wait for one."""
        self._stop()
        if self.transport is None or self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:  # a connection that never said a word is nobody's request
            self._record(408)
        self.transport.close()

    def _record(self, status: int) -> None:
        record: AuditLog = self.app_state["record"]
        record.refused(status, method="", path="", address=str((self.client or ("",))[0]))
