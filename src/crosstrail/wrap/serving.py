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
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CompleteRequestParams,
    GetPromptRequestParams,
    NotificationParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    SetLevelRequestParams,
    SubscriptionsListenRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from crosstrail import __version__
from crosstrail.errors import CrosstrailError
from crosstrail.wrap.child import Hello
from crosstrail.wrap.learner import choice_of
from crosstrail.wrap.message import Answer, Context, Message, ParamsT
from crosstrail.wrap.proxy import Proxy
from crosstrail.wrap.stdio import StdioClient
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

_UNASKED = "{name} has further tools for clients that it may ask something, which it may not here: {tools}."


def new_server(proxy: Proxy, admission: ServerMiddleware[WrappedCall | None]) -> WrappingServer:
    """A server with the methods that the wrapped servers have between them, for any transport.

    Every message passes `admission`, which gives it the WrappedCall that it runs with, as `lifespan_context`.
    """
    learner = proxy.learner
    offers = list(learner.offers.values())
    one = offers[0].hello if len(proxy.settings.servers) == 1 else Hello()
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
    if learner.missing:  # nobody knows yet what they have
        can |= {"tools", "prompts", "resources"}
    _add_methods(server, proxy, can)

    def noted() -> None:
        server.instructions = _instructions(proxy)

    learner.on_notes = noted
    server.add_request_handler(
        "subscriptions/listen", SubscriptionsListenRequestParams, ListenHandler(proxy.changes.bus)
    )
    return server


async def serve_stdio(server: WrappingServer, client: StdioClient) -> None:
    """Serve one client until it leaves. An older client learns from the handshake that the lists may change."""
    options = server.create_initialization_options(NotificationOptions(True, True, True))
    async with client.streams() as (reading, writing):
        await server.run(reading, writing, options)


@asynccontextmanager
async def _admitted_by_nobody(server: WrappingServer) -> AsyncIterator[WrappedCall | None]:
    """What a message comes with before its admission."""
    yield None


def _add_methods(server: WrappingServer, proxy: Proxy, can: set[str]) -> None:
    """`can`: the capabilities of the wrapped servers."""

    async def tools(message: Message[PaginatedRequestParams]) -> Answer:
        return {"tools": proxy.catalog.shown_tools(await choice_of(message.call))}

    async def prompts(message: Message[PaginatedRequestParams]) -> Answer:
        return {"prompts": proxy.catalog.shown_prompts(await choice_of(message.call))}

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

    async def roots_changed(context: Context, params: NotificationParams) -> None:
        if context.request is None:  # over HTTP it would reach the processes of all callers
            await proxy.roots_changed()

    server.add_notification_handler("notifications/roots/list_changed", NotificationParams, roots_changed)


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
            proxy.changes.connected(context.session)
        try:
            result = await answer(Message(context, params, context.params or {}, call))
        except CrosstrailError as error:
            raise MCPError(code=INTERNAL_ERROR, message=error.text) from None
        # The wrapped servers speak a protocol whose results do not say that they are complete.
        return {"resultType": "complete", **result} if modern else result

    return handle


def _instructions(proxy: Proxy) -> str:
    """The servers' own, how the account is named, and what is not there that could be."""
    learner = proxy.learner
    own = {name: offer.hello.instructions for name, offer in learner.offers.items()}
    texts = [text if len(proxy.settings.servers) == 1 else f"{name}: {text}" for name, text in own.items() if text]
    texts.append(_ONE_ACCOUNT.format(name=proxy.settings.parameter))
    texts += [
        f"{name} did not start and is tried again: until then its tools are not here." for name in learner.missing
    ]
    texts += [_UNASKED.format(name=name, tools=", ".join(tools)) for name, tools in learner.unasked.items()]
    return "\n\n".join(texts)
