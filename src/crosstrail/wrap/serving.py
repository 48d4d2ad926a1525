"""The MCP server in front of a proxy: which methods it has, and what it says of itself.

Decides nothing about a call: each handler is one await of the proxy. It has a method only where a wrapped server has it, and
no message reaches the proxy that was not admitted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import ServerMiddleware
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CompleteRequestParams,
    GetPromptRequestParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    SetLevelRequestParams,
    SubscriptionsListenRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from crosstrail import __version__
from crosstrail.errors import CrosstrailError
from crosstrail.wrap.child import Hello
from crosstrail.wrap.message import Answer, Context, Message, ParamsT
from crosstrail.wrap.proxy import Proxy
from crosstrail.wrapped_call import WrappedCall

WrappingServer = Server[WrappedCall | None]
_CACHEABLE: tuple[CacheableMethod, ...] = (
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
)
"""Newer protocols want each of these to say how long it holds: we do not know, and accounts differ."""
_ONE_ACCOUNT = (
    "Every tool takes {name}: the alias or id of the account to use. One call is answered for one account; "
    "for several accounts call it once for each."
)


def new_server(proxy: Proxy, admission: ServerMiddleware[WrappedCall | None]) -> WrappingServer:
    """A server with the methods that the wrapped servers have between them, for any transport.

    Every message passes `admission`, which gives it the WrappedCall that it runs with, as `lifespan_context`.
    """
    offers = list(proxy.offers.values())
    one = offers[0].hello if len(offers) == 1 else Hello()
    server: WrappingServer = Server(
        one.name or "crosstrail",
        version=one.version or __version__,
        title=one.title or None,
        instructions=_instructions(proxy),
        cache_hints=dict.fromkeys(_CACHEABLE, CacheHint(ttl_ms=0, scope="private")),
        lifespan=_admitted_by_nobody,
    )
    server.middleware.append(admission)
    can = {capability for offer in offers for capability in offer.hello.capabilities}
    _add_methods(server, proxy, can)
    server.add_request_handler(
        "subscriptions/listen", SubscriptionsListenRequestParams, ListenHandler(proxy.changes.bus)
    )
    return server


async def serve_stdio(server: WrappingServer) -> None:
    """Serve one client over stdin and stdout until it leaves. An older client learns from the handshake that the lists may change."""
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options(NotificationOptions(True, True, True)))


@asynccontextmanager
async def _admitted_by_nobody(server: WrappingServer) -> AsyncIterator[WrappedCall | None]:
    """What a message comes with before its admission."""
    yield None


def _add_methods(server: WrappingServer, proxy: Proxy, can: set[str]) -> None:
    """`can`: the capabilities of the wrapped servers."""

    async def tools(message: Message[PaginatedRequestParams]) -> Answer:
        return {"tools": proxy.catalog.shown_tools(await proxy.choice(message.call))}

    async def prompts(message: Message[PaginatedRequestParams]) -> Answer:
        return {"prompts": proxy.catalog.shown_prompts(await proxy.choice(message.call))}

    async def resources(message: Message[PaginatedRequestParams]) -> Answer:
        return {"resources": proxy.catalog.shown_resources()}

    async def templates(message: Message[PaginatedRequestParams]) -> Answer:
        return {"resourceTemplates": proxy.catalog.shown_templates()}

    def add(method: str, params: type[ParamsT], answer: Callable[[Message[ParamsT]], Awaitable[Answer]]) -> None:
        server.add_request_handler(method, params, _handler(proxy, answer))

    if "tools" in can:
        add("tools/list", PaginatedRequestParams, tools)
        add("tools/call", CallToolRequestParams, proxy.call_tool)
    if "prompts" in can:
        add("prompts/list", PaginatedRequestParams, prompts)
        add("prompts/get", GetPromptRequestParams, proxy.get_prompt)
    if "resources" in can:
        add("resources/list", PaginatedRequestParams, resources)
        add("resources/templates/list", PaginatedRequestParams, templates)
        add("resources/read", ReadResourceRequestParams, proxy.read_resource)
    if "completions" in can:
        add("completion/complete", CompleteRequestParams, proxy.complete)
    if "logging" in can:
        add("logging/setLevel", SetLevelRequestParams, proxy.set_log_level)


def _handler(
    proxy: Proxy, answer: Callable[[Message[ParamsT]], Awaitable[Answer]]
) -> Callable[[Context, ParamsT], Awaitable[Answer]]:
    """With the parameters as they were sent, so that nothing of them is lost; errors of ours in our words."""

    async def handle(context: Context, params: ParamsT) -> Answer:
        call = context.lifespan_context
        if not isinstance(call, WrappedCall):
            raise MCPError(code=INTERNAL_ERROR, message="this message was admitted by nobody")
        modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        if context.request is None and not modern:
            proxy.changes.session = context.session
        try:
            result = await answer(Message(context, params, context.params or {}, call))
        except CrosstrailError as error:
            raise MCPError(code=INTERNAL_ERROR, message=error.text) from None
        # The wrapped servers speak a protocol whose results do not say that they are complete.
        return {"resultType": "complete", **result} if modern else result

    return handle


def _instructions(proxy: Proxy) -> str:
    """The servers' own, and how the account is named."""
    own = {name: offer.hello.instructions for name, offer in proxy.offers.items()}
    texts = [text if len(own) == 1 else f"{name}: {text}" for name, text in own.items() if text]
    return "\n\n".join([*texts, _ONE_ACCOUNT.format(name=proxy.settings.parameter)])
