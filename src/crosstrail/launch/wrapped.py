"""The composition root of `crosstrail wrap`: a proxy, who may use it, and a transport.

It decides nothing else. Imported when the command runs.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

from crosstrail.call_context import CallContext
from crosstrail.cli.words import say
from crosstrail.errors import ConfigError
from crosstrail.json_values import text
from crosstrail.server.access.audit import AuditLog, retention
from crosstrail.server.access.base_admission import PrincipalOf
from crosstrail.server.access.spans import name_spans
from crosstrail.server.access.telemetry import telemetry_of
from crosstrail.server.access.wrapped_admission import WrappedAdmission
from crosstrail.settings.config import Settings
from crosstrail.settings.wrap_settings import WrapSettings
from crosstrail.stop_signals import exit_on_signal
from crosstrail.text import visible
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from crosstrail.wrap.learner import choice_of
from crosstrail.wrap.proxy import Proxy, opened
from crosstrail.wrap.serving import WrappingServer, new_server, serve_stdio
from crosstrail.wrap.stdio import connected_client
from crosstrail.wrap.tool_catalog import says_it_reads
from crosstrail.wrapped_call import WrappedCall


async def serve_wrapped(wrap: WrapSettings, settings: Settings) -> None:
    """Serve until the client leaves or a signal ends the process."""
    if settings.serve.transport != "stdio":
        await _serve_http(wrap, settings)
        return
    if sys.stdin.isatty():
        say("Speaking MCP over stdio. An MCP client starts this command by itself; to look at the tools: --list-tools.")
    async with _telemetry(settings) as send, _proxy(wrap, settings) as (proxy, workspace):

        async def end() -> None:
            await proxy.aclose()
            await send()

        async with exit_on_signal(end):
            client = await connected_client()
            await proxy.learner.learn_all(_owner(workspace), client.capabilities, reuse=True)
            with closing(_admission(proxy, workspace, AuditLog(settings.audit))) as admission:
                await serve_stdio(_server(proxy, admission), client)


async def list_wrapped(wrap: WrapSettings, settings: Settings) -> None:
    """One line a tool: its name, whether it says it is read-only, its first line; then what else there is."""
    async with _proxy(wrap, settings) as (proxy, workspace), exit_on_signal(proxy.aclose):
        await proxy.learner.learn_all(_owner(workspace), {}, reuse=False)
        await _show(proxy, _owner(workspace))
    for error in proxy.learner.missing.values():
        raise error


async def _serve_http(wrap: WrapSettings, settings: Settings) -> None:
    """At /mcp, with the middleware, sign-in, rules, limits and record of `crosstrail serve`."""
    from crosstrail.server.auth.principals import principal_of
    from crosstrail.server.auth.sign_in import sign_in_of
    from crosstrail.server.http.connections import TimelyHttp
    from crosstrail.server.http.http_app import HTTP_PATH, serve_http_here
    from crosstrail.server.http.listener import listening
    from crosstrail.server.http.serve_app import guarded_app, is_open_to_all, listener_of
    from crosstrail.settings.server_settings import check

    if settings.serve.transport == "sse":
        raise ConfigError(
            "wrapped servers are not served over SSE", hint="Set serve.transport, or --transport, to http."
        )
    if settings.serve.auth == "token":
        raise ConfigError(
            "auth token is for `crosstrail serve`: a wrapped server gets the credentials of listed accounts",
            hint="Set serve.auth to jwt or oauth.",
        )
    if settings.serve.workers > 1:
        raise ConfigError("wrapped servers are served by one process", hint="Set serve.workers to 1.")
    async with _telemetry(settings), _proxy(wrap, settings) as (proxy, workspace):
        rules = await workspace.access_rules()
        has_rules = bool(rules)
        check(settings.serve, settings.jwt, settings.oauth, rules=rules)
        sign_in, listener = sign_in_of(settings), listener_of(settings)
        with listening(listener) as socket:
            async with exit_on_signal(proxy.aclose):
                await proxy.learner.learn_all(_owner(workspace), None, reuse=settings.serve.auth == "none")
            admission = _admission(
                proxy,
                workspace,
                AuditLog(settings.audit, default="stderr"),
                principal_of=principal_of,
                open_to_all=is_open_to_all(settings, has_rules=has_rules),
            )
            say(f"record of calls: {retention(settings.audit, default='stderr')}")
            say(f"crosstrail serves {listener.address(socket)}{HTTP_PATH}")
            app = guarded_app(_server(proxy, admission), workspace, sign_in, admission)
            await serve_http_here(app, listener, socket, protocol=TimelyHttp)


@asynccontextmanager
async def _telemetry(settings: Settings) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Set up before any process is started, and sent at the end of the block; gives what sends it before."""
    telemetry = telemetry_of(settings)

    async def send() -> None:
        if telemetry:
            await telemetry.aclose()

    try:
        yield send
    finally:
        await send()


def _server(proxy: Proxy, admission: WrappedAdmission) -> WrappingServer:
    """The proxy as a server, behind its admission, with spans that name what there is."""
    server = new_server(proxy, admission)
    name_spans(server.middleware, admission.knows)
    return server


def _admission(
    proxy: Proxy,
    workspace: Workspace,
    record: AuditLog,
    *,
    principal_of: PrincipalOf | None = None,
    open_to_all: bool = False,
) -> WrappedAdmission:
    """What every message to the proxy passes."""
    return WrappedAdmission(
        workspace,
        parameter=proxy.settings.parameter,
        reads=proxy.reads,
        has=proxy.has,
        record=record,
        principal_of=principal_of,
        open_to_all=open_to_all,
    )


def _owner(workspace: Workspace) -> WrappedCall:
    """Whoever started the process, outside of any message: every account, in nobody's name."""
    return WrappedCall(ScopedWorkspace(workspace).registry, CallContext())


@asynccontextmanager
async def _proxy(wrap: WrapSettings, settings: Settings) -> AsyncIterator[tuple[Proxy, Workspace]]:
    """A proxy and the workspace with its accounts; both end with the block."""
    workspace = Workspace(settings)
    try:
        async with opened(wrap, workspace.broker) as proxy:
            yield proxy, workspace
    finally:
        await workspace.aclose()


async def _show(proxy: Proxy, call: WrappedCall) -> None:
    from rich.console import Console
    from rich.markup import escape

    choice = await choice_of(call)
    console = Console(highlight=False, soft_wrap=True)
    for tool in proxy.catalog.shown_tools(choice):
        kind = "reads" if says_it_reads(tool) else "may write"
        first = text(tool.get("description")).strip().split("\n", 1)[0][:100]
        console.print(f"[bold]{escape(visible(text(tool['name'])))}[/bold]  {kind}  {escape(visible(first))}")
    for kind, shown in (
        ("prompt", proxy.catalog.prompts),
        ("resource", proxy.catalog.resources),
        ("template", proxy.catalog.templates),
    ):
        for name in shown:
            console.print(f"{kind} {escape(visible(name))}")
    names = ", ".join(account.name for account in choice.accounts[:30]) or "none: list some in crosstrail.yaml"
    default = f"; default {choice.default.name}" if choice.default else ""
    console.print(f"{len(proxy.catalog.tools)} tools; {proxy.settings.parameter}: {escape(names)}{default}")
