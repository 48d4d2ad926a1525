"""What every HTTP request passes before anything reads it: the name it calls us by, where it comes from, its size and pace.

Decides which requests are refused by their outside alone, and has every refusal recorded. A foreign Host or Origin is a
page in somebody's browser that reached us under another name; a body that trickles in is somebody who wants to stay.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from urllib.parse import parse_qs, urlsplit

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crosstrail.server.access.audit import AuditLog
from crosstrail.server.access.token_bucket import TokenBucket
from crosstrail.server.auth.bearer import refusal_reason
from crosstrail.server.auth.principals import principal_in

_BODY_SECONDS = 10.0
MAX_HEAD_BYTES = 32_768
MAX_UNKNOWN_BYTES = 8_192
"""Of a body from somebody who has not signed in: a form, or a registration, which is kept for good."""
MAX_MADE_UP_BYTES = 65_536
"""Of a body that comes with keys: they may be made up."""
MAX_OPEN = 200
_SIGN_IN_STATUSES = (401, 403, 503)
_ONCE = {b"authorization": "Authorization", b"x-mcp-toolsets": "X-MCP-Toolsets", b"x-mcp-readonly": "X-MCP-Readonly"}
"""Which of two would count is a matter of taste, here and in a proxy that adds one."""
_LENGTHS = {b"content-length", b"transfer-encoding"}
_MAX_HELD_BYTES = 64_000_000
"""Of all bodies on their way together."""
LAST_LOOK_SECONDS = 2.0
MAX_THROWN_BYTES = 4_000_000
"""How long, and how much, is still read of a request that was turned away."""


class RefusalRecord:
    """Records every answer that turns a request away, and every redirect that carries an OAuth error to a client."""

    _STATUSES = frozenset({400, 401, 403, 408, 413, 421, 429, 431})

    def __init__(self, app: ASGIApp, *, record: AuditLog) -> None:
        self._app = app
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and self._is_refusal(message, scope):
                user = scope.get("user")
                self._record.refused(
                    message["status"],
                    method=scope["method"],
                    path=scope["path"],
                    address=str((scope.get("client") or ("",))[0]),
                    principal=principal_in(scope) if isinstance(user, AuthenticatedUser) else None,
                    reason=refusal_reason(scope) if message["status"] in _SIGN_IN_STATUSES else "",
                )
            await send(message)

        await self._app(scope, receive, watched)

    def _is_refusal(self, start: Message, scope: Scope) -> bool:
        away = start["status"] == 503 and bool(refusal_reason(scope))
        return away or start["status"] in self._STATUSES or _is_error(start)


def _is_error(start: Message) -> bool:
    """Whether an answer sends a browser on with an `error`, as OAuth refuses what has a place to go back to."""
    if start["status"] not in (302, 303, 307):
        return False
    place = Headers(raw=list(start.get("headers", ()))).get("location", "")
    return "error" in parse_qs(urlsplit(place).query)


class HostCheck:
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


class _Crowded(Exception):
    """All the room for requests on their way is taken."""


class HeaderLimit:
    """Holds the head of a request to a size, in however few parts it came, to one identity, and to one length of its body:
    where a proxy in front believes the other one, it takes the end of one caller's request for another's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _head_bytes(scope) > MAX_HEAD_BYTES:
            await _turned_away(431, f"a request's head has at most {MAX_HEAD_BYTES} bytes", scope, receive, send)
        elif scope["type"] == "http" and (twice := _said_twice(scope)):
            await _turned_away(400, f"a request has one {twice} header", scope, receive, send)
        elif scope["type"] == "http" and {name for name, _ in scope["headers"]} >= _LENGTHS:
            await _turned_away(400, "a request has a Content-Length or a Transfer-Encoding", scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _said_twice(scope: Scope) -> str:
    """The name of a header that may come once and did not."""
    said = Counter(name for name, _ in scope["headers"])
    return next((shown for name, shown in _ONCE.items() if said[name] > 1), "")


def _head_bytes(scope: Scope) -> int:
    """Of its path, query and headers, as they came."""
    named = sum(len(name) + len(value) for name, value in scope["headers"])
    return named + len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")


class RateLimit:
    """Holds all requests for some addresses together to a number a minute: each of them leaves something behind."""

    def __init__(self, app: ASGIApp, *, most: Mapping[str, int], clock: Callable[[], float] = time.monotonic) -> None:
        """`most`: path -> requests a minute, and at once."""
        self._app = app
        self._buckets = {path: TokenBucket(count) for path, count in most.items()}
        self._clock = clock
        self._left = {path: (float(count), clock()) for path, count in most.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").rstrip("/")
        if scope["type"] == "http" and path in self._buckets and not self._take(path):
            await _turned_away(429, "too many sign-ins begin at once; try again soon", scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _take(self, path: str) -> bool:
        now = self._clock()
        left = self._buckets[path].tokens(*self._left[path], now)
        self._left[path] = (left - 1 if left >= 1 else left, now)
        return left >= 1


class ConcurrencyLimit:
    """Holds whoever signed in to so many requests open at once in this process: a stream may stay open for good."""

    def __init__(self, app: ASGIApp, *, most: int = MAX_OPEN) -> None:
        self._app = app
        self._most = most
        self._open: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not isinstance(scope.get("user"), AuthenticatedUser):
            await self._app(scope, receive, send)
            return
        who = principal_in(scope).key
        if self._open[who] >= self._most:
            await _turned_away(429, f"{self._most} requests of yours are open already", scope, receive, send)
            return
        self._open[who] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]


class BodyLimit:
    """Holds a request's body to a size and a time; it is read whole before anybody sees the request.

    One object a process sees all requests, and bounds what it holds of those still on their way, too.
    """

    def __init__(
        self, app: ASGIApp, *, most: int, max_unknown: int | None = None, seconds: float = _BODY_SECONDS
    ) -> None:
        """`max_unknown`: bytes of a body whose sender has not signed in, where callers must."""
        self._app = app
        self._most = most
        self._max_unknown = most if max_unknown is None else min(most, max_unknown)
        self._seconds = seconds
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        most = self._most if isinstance(scope.get("user"), AuthenticatedUser) else self._max_unknown
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(Headers(scope=scope), receive, most)
        except TimeoutError:
            await _turned_away(408, "the request did not come in time", scope, receive, send)
            return
        except _Crowded:
            await _turned_away(429, "too many requests come at once; try again soon", scope, receive, send)
            return
        except ClientGone:
            return
        if body is None:
            await _turned_away(413, f"a request has at most {most} bytes", scope, receive, send)
            return
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, again, send)

    async def _read(self, headers: Headers, receive: Receive, most: int) -> bytes | None:
        """None when it is too large. Raises ClientGone, _Crowded."""
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > most:
            return None
        body = bytearray()
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part = message.get("body", b"")
                body += part
                self._held += len(part)
                if len(body) > most:
                    return None
                if not message.get("more_body", False):
                    return bytes(body)
                if self._held > _MAX_HELD_BYTES:
                    raise _Crowded
        finally:
            self._held -= len(body)


async def _turned_away(status: int, text: str, scope: Scope, receive: Receive, send: Send) -> None:
    """The refusal of a request of which more may come. What comes is thrown away for a moment: a connection that is closed
    on unread data is reset, and its client would not see why."""
    whole: list[Message] = []

    async def kept(message: Message) -> None:
        whole.append(message)

    headers = {"Connection": "close"} | ({"Retry-After": "1"} if status == 429 else {})
    await JSONResponse({"error": text}, status, headers=headers)(scope, receive, kept)
    for message in whole:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_LOOK_SECONDS):
            thrown, more = 0, True
            while more and thrown < MAX_THROWN_BYTES:
                message = await receive()
                thrown += len(message.get("body", b""))
                more = message["type"] == "http.request" and message.get("more_body", False)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _refusal(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)
