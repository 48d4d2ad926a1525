"""An MCP server over HTTP: SSE and streamable HTTP in one process, and how callers are let in.

Decides routes, transport security and TLS; never who may see what. Streamable HTTP is stateless, so that each request
stands for itself: its own identity, no session to take over. Imported only when HTTP is served.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass
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

from crosstrail.errors import ConfigError
from crosstrail.server.auth.header_credentials import StreamOwners
from crosstrail.server.gc_tuning import collect_garbage_seldom
from crosstrail.settings.config import environment
from crosstrail.stop_signals import on_stop_signal

HTTP_PATH, SSE_PATH, MESSAGE_PATH = "/mcp", "/sse", "/messages/"
_LAST_ANSWERS_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a server listens. Which names it may be called by is not its matter: see http_middleware.py."""

    host: str
    port: int
    tls_cert: str = ""
    tls_key: str = ""
    keep_alive: int = 75
    """Seconds that a connection stays open between two requests."""

    def address(self, opened: socket.socket) -> str:
        """`http://127.0.0.1:8888`, with the port that was really taken."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{opened.getsockname()[1]}"


def http_app(
    server: MCPServer[Any] | Server[Any],
    listener: Listener,
    middleware: Sequence[Middleware] = (),
    *,
    routes: Sequence[BaseRoute] = (),
    sse: bool = True,
    sign_in: Mapping[str, Any] | None = None,
    lifetime: Callable[[], AbstractAsyncContextManager[Mapping[str, Any] | None]] = nullcontext,
) -> Starlette:
    """/mcp of one server, /sse and /messages/ where wanted, and more routes.

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
    known = _by_accept(*apps)
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


@contextmanager
def listening(listener: Listener) -> Iterator[socket.socket]:
    """A socket that takes connections from now on. Raises ConfigError when the address is taken or not this machine's, or
    the certificate cannot be used."""
    if listener.tls_cert:
        _check_certificate(listener)
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    try:
        opened = socket.create_server((listener.host, listener.port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {listener.host} port {listener.port}: {error.strerror or 'not an address'}",
            hint="Choose another port or address (CROSSTRAIL_PORT; for mcp-server-cloud-trail MCP_SERVER_PORT).",
        ) from None
    with opened:
        # asyncio does it for sockets that name TCP alone; without it an answer's second packet waits 40 ms.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield opened


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
        from uvicorn.supervisors import Multiprocess

        Multiprocess(config, sockets=[opened]).run()
    else:
        uvicorn.Server(config).run(sockets=[opened])


async def serve_http_here(
    app: Starlette, listener: Listener, opened: socket.socket, *, protocol: type[asyncio.Protocol] | Literal["auto"]
) -> None:
    """The same in the event loop that runs already, for an application that lives in it; told to stop, it returns."""
    server = _ToldToStop(_config(app, listener, protocol, 1))

    async def stop(_: int) -> None:
        server.should_exit = True

    async with on_stop_signal(stop):
        await server.serve(sockets=[opened])


class _ToldToStop(uvicorn.Server):
    """Leaves signals alone: uvicorn would raise them again at its end, before others could end what is theirs."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
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


def _check_certificate(listener: Listener) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(listener.tls_cert, listener.tls_key or None)
    except OSError as error:  # ssl's errors are among them
        absent = next((name for name in (listener.tls_cert, listener.tls_key) if name and not os.path.exists(name)), "")
        reason = f"there is no file {absent}" if absent else error.strerror or type(error).__name__
        raise ConfigError(
            f"the TLS certificate or its key cannot be used: {reason}", hint="Check --tls-cert and --tls-key."
        ) from None
