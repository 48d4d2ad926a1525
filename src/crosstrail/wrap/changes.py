"""Lists that change while they are served: read again from the process that said so, then announced to the clients.

Decides that one reading of a server is under way at a time, however often it says that something changed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types import (
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ServerNotification,
    ToolListChangedNotification,
)

from crosstrail.wrap.child import Child

_log = logging.getLogger("crosstrail.wrap")
_KINDS: dict[str, tuple[ServerEvent, ServerNotification]] = {
    "notifications/tools/list_changed": (ToolsListChanged(), ToolListChangedNotification()),
    "notifications/prompts/list_changed": (PromptsListChanged(), PromptListChangedNotification()),
    "notifications/resources/list_changed": (ResourcesListChanged(), ResourceListChangedNotification()),
}
Relearn = Callable[[str, Child], Awaitable[bool]]


class Changes:
    """`bus` is for clients that subscribe; `session` is the one older client, which has no way to subscribe."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.session: ServerSession | None = None
        self._relearn: Relearn | None = None
        self._reading: dict[str, bool] = {}
        """Server -> whether it said so again meanwhile."""

    def watch(self, relearn: Relearn) -> None:
        """From now on changes are read with this; before, everything is read anyway."""
        self._relearn = relearn

    async def noticed(self, server: str, child: Child, method: str) -> None:
        """A server said that a list of its has changed."""
        if self._relearn is None or method not in _KINDS:
            return
        if server in self._reading:
            self._reading[server] = True
            return
        self._reading[server] = True
        try:
            changed = False
            while self._reading[server]:
                self._reading[server] = False
                changed = await self._relearn(server, child) or changed
        finally:
            del self._reading[server]
        if changed:
            await self._announce(method)

    async def _announce(self, method: str) -> None:
        event, notification = _KINDS[method]
        await self.bus.publish(event)
        if self.session:
            await self.session.send_notification(notification)
