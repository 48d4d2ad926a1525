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

    def add(method: str, params: type[BaseModel], answer: Answer) -> None:
        server.add_request_handler(method, params, _handler(proxy, answer))

    def lists(key: str, shown: Callable[[], Awaitable[list[dict[str, Any]]]]) -> Answer:
        async def listed(context: Context, params: Mapping[str, Any]) -> dict[str, Any]:
            return {key: await shown()}

        return listed

    async def tools() -> list[dict[str, Any]]:
        return proxy.catalog.shown_tools(await proxy.choice())

    async def prompts() -> list[dict[str, Any]]:
        return proxy.catalog.shown_prompts(await proxy.choice())

    async def resources() -> list[dict[str, Any]]:
        return proxy.catalog.shown_resources()

    async def templates() -> list[dict[str, Any]]:
        return proxy.catalog.shown_templates()

    if any(offer.can("tools") for offer in offers):
        add("tools/list", PaginatedRequestParams, lists("tools", tools))
        add("tools/call", CallToolRequestParams, proxy.call_tool)
    if any(offer.can("prompts") for offer in offers):
        add("prompts/list", PaginatedRequestParams, lists("prompts", prompts))
        add("prompts/get", GetPromptRequestParams, proxy.get_prompt)
    if any(offer.can("resources") for offer in offers):
        add("resources/list", PaginatedRequestParams, lists("resources", resources))
        add("resources/templates/list", PaginatedRequestParams, lists("resourceTemplates", templates))
        add("resources/read", ReadResourceRequestParams, proxy.read_resource)
    if any(offer.can("completions") for offer in offers):
        add("completion/complete", CompleteRequestParams, proxy.complete)
    if any(offer.can("logging") for offer in offers):
        add("logging/setLevel", SetLevelRequestParams, proxy.set_log_level)
    server.add_request_handler(
        "subscriptions/listen", SubscriptionsListenRequestParams, ListenHandler(proxy.changes.bus)
    )
    return server


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
