"""The MCP server in front of a proxy: which methods it has, and what it says of itself.

Decides nothing about a call: each handler is one await of the proxy. It has a method only where a wrapped server has it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
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
from pydantic import BaseModel

from crosstrail import __version__
from crosstrail.errors import CrosstrailError

if TYPE_CHECKING:
    from crosstrail.wrap.proxy import Proxy

Context = ServerRequestContext[Any, Any]
Answer = Callable[[Context, Mapping[str, Any]], Awaitable[dict[str, Any]]]
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


def build_server(proxy: Proxy) -> Server[Any]:
    """A server with the methods that the wrapped servers have between them."""
    offers = list(proxy.offers.values())
    one = offers[0].hello.get("serverInfo", {}) if len(offers) == 1 else {}
    server: Server[Any] = Server(
        one.get("name") or "crosstrail",
        version=one.get("version") or __version__,
        title=one.get("title"),
        instructions=_instructions(proxy),
        cache_hints=dict.fromkeys(_CACHEABLE, CacheHint(ttl_ms=0, scope="private")),
    )

    for method, (capability, params, answer) in _methods(proxy).items():
        if any(offer.can(capability) for offer in offers):
            server.add_request_handler(method, params, _handler(proxy, answer))
    server.add_request_handler(
        "subscriptions/listen", SubscriptionsListenRequestParams, ListenHandler(proxy.changes.bus)
    )
    return server


def _methods(proxy: Proxy) -> dict[str, tuple[str, type[BaseModel], Answer]]:
    """Method -> the capability of a wrapped server that it needs, its parameters, who answers it."""

    async def tools(context: Context, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"tools": proxy.catalog.shown_tools(await proxy.choice())}

    async def prompts(context: Context, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"prompts": proxy.catalog.shown_prompts(await proxy.choice())}

    async def resources(context: Context, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"resources": proxy.catalog.shown_resources()}

    async def templates(context: Context, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"resourceTemplates": proxy.catalog.shown_templates()}

    return {
        "tools/list": ("tools", PaginatedRequestParams, tools),
        "tools/call": ("tools", CallToolRequestParams, proxy.call_tool),
        "prompts/list": ("prompts", PaginatedRequestParams, prompts),
        "prompts/get": ("prompts", GetPromptRequestParams, proxy.get_prompt),
        "resources/list": ("resources", PaginatedRequestParams, resources),
        "resources/templates/list": ("resources", PaginatedRequestParams, templates),
        "resources/read": ("resources", ReadResourceRequestParams, proxy.read_resource),
        "completion/complete": ("completions", CompleteRequestParams, proxy.complete),
        "logging/setLevel": ("logging", SetLevelRequestParams, proxy.set_log_level),
    }


def initialization(server: Server[Any]) -> InitializationOptions:
    """What a connection of an older client is told: that the lists may change."""
    return server.create_initialization_options(NotificationOptions(True, True, True))


def _handler(proxy: Proxy, answer: Answer) -> Callable[[Context, Any], Awaitable[dict[str, Any]]]:
    """The raw parameters, so that nothing a client sent is lost; errors of ours in our words."""

    async def handle(context: Context, params: Any) -> dict[str, Any]:
        modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        if context.request is None and not modern:
            proxy.changes.session = context.session
        try:
            result = await answer(context, context.params or {})
        except CrosstrailError as error:
            raise MCPError(code=INTERNAL_ERROR, message=error.text) from None
        # The wrapped servers speak a protocol whose results do not say that they are complete.
        return {"resultType": "complete", **result} if modern else result

    return handle


def _instructions(proxy: Proxy) -> str:
    """The servers' own, and how the account is named."""
    own = {name: offer.hello.get("instructions") or "" for name, offer in proxy.offers.items()}
    texts = [text if len(own) == 1 else f"{name}: {text}" for name, text in own.items() if text]
    return "\n\n".join([*texts, _ONE_ACCOUNT.format(name=proxy.settings.parameter)])
