"""The composition root of `crosstrail serve` over HTTP: one workspace, its MCP server, its middleware, its sign-in, its health.

It decides nothing else. Imported only when HTTP is served.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from crosstrail.errors import CrosstrailError
from crosstrail.server.access.admission import OUR_TOOLS, Admission
from crosstrail.server.access.audit import AuditLog
from crosstrail.server.access.base_admission import BaseAdmission
from crosstrail.server.access.telemetry import Telemetry, telemetry_of
from crosstrail.server.app import create_server
from crosstrail.server.auth.principals import principal_of
from crosstrail.server.auth.sign_in import HEALTH_PATH, PING_PATH, SignIn, sign_in_of
from crosstrail.server.http.connections import IdleConnections
from crosstrail.server.http.health import Health
from crosstrail.server.http.http_app import http_app
from crosstrail.server.http.listener import Listener
from crosstrail.server.http.middleware import (
    MAX_MADE_UP_BYTES,
    MAX_UNKNOWN_BYTES,
    BodyLimit,
    ConcurrencyLimit,
    HeaderLimit,
    HostCheck,
    RateLimit,
    RefusalRecord,
)
from crosstrail.server.http.origins import known_hosts, known_origins, pages
from crosstrail.server.http.public_path import PublicPath
from crosstrail.server.toolsets import ToolTable
from crosstrail.settings.config import Settings
from crosstrail.stderr_log import log_to_stderr
from crosstrail.trust import TrustStore, trusted, use
from crosstrail.workspace.request_workspace import KeyOwners, api_of
from crosstrail.workspace.workspace import Workspace

_log = logging.getLogger("crosstrail.server")


def listener_of(settings: Settings) -> Listener:
    serve = settings.serve
    return Listener(
        serve.host,
        serve.port,
        path=serve.socket,
        group=serve.socket_group,
        tls_cert=serve.tls_cert,
        tls_key=serve.tls_key,
        keep_alive=serve.keep_alive,
    )


def serve_app(
    settings: Settings,
    *,
    has_rules: bool,
    counted_in: str = "",
    table: ToolTable = OUR_TOOLS,
    make: Callable[..., MCPServer[Any]] = create_server,
    uses_accounts: bool = True,
) -> Starlette:
    """The application. `has_rules`: whether there was any access rule when the server started. `counted_in`: the file in
    which several processes count calls together. `table` and `make`: the tools, and the server that has them, as
    `create_server` makes it. `uses_accounts`: see guarded_app. Raises ConfigError."""
    telemetry = telemetry_of(settings)
    sign_in = sign_in_of(settings)
    workspace = Workspace(settings)
    open_to_all = is_open_to_all(settings, has_rules=has_rules)
    owners = KeyOwners(api_of(workspace), deadline=settings.lookup.deadline) if sign_in.by_keys else None
    admission = Admission(
        workspace,
        principal_of=principal_of,
        open_to_all=open_to_all,
        record=AuditLog(settings.audit, default="stderr"),
        counted_in=counted_in,
        owners=owners,
        table=table,
    )
    server = make(workspace, admission, verifier=sign_in.verifier, auth=sign_in.settings)
    sse = settings.serve.transport == "sse"
    return guarded_app(server, workspace, sign_in, admission, sse=sse, uses_accounts=uses_accounts, telemetry=telemetry)


def is_open_to_all(settings: Settings, *, has_rules: bool) -> bool:
    """Whether everybody who is let in may see everything."""
    return not has_rules and (settings.serve.auth == "none" or settings.serve.allow_any)


def guarded_app(
    server: MCPServer[Any] | Server[Any],
    workspace: Workspace,
    sign_in: SignIn,
    gate: BaseAdmission,
    *,
    sse: bool = False,
    uses_accounts: bool = True,
    telemetry: Telemetry | None = None,
) -> Starlette:
    """A server behind its middleware: hosts, sizes, sign-in, health. It closes the workspace and the admission at its end,
    and sends what is left of `telemetry`.

    `uses_accounts`: whether its tools ask the workspace's accounts and lake, so that its health depends on them.
    """
    settings = workspace.settings
    serve = settings.serve

    @asynccontextmanager
    async def lifetime() -> AsyncIterator[Mapping[str, Any]]:
        try:
            async with sign_in.swept():
                yield {"record": gate.record, "idle": IdleConnections()}
        finally:
            await workspace.aclose()
            gate.close()
            if telemetry:
                await telemetry.aclose()

    most = min(serve.max_body, MAX_MADE_UP_BYTES) if sign_in.by_keys else serve.max_body
    middleware = [
        *([Middleware(PublicPath, prefix=serve.public_path)] if serve.public_path else []),
        Middleware(RefusalRecord, record=gate.record),
        Middleware(HostCheck, hosts=known_hosts(serve), origins=known_origins(serve)),
        *pages(serve),
        Middleware(HeaderLimit),
        *([Middleware(RateLimit, most=sign_in.paces)] if sign_in.paces else []),
        *sign_in.middleware,  # before bodies: a stranger's is not held
        Middleware(ConcurrencyLimit),
        Middleware(BodyLimit, most=most, max_unknown=MAX_UNKNOWN_BYTES if sign_in.middleware else None),
    ]
    health = Health(workspace if uses_accounts and not sign_in.by_keys else None, sign_in)
    routes = [Route(PING_PATH, health.ping), Route(HEALTH_PATH, health.healthz), *sign_in.routes]
    checked = {"auth": sign_in.settings, "token_verifier": sign_in.verifier} if isinstance(server, Server) else {}
    return http_app(
        server,
        listener_of(settings),
        middleware,
        routes=routes,
        first=sign_in.metadata,
        sse=sse,
        sign_in=checked,
        lifetime=lifetime,
    )


def app_factory(settings: Settings, *, has_rules: bool, counted_in: str) -> Callable[[], Starlette]:
    """What makes the application in a process of its own."""
    return partial(_worker_app, settings, trusted(), has_rules=has_rules, counted_in=counted_in)


def _worker_app(settings: Settings, trust: TrustStore, *, has_rules: bool, counted_in: str) -> Starlette:
    """Sets up the log and the trusted certificates of its process. What is wrong is an entry of the log, and ends the
    process."""
    from crosstrail.server.http.workers import hear_interrupts

    log_to_stderr(settings.log_level, settings.serve.log_format)
    hear_interrupts()
    use(trust)
    try:
        return serve_app(settings, has_rules=has_rules, counted_in=counted_in)
    except CrosstrailError as error:
        _log.critical("a worker cannot start: %s", error.operators_text)
    except Exception:  # noqa: BLE001 - multiprocessing would print it, in lines of its own
        _log.critical("a worker cannot start", exc_info=True)
    sys.exit(1)
