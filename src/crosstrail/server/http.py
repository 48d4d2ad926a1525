"""An MCP server over HTTP: SSE and streamable HTTP in one process, and how callers are let in.

Decides routes, transport security and TLS; never who may see what. Streamable HTTP is stateless, so that each request
stands for itself: its own identity, no session to take over. Imported only when HTTP is served.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware

from crosstrail.errors import ConfigError
from crosstrail.server.auth import StreamOwners

HTTP_PATH, SSE_PATH, MESSAGE_PATH = "/mcp", "/sse", "/messages/"
_LAST_ANSWERS_SECONDS = 5
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a server listens. `loopback`: only this machine reaches it, so no other Host may be named."""

    host: str
    port: int
    loopback: bool
    tls_cert: str = ""
    tls_key: str = ""

    def address(self, opened: socket.socket) -> str:
        """`http://127.0.0.1:8888`, with the port that was really taken."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{opened.getsockname()[1]}"


def http_app(server: MCPServer[Any], listener: Listener, middleware: Sequence[Middleware] = ()) -> Starlette:
    """/mcp, /sse and /messages/ of one server. `middleware` says who calls: it runs before everything else."""
    security = _security(listener)
    http = server.streamable_http_app(
        streamable_http_path=HTTP_PATH, stateless_http=True, transport_security=security, host=listener.host
    )
    sse = server.sse_app(sse_path=SSE_PATH, message_path=MESSAGE_PATH, transport_security=security, host=listener.host)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with server.session_manager.run():
            yield

    owners = Middleware(StreamOwners, stream_path=SSE_PATH, message_path=MESSAGE_PATH)
    return Starlette(routes=[*http.routes, *sse.routes], middleware=[*middleware, owners], lifespan=lifespan)


@contextmanager
def listening(listener: Listener) -> Iterator[socket.socket]:
    """A socket that takes connections from now on. Raises ConfigError when the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    try:
        opened = socket.create_server((listener.host, listener.port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {listener.host} port {listener.port}: {error.strerror or 'not an address'}",
            hint="Choose another port (MCP_SERVER_PORT) or address.",
        ) from None
    with opened:
        yield opened


def serve_http(app: Starlette, listener: Listener, opened: socket.socket) -> None:
    """Serve until the process is told to stop. Raises ConfigError for a certificate that cannot be used."""
    config = uvicorn.Config(
        app,
        ssl_certfile=listener.tls_cert or None,
        ssl_keyfile=listener.tls_key or None,
        log_level="warning",
        access_log=False,  # it would hold the ids of streams
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
        ws="none",
    )
    try:
        config.load()
    except OSError as error:  # ssl's errors are among them
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"the TLS certificate or its key cannot be used: {reason}", hint="Check --tls-cert and --tls-key."
        ) from None
    uvicorn.Server(config).run(sockets=[opened])


def _security(listener: Listener) -> TransportSecuritySettings:
    """On loopback, against pages in a browser that reach it under a foreign name; elsewhere names are not ours to know."""
    if not listener.loopback:
        return TransportSecuritySettings(enable_dns_rebinding_protection=False)
    scheme = "https" if listener.tls_cert else "http"
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[name for host in _LOOPBACK_NAMES for name in (host, f"{host}:*")],
        allowed_origins=[f"{scheme}://{host}:*" for host in _LOOPBACK_NAMES],
    )
