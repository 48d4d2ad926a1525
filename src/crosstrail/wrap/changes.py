"""Lists that change while they are served: read again from the process that said so, then announced to the clients.

Decides that one reading of a process's list is under way at a time, however often it says that something changed.
"""

from __future__ import annotations

import asyncio
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

from crosstrail.wrap.child import Client
from crosstrail.wrap.children import Process
from crosstrail.wrap.client import ConnectedClient

TOOLS = "notifications/tools/list_changed"
_KINDS: dict[str, tuple[ServerEvent, ServerNotification]] = {
    TOOLS: (ToolsListChanged(), ToolListChangedNotification()),
    "notifications/prompts/list_changed": (PromptsListChanged(), PromptListChangedNotification()),
    "notifications/resources/list_changed": (ResourcesListChanged(), ResourceListChangedNotification()),
}
Relearn = Callable[[Process, str], Awaitable[bool]]


class Changes:
    """`bus` is for clients that subscribe; `session` is the one older client, which has no way to subscribe."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.session: ServerSession | None = None
        self._connected = asyncio.Event()
        self._relearn: Relearn | None = None
        self._watched = asyncio.Event()
        self._reading: dict[tuple[Process, str], bool] = {}
        """A process and the list that it says has changed -> whether it said so again meanwhile."""

    def connected(self, session: ServerSession) -> None:
        """The one older client is there."""
        self.session = session
        self._connected.set()

    async def client(self) -> Client | None:
        """That client, for what a server asks between calls; waits until it is there."""
        await self._connected.wait()
        return ConnectedClient(self.session) if self.session else None

    def watch(self, relearn: Relearn) -> None:
        """From now on changes are read with this, those noticed before included."""
        self._relearn = relearn
        self._watched.set()

    async def noticed(self, process: Process, method: str) -> None:
        """A process said that a list of its has changed."""
        if method not in _KINDS:
            return
        reading = (process, method)
        if reading in self._reading:
            self._reading[reading] = True
            return
        self._reading[reading] = True
        try:
            await self._watched.wait()
            changed = False
            while self._relearn and self._reading[reading]:
                self._reading[reading] = False
                changed = await self._relearn(process, method) or changed
        finally:
            del self._reading[reading]
        if changed:
            await self.announce(method)

    async def announce(self, *methods: str) -> None:
        """Tell clients that these lists have changed; all without one."""
        for method in methods or _KINDS:
            event, notification = _KINDS[method]
            await self.bus.publish(event)
            if self.session:
                await self.session.send_notification(notification)
