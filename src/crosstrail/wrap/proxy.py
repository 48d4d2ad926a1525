"""The wrapped servers as one MCP server: every call goes to the process of its account.

Decides what a call's account is and how our own failures look: a tool that fails here answers as a tool error in our words,
everything a server says passes as it is. An account is never guessed: it is named, or it is the default. It never logs an
argument or an answer.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CompleteRequestParams,
    GetPromptRequestParams,
    PromptReference,
    ReadResourceRequestParams,
    SetLevelRequestParams,
)

from crosstrail.accounts.broker import AnyBroker
from crosstrail.errors import AccountNotFound, ConfigError, CrosstrailError, InvalidRequest
from crosstrail.json_values import Json, table
from crosstrail.models import Account
from crosstrail.settings.wrap_settings import WrapSettings
from crosstrail.wrap.changes import Changes
from crosstrail.wrap.children import Children
from crosstrail.wrap.client import CallingClient
from crosstrail.wrap.delivery import CredentialEndpoint, TemporaryCredentials
from crosstrail.wrap.learner import Learner, choice_of, having
from crosstrail.wrap.message import Answer, Message, ParamsT
from crosstrail.wrap.tool_catalog import MAX_LISTED, Catalog, Route
from crosstrail.wrapped_call import WrappedCall

_log = logging.getLogger("crosstrail.wrap")
_PROTOCOL_META = "io.modelcontextprotocol/"


class Proxy:
    """What all handlers share; made by `opened`. It knows no accounts: each message brings those of its sender."""

    def __init__(self, settings: WrapSettings, children: Children, changes: Changes) -> None:
        self.settings = settings
        self.changes = changes
        self.learner = Learner(settings, children, changes)
        self._children = children

    @property
    def catalog(self) -> Catalog:
        """What is served, as things are now."""
        return self.learner.catalog

    async def aclose(self) -> None:
        """End every process and remove their folders; bounded by seconds."""
        await self.learner.aclose()
        await self._children.aclose()

    def reads(self, tool: str) -> bool:
        """Whether the tool of this name says, as things are now, that it changes nothing."""
        return self.catalog.reads(tool)

    def has(self, method: str, name: str) -> bool:
        """Whether a wrapped server has, as things are now, a tool (`tools/call`) or a prompt of this name."""
        return name in (self.catalog.tools if method == "tools/call" else self.catalog.prompts)

    async def call_tool(self, message: Message[CallToolRequestParams]) -> Answer:
        """The server's answer, or a tool error in our words."""
        name = message.params.name
        route = self.catalog.tools.get(name)
        if route is None:
            raise self._unknown("tool", name[:64])
        began, account = time.monotonic(), "-"
        try:
            chosen, arguments = await self._split(message.call, message.params.arguments or {})
            account = chosen.name
            sent = {**message.sent, "name": route.name, "arguments": arguments}
            result = await self._ask(message, route.server, chosen, "tools/call", sent, route)
        except CrosstrailError as error:
            result = {"content": [{"type": "text", "text": error.text}], "isError": True}
        ended = "failed" if result.get("isError") else "done"
        _log.info("%s of %s for account %s %s in %.3f s", name, route.server, account, ended, time.monotonic() - began)
        return result

    async def get_prompt(self, message: Message[GetPromptRequestParams]) -> Answer:
        """Raises MCPError, as all below do."""
        route = self._route(self.catalog.prompts, message.params.name, "prompt")
        chosen, arguments = await self._split(message.call, message.params.arguments or {})
        sent = {**message.sent, "name": route.name, "arguments": arguments}
        return await self._ask(message, route.server, chosen, "prompts/get", sent)

    async def read_resource(self, message: Message[ReadResourceRequestParams]) -> Answer:
        """Where neither the URI nor a default names an account, the process that has none reads it."""
        uri, selector = self.catalog.split_uri(message.params.uri)
        server = self.catalog.resource_server(uri)
        if not server:
            raise self._unknown("resource", uri)
        call = message.call
        account = await self._account(call, selector) if selector else (await choice_of(call)).default
        return await self._ask(message, server, account, "resources/read", {**message.sent, "uri": uri})

    async def complete(self, message: Message[CompleteRequestParams]) -> Answer:
        """Completes the account itself; everything else is the server's to complete."""
        params, parameter = message.params, self.settings.parameter
        choice = await choice_of(message.call)
        if params.argument.name == parameter:
            prefix = params.argument.value.lower()
            found = [one.name for one in choice.accounts if one.name.lower().startswith(prefix)]
            return {"completion": {"values": found[:100], "total": len(found), "hasMore": len(found) > 100}}
        if isinstance(params.ref, PromptReference):
            route = self._route(self.catalog.prompts, params.ref.name, "prompt")
            named = {"name": route.name}
        else:
            by_shown = {self.catalog.with_account(uri): one for uri, one in self.catalog.templates.items()}
            route = self._route(by_shown | self.catalog.templates, params.ref.uri, "resource template")
            named = {"uri": route.name}
        sent = {**message.sent, "ref": {**table(message.sent.get("ref")), **named}}
        arguments = dict(params.context.arguments or {}) if params.context else {}
        account = await self._account(message.call, arguments.pop(parameter)) if parameter in arguments else None
        if context := table(sent.get("context")):
            sent["context"] = {**context, "arguments": arguments}
        return await self._ask(message, route.server, account or choice.default, "completion/complete", sent)

    async def set_log_level(self, message: Message[SetLevelRequestParams]) -> Answer:
        """For every process there is and will be."""
        await self._children.set_log_level({"level": message.params.level})
        return {}

    async def roots_changed(self) -> None:
        """The client has other roots now: every process that asks for them is told."""
        await self._children.notify("notifications/roots/list_changed")

    async def _ask(
        self,
        message: Message[ParamsT],
        server: str,
        account: Account | None,
        method: str,
        params: Json,
        tool: Route | None = None,
    ) -> Answer:
        client, caller = CallingClient(message.context), message.call.caller
        caller.wrapped = account.id if account else ""
        meta = {k: v for k, v in table(params.get("_meta")).items() if not k.startswith(_PROTOCOL_META)}
        progress = meta.pop("progressToken", None) is not None
        sent = {k: v for k, v in params.items() if k != "_meta"} | ({"_meta": meta} if meta else {})
        async with self._children.lease(server, account, caller, client.capabilities) as process:
            if tool and account and not await self.learner.has(process, tool.name):
                raise await self._not_there(tool, account, message.call)
            return await process.child.request(method, sent, self.settings.call_timeout, client, progress)

    async def _split(self, call: WrappedCall, arguments: Json) -> tuple[Account, Json]:
        """The account a call names, and the arguments that are the server's."""
        rest = dict(arguments)
        return await self._account(call, rest.pop(self.settings.parameter, "")), rest

    async def _account(self, call: WrappedCall, selector: object) -> Account:
        """Raises AccountNotFound, InvalidRequest."""
        if not isinstance(selector, str | None):
            raise InvalidRequest(f"{self.settings.parameter} is a text, the alias or id of an account")
        if not selector or not selector.strip():
            return await self._default(call)
        found = (await call.accounts()).select(selector)
        if len(found) > 1:
            raise InvalidRequest(
                f"{self.settings.parameter} names {len(found)} accounts, and one call is answered for one",
                hint="Call once for each account.",
            )
        return found[0]

    async def _default(self, call: WrappedCall) -> Account:
        choice = await choice_of(call)
        if choice.default:
            return choice.default
        if not choice.accounts:
            raise AccountNotFound("no account with credentials is listed", hint="List accounts in crosstrail.yaml.")
        names = ", ".join(account.name for account in choice.accounts[:MAX_LISTED])
        more = f" and {len(choice.accounts) - MAX_LISTED} more" if len(choice.accounts) > MAX_LISTED else ""
        raise InvalidRequest("which account?", hint=f"Set {self.settings.parameter} to one of: {names}{more}.")

    async def _not_there(self, tool: Route, account: Account, call: WrappedCall) -> InvalidRequest:
        others = [one for one in having(tool, (await choice_of(call)).accounts) if one.key != account.key]
        names = ", ".join(one.name for one in others[:MAX_LISTED])
        return InvalidRequest(
            f"{tool.server} has no tool {tool.name} in account {account.name}",
            hint=f"It has it in: {names}." if names else "",
        )

    def _unknown(self, kind: str, name: str) -> MCPError:
        """Of what is not there now; it may be one of a server that has not started."""
        message = f"Unknown {kind}: {name[:200]}"
        for server, error in self.learner.missing.items():
            message += f". {server}, which may have it, does not start and is tried again: {error.text}"
        return MCPError(code=INVALID_PARAMS, message=message)

    def _route(self, routes: Mapping[str, Route], name: str, kind: str) -> Route:
        if name not in routes:
            raise self._unknown(kind, name)
        return routes[name]


@asynccontextmanager
async def opened(settings: WrapSettings, broker_of: Callable[[str], AnyBroker]) -> AsyncIterator[Proxy]:
    """A proxy that has learnt nothing yet; every process it starts ends with the block.

    Raises ConfigError when nothing is to be wrapped.
    """
    if not settings.servers:
        raise ConfigError("nothing to wrap", hint="Name a command after --, or list servers under `wrap`.")
    temporary = TemporaryCredentials(broker_of)
    changes = Changes()
    folder = Path(tempfile.mkdtemp(prefix="crosstrail-wrap-"))
    async with CredentialEndpoint(temporary) as endpoint:
        children = Children(settings, temporary, endpoint, folder, changes.noticed)
        proxy = Proxy(settings, children, changes)
        try:
            yield proxy
        finally:
            with anyio.CancelScope(shield=True):
                await proxy.aclose()
