"""What every HTTP request passes before anything reads it: the name it calls us by, where it comes from, its size and pace.

Decides which requests are refused by their outside alone, and has every refusal recorded. A foreign Host or Origin is a
page in somebody's browser that reached us under another name; a body that trickles in is somebody who wants to stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from crosstrail.server.audit import AuditLog
from crosstrail.server.identity import principal_of

ANY = "*"
_BODY_SECONDS = 10.0
_HEADER_SECONDS = 10.0


class Refusals:
    """Records every answer that turns a request away."""

    _STATUSES = frozenset({400, 401, 403, 408, 413, 421, 429, 431})

    def __init__(self, app: ASGIApp, *, record: AuditLog) -> None:
        self._app = app
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in self._STATUSES:
                user = scope.get("user")
                self._record.refused(
                    message["status"],
                    method=scope["method"],
                    path=scope["path"],
                    client=str((scope.get("client") or ("",))[0]),
                    principal=principal_of(_Request(scope)) if isinstance(user, AuthenticatedUser) else None,
                )
            await send(message)

        await self._app(scope, receive, watched)


class _Request:
    """As much of a request as principal_of reads."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope


class Names:
    """Lets in requests to one of our names, from no page or a known one; `*` in a list checks nothing of it."""

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str], origins: Sequence[str]) -> None:
        """`hosts`: `name` or `name:port`, where `*` stands for any port. `origins`: with their scheme, the same way."""
        self._app = app
        self._hosts = tuple(host.lower() for host in hosts)
        self._origins = tuple(origin.lower() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if not _listed(headers.getlist("host"), self._hosts, needed=True):
                await _refusal(421, "this server has no such name (Host)")(scope, receive, send)
                return
            if not _listed(headers.getlist("origin"), self._origins, needed=False):
                await _refusal(403, "pages of this origin may not ask this server (Origin)")(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _listed(sent: Sequence[str], known: Sequence[str], *, needed: bool) -> bool:
    """Whether there is one value at most, and it is known."""
    if len(sent) > 1 or (needed and not sent):
        return False
    return not sent or any(fnmatchcase(sent[0].lower(), one.replace("[", "[[]")) for one in known)


class ClientGone(Exception):
    """The client went away before its request was whole."""


class Bodies:
    """Holds a request's body to a size and a time; it is read whole before anybody sees the request."""

    def __init__(self, app: ASGIApp, *, most: int, seconds: float = _BODY_SECONDS) -> None:
        self._app = app
        self._most = most
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(Headers(scope=scope), receive)
        except TimeoutError:
            await _refusal(408, "the request did not come in time", close=True)(scope, receive, send)
            return
        except ClientGone:
            return
        if body is None:
            await _refusal(413, f"a request has at most {self._most} bytes", close=True)(scope, receive, send)
            return
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, again, send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """None when it is too large."""
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._most:
            return None
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body += message.get("body", b"")
            if len(body) > self._most:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _refusal(status: int, text: str, *, close: bool = False) -> JSONResponse:
    return JSONResponse({"error": text}, status, headers={"Connection": "close"} if close else None)


class TimelyHttp(H11Protocol):
    """HTTP/1.1 that gives a request's headers a time to come, and records what is no HTTP or too large.

    A connection's state holds `record`, an AuditLog, and perhaps `header_seconds`.
    """

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._waiting is None:
            self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()  # the next request was already there

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._record(400)
        super().send_400_response(msg)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.app_state.get("header_seconds", _HEADER_SECONDS), self._late)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _late(self) -> None:
        self._waiting = None
        if self.transport is None or self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:  # a connection that never said a word is nobody's request
            self._record(408)
        self.transport.close()

    def _record(self, status: int) -> None:
        record: AuditLog = self.app_state["record"]
        record.refused(status, method="", path="", client=str((self.client or ("",))[0]))
