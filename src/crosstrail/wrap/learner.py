"""What the wrapped servers have, as their processes said it: asked when they start, and again when they say that it changed.

Decides which process is asked for the lists, what becomes of a server that does not start (the others are served, and it is tried
again), and which accounts a tool is there for. Of other accounts than the first only the tools are asked. What the process of a caller
who signed in says is that caller's own, and shown to nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace

import anyio
from mcp.shared.exceptions import MCPError

from crosstrail.call_context import CallContext
from crosstrail.errors import CrosstrailError, WrappedServerError, with_hint
from crosstrail.json_values import Json
from crosstrail.models import Account
from crosstrail.settings.wrap_settings import WrapSettings
from crosstrail.wrap.changes import TOOLS, Changes
from crosstrail.wrap.children import Children, Process
from crosstrail.wrap.client import EVERY_QUESTION
from crosstrail.wrap.tool_catalog import Catalog, Choice, Offer, Route, learn, offered
from crosstrail.wrapped_call import WrappedCall

_log = logging.getLogger("crosstrail.wrap")
_LONGEST_PAUSE = 600.0
MAX_ASKED_ACCOUNTS = 100
"""Of how many accounts a server whose tools differ by account is asked without a call; of the others with their first call."""
NO_DEFAULT = "It was started without an account: none is marked `default: true`, whose credentials it would have had to start with."


class Learner:
    """`await learn_all()` once; then `catalog` is what is served, as things are now. `aclose` it before its processes."""

    def __init__(self, settings: WrapSettings, children: Children, changes: Changes) -> None:
        self.offers: dict[str, Offer] = {}
        self.catalog = Catalog(settings.parameter)
        self.missing: dict[str, CrosstrailError] = {}
        """Servers that have not started, and why."""
        self.unasked: dict[str, tuple[str, ...]] = {}
        """Server -> tools that it has for clients alone that it may ask something; filled where none can be asked."""
        self.on_notes: Callable[[], None] = lambda: None
        """Called when `missing` or `unasked` change."""
        self._settings = settings
        self._children = children
        self._changes = changes
        self._tasks: set[asyncio.Task[None]] = set()
        self._reuse = True
        self._capabilities: Json | None = None

    async def learn_all(self, call: WrappedCall, capabilities: Json | None, *, reuse: bool) -> None:
        """Ask every server what it has, on behalf of whoever starts it. Those that fail are tried again later.

        `capabilities`: what may be asked of the client; None where no client can be asked. `reuse`: whether callers use
        the process that was asked. Raises the first failure when every server fails, ConfigError when names collide.
        """
        self._capabilities, self._reuse = capabilities, reuse
        if capabilities:
            self._children.between_calls = self._changes.client
        names = list(self._settings.servers)
        results = await asyncio.gather(*(self._first(name, call) for name in names), return_exceptions=True)
        for name, result in zip(names, results, strict=True):
            if isinstance(result, Offer):
                self.offers[name] = result
            elif isinstance(result, CrosstrailError):
                self.missing[name] = result
            else:
                raise result
        if not self.offers:
            raise next(iter(self.missing.values()))
        self.catalog = self._catalog(self.offers)
        for name, error in self.missing.items():
            _log.error("%s does not start, and is tried again: %s", name, error.operators_text)
            self._task(self._retried(name, call))
        for name in self.offers:
            self._learnt(name, call)
        self._changes.watch(self.relearn)

    async def aclose(self) -> None:
        """Ask nobody any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def relearn(self, process: Process, method: str) -> bool:
        """Ask a process again for what it says has changed; whether anything is different now. What cannot be shown is
        logged and left as it was."""
        server, before = process.server, self.catalog
        if server not in self.offers:
            return False
        try:
            if method == TOOLS:
                await self._list_tools(process)
            else:
                kinds = ("prompts",) if "prompts" in method else ("resources", "templates")
                found = await learn(server, process.child, process.hello, self._settings.start_timeout, kinds)
                self._put(replace(self.offers[server], items={**self.offers[server].items, **found.items}))
        except (CrosstrailError, MCPError) as error:
            _log.warning("the lists of %s have changed and cannot be read: %s", server, error)
        return self.catalog != before

    async def has(self, process: Process, tool: str) -> bool:
        """Whether the process says that it has the tool of this name; asked when it was not, and again before a no.
        True as well where it cannot say."""
        before = self.catalog
        async with process.listing:
            try:
                asked = process.tools is None
                if asked:
                    await self._list_tools(process)
                if not asked and tool not in (process.tools or ()):
                    await self._list_tools(process)
            except (CrosstrailError, MCPError) as error:
                _log.warning("%s cannot list its tools: %s", process.server, error)
                return True
        if self.catalog != before:
            await self._changes.announce(TOOLS)
        return tool in (process.tools or ())

    async def _list_tools(self, process: Process) -> None:
        """Raises WrappedServerError, MCPError; ConfigError where what it has cannot be shown."""
        server = process.server
        found = await learn(server, process.child, process.hello, self._settings.start_timeout, ("tools",))
        tools = found.items["tools"]
        process.tools = frozenset(tool.name for tool in tools)
        if process.of_caller or server not in self.offers:
            return
        offer, key = self.offers[server], process.account.key if process.account else None
        of_accounts = {**offer.of_accounts, **({key: tools} if key else {})}
        items = {**offer.items, "tools": tools} if key == offer.account else offer.items
        self._put(replace(offer, items=items, of_accounts=of_accounts))

    async def _first(self, server: str, call: WrappedCall) -> Offer:
        """What a server has for the default account, or without one. Raises CrosstrailError."""
        choice = await choice_of(call)
        account = choice.default
        if account is None and self._settings.servers[server].per_account and choice.accounts:
            account = choice.accounts[0]
        try:
            async with self._children.lease(server, account, call.caller, self._capabilities) as process:
                offer = await learn(server, process.child, process.hello, self._settings.start_timeout)
                process.tools = frozenset(tool.name for tool in offer.items["tools"])
            if not (self._reuse and account):
                self._children.release(process)
        except MCPError as error:
            raise WrappedServerError(f"{server} cannot list what it has: {error}") from None
        except WrappedServerError as error:
            if account is None and choice.accounts and not error.hint:
                raise with_hint(error, NO_DEFAULT) from None
            raise
        if account is None and choice.accounts and "tools" in offer.hello.capabilities and not offer.items["tools"]:
            _log.warning("%s has no tools. %s", server, NO_DEFAULT)
        if account is None:
            return offer
        return replace(offer, account=account.key, of_accounts={account.key: offer.items["tools"]})

    async def _retried(self, server: str, call: WrappedCall) -> None:
        """Until it starts; at longer and longer intervals."""
        pause = self._settings.retry
        while True:
            await anyio.sleep(pause)
            pause = min(2 * pause, max(_LONGEST_PAUSE, self._settings.retry))
            try:
                self._put(await self._first(server, call))
            except CrosstrailError as error:
                self.missing[server] = error
                _log.warning("%s does not start: %s", server, error.operators_text)
                continue
            break
        del self.missing[server]
        _log.warning("%s has started", server)
        self.on_notes()
        await self._changes.announce()
        self._learnt(server, call)

    def _learnt(self, server: str, call: WrappedCall) -> None:
        """What is asked beside the first lists, while calls are answered."""
        if self._capabilities is None:
            self._task(self._learn_unasked(server, call))
        if self._settings.servers[server].per_account:
            self._task(self._learn_accounts(server, call))

    async def _learn_accounts(self, server: str, call: WrappedCall) -> None:
        """Ask one account after the other for its tools."""
        for account in (await choice_of(call)).accounts[:MAX_ASKED_ACCOUNTS]:
            if account.key in self.offers[server].of_accounts:
                continue
            before = self.catalog
            try:
                async with self._children.lease(server, account, call.caller, self._capabilities) as process:
                    await self._list_tools(process)
            except (CrosstrailError, MCPError) as error:
                _log.warning("the tools of %s for account %s are not known: %s", server, account.name, error)
                continue
            self._children.release(process)
            if self.catalog != before:
                await self._changes.announce(TOOLS)

    async def _learn_unasked(self, server: str, call: WrappedCall) -> None:
        """Which tools a server has for clients alone that it may ask something. Started once more, for nobody, to see."""
        choice = await choice_of(call)
        account = next((one for one in choice.accounts if one.key == self.offers[server].account), None)
        nobody = CallContext(key="client with every capability")
        try:
            async with self._children.lease(server, account, nobody, EVERY_QUESTION) as process:
                more = await learn(server, process.child, process.hello, self._settings.start_timeout, ("tools",))
        except (CrosstrailError, MCPError) as error:
            _log.debug("%s does not say which tools it has for other clients: %s", server, error)
            return
        self._children.release(process)
        known = {tool.name for tool in self.offers[server].items["tools"]}
        settings = self._settings.servers[server]
        names = tuple(one.name for one in more.items["tools"] if one.name not in known and offered(one, settings))
        if names:
            self.unasked[server] = names
            _log.warning(
                "%s has tools that need a client it can ask, which are not served: %s", server, ", ".join(names)
            )
            self.on_notes()

    def _put(self, offer: Offer) -> None:
        """Raises ConfigError, and leaves everything as it was, where this cannot be shown."""
        offers = {**self.offers, offer.server: offer}
        self.catalog = self._catalog(offers)
        self.offers = offers

    def _catalog(self, offers: Mapping[str, Offer]) -> Catalog:
        ordered = [offers[name] for name in self._settings.servers if name in offers]
        return Catalog.of(ordered, self._settings.servers, self._settings.parameter)

    def _task(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def choice_of(call: WrappedCall) -> Choice:
    """The accounts the caller may name: those with credentials."""
    accounts = tuple(one for one in (await call.accounts()).accounts if one.auth)
    default = next((one for one in accounts if one.default), None)
    return Choice(accounts, default or (accounts[0] if len(accounts) == 1 else None))


def having(route: Route, accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    """Those of these accounts that the tool is there for, as far as it is known."""
    return tuple(one for one in accounts if route.has(one.key))
