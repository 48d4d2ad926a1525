"""An MCP server over HTTP: SSE and streamable HTTP in one process, and how callers are let in.

Decides routes, transport security and TLS; never who may see what. Streamable HTTP is stateless, so that each request
stands for itself: its own identity, no session to take over. Imported only when HTTP is served.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from typing import Any, Literal

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from crosstrail.server.auth.header_credentials import StreamOwners
from crosstrail.server.gc_tuning import collect_garbage_seldom
from crosstrail.server.http.listener import Listener
from crosstrail.settings.environment import environment
from crosstrail.stop_signals import on_stop_signal

HTTP_PATH, SSE_PATH, MESSAGE_PATH = "/mcp", "/sse", "/messages/"
_LAST_ANSWERS_SECONDS = 5


def http_app(
    server: MCPServer[Any] | Server[Any],
    listener: Listener,
    middleware: Sequence[Middleware] = (),
    *,
    routes: Sequence[BaseRoute] = (),
    first: Sequence[BaseRoute] = (),
    sse: bool = True,
    sign_in: Mapping[str, Any] | None = None,
    lifetime: Callable[[], AbstractAsyncContextManager[Mapping[str, Any] | None]] = nullcontext,
) -> Starlette:
    """/mcp of one server, /sse and /messages/ where wanted, and more routes; `first` are those that stand in place of its own.

    `middleware` says who calls: it runs before everything else. `sign_in`: `auth` and `token_verifier` of a lowlevel server,
    which has none of its own. `lifetime` is entered first and left last, when no call runs any more; what it gives is the
    state of every connection.
    """
    AppStatus.enable_automatic_graceful_drain = False  # else a stream ends before its answer; uvicorn gives it a time
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # HostCheck does
    apps = [
        server.streamable_http_app(
            streamable_http_path=HTTP_PATH,
            stateless_http=True,
            json_response=json_response,
            transport_security=security,
            host=listener.host,
            **(sign_in or {}),
        )
        for json_response in (False, True)
    ]
    known = [*first, *_missing(_by_accept(*apps), first)]
    if sse and isinstance(server, MCPServer):
        app = server.sse_app(
            sse_path=SSE_PATH, message_path=MESSAGE_PATH, transport_security=security, host=listener.host
        )
        known += _missing(app.routes, known)
    known += _missing(routes, known)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        async with lifetime() as state, AsyncExitStack() as inside:
            for app in apps:
                await inside.enter_async_context(app.router.lifespan_context(app))
            collect_garbage_seldom()
            yield dict(state or {})

    owners = [Middleware(StreamOwners, stream_path=SSE_PATH, message_path=MESSAGE_PATH)] if sse else []
    made = Starlette(routes=known, middleware=[*middleware, *owners], lifespan=lifespan)
    made.router.redirect_slashes = False  # to http where a proxy ended TLS: a client would send its token there
    return made


def _by_accept(streaming: Starlette, whole: Starlette) -> list[BaseRoute]:
    """The routes of one server that was made twice: /mcp goes to either, by what the client takes."""
    first, second = (
        next(route for route in app.routes if getattr(route, "path", "") == HTTP_PATH) for app in (streaming, whole)
    )
    others = [route for route in streaming.routes if getattr(route, "path", "") != HTTP_PATH]
    endpoint = _ByAccept(first, second)
    return [*others, *(Route(path, endpoint=endpoint, methods=["POST"]) for path in (HTTP_PATH, f"{HTTP_PATH}/"))]


class _ByAccept:
    """A client that takes JSON alone gets its answer so; others get a stream, which tells how far a call is."""

    def __init__(self, streaming: BaseRoute, whole: BaseRoute) -> None:
        self._streaming = streaming
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = ",".join(Headers(scope=scope).getlist("accept")).lower()
        streams = not accepted or any(kind in accepted for kind in ("text/event-stream", "*/*", "text/*"))
        await (self._streaming if streams else self._whole).handle(scope, receive, send)


def _missing(routes: Iterable[BaseRoute], known: Sequence[BaseRoute]) -> list[BaseRoute]:
    """Those whose paths are not served yet."""
    paths = {getattr(route, "path", None) for route in known}
    return [route for route in routes if getattr(route, "path", None) not in paths]


def serve_http(
    app: Starlette | Callable[[], Starlette],
    listener: Listener,
    opened: socket.socket,
    *,
    protocol: type[asyncio.Protocol] | Literal["auto"] = "auto",
    workers: int = 1,
) -> None:
    """Serve until the process is told to stop; running calls get 5 s to finish.

    Each of several workers makes its own `app`, so that must be a function that can be pickled.
    """
    config = _config(app, listener, protocol, workers)
    _allow_connections()
    if workers > 1:
        from crosstrail.server.http.workers import Workers

        Workers(config, sockets=[opened]).run()
    else:
        asyncio.run(_served(config, opened))


async def serve_http_here(
    app: Starlette, listener: Listener, opened: socket.socket, *, protocol: type[asyncio.Protocol] | Literal["auto"]
) -> None:
    """The same in the event loop that runs already, for an application that lives in it; told to stop, it returns."""
    await _served(_config(app, listener, protocol, 1), opened)


async def _served(config: uvicorn.Config, opened: socket.socket) -> None:
    server = _ToldToStop(config)

    async def stop(_: int) -> None:
        server.should_exit = True

    async with on_stop_signal(stop):
        await server.serve(sockets=[opened])


class _ToldToStop(uvicorn.Server):
    """Leaves signals alone: uvicorn would raise them again at its end, before others could end what is theirs."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if sys.platform != "win32":  # where nobody else waits for them
            yield
            return
        with super().capture_signals():
            yield


def _config(
    app: Starlette | Callable[[], Starlette],
    listener: Listener,
    protocol: type[asyncio.Protocol] | Literal["auto"],
    workers: int,
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=not isinstance(app, Starlette),
        http=protocol,
        workers=workers,
        ssl_certfile=listener.tls_cert or None,
        ssl_keyfile=listener.tls_key or None,
        log_config=None,  # its entries go where all go: stderr_log.py
        log_level="warning",
        access_log=False,  # it would hold the ids of streams
        server_header=False,
        proxy_headers=any(environment(("FORWARDED_ALLOW_IPS",)).values()),  # unset, uvicorn would believe loopback
        timeout_keep_alive=listener.keep_alive,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
        ws="none",
    )


def _allow_connections() -> None:
    """As many open files as this user may have: the usual 1,024 are fewer than callers may be connected."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
