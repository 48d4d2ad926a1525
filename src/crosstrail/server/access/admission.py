"""The one place every message passes before anything is done for it: who asks, what they may see, how much, and the record.

Decides nothing of its own: identity comes from server/auth, what it gives from the access rules, how much from limits.py. A
handler is handed the workspace as that principal may see it and cannot reach any other. Where no identity can be told, there
is none: only a process that serves its own stdin treats a message without a request as its owner's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, INVALID_REQUEST, CallToolResult, ListPromptsResult

from crosstrail.accounts.policy import EVERYTHING, NOTHING, Grant, Principal, granted
from crosstrail.answers.export_events import EXPORTS
from crosstrail.answers.render import clean
from crosstrail.call_context import acting_for
from crosstrail.errors import CrosstrailError
from crosstrail.json_values import Json, items, table, text
from crosstrail.lake import missing_libraries
from crosstrail.models import QueryRef
from crosstrail.server.access.audit import AuditLog
from crosstrail.server.access.base_admission import BaseAdmission, Ended, PrincipalOf, refusal, source_of
from crosstrail.server.access.limits import Limits
from crosstrail.server.access.record_sink import Line
from crosstrail.server.apps import Showing, showing, without_pages
from crosstrail.server.auth.header_credentials import credentials_of
from crosstrail.server.context import FACTS
from crosstrail.server.instructions import with_instructions
from crosstrail.server.prompts import NEEDS
from crosstrail.server.report_prompt import REPORT_NEEDS, REPORT_PROMPT
from crosstrail.server.saved_prompts import SAVED_NEEDS, saved_prompt_needs
from crosstrail.server.tool_list import only_tools
from crosstrail.server.tool_words import TOOL_WORDS
from crosstrail.server.tools import ON_LAKE, TOOLSET_OF, WRITES
from crosstrail.server.toolsets import ToolTable, left_by, offered, tightened
from crosstrail.vocabulary import speaking
from crosstrail.workspace.query_engines import LAKE_ENGINE
from crosstrail.workspace.request_workspace import KeyOwners, RequestWorkspace
from crosstrail.workspace.scoped import ScopedWorkspace, narrowed
from crosstrail.workspace.workspace import Workspace

_Context = ServerRequestContext[Any, Any]
"""As mcp hands it to a middleware: of any server."""
_log = logging.getLogger("crosstrail.admission")
_visible: ContextVar[ScopedWorkspace] = ContextVar("crosstrail_visible")
_tools: ContextVar[frozenset[str]] = ContextVar("crosstrail_tools")
OUR_TOOLS = ToolTable(TOOLSET_OF, WRITES, TOOL_WORDS, NEEDS, ON_LAKE, own_words=True)
EXPORT_TOOL = "export_events"
"""Who may call it may read what it made, as long as that is theirs."""
_GREETINGS = ("initialize", "server/discover")
_STARTS_QUERIES = frozenset({"lake_query", EXPORT_TOOL})
_LONGEST_QUERY = 3600.0
"""CloudTrail Lake's own limit; the embedded lake's is shorter."""
_CLOUDS_QUERY = 120.0
"""Seconds that a cloud's own query counts after its call: whether it has ended only its cloud can tell, which limits them too."""
_ASK_SECONDS = 5.0
"""For asking after one query of a cloud, when somebody needs its place."""


def present_view() -> ScopedWorkspace:
    """The workspace as the caller of the present message may see it."""
    return _visible.get()


def present_tools() -> frozenset[str]:
    """The tools that the caller of the present message may call."""
    return _tools.get()


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who sent a message, and what is there for them."""

    principal: Principal
    workspace: Workspace | RequestWorkspace
    grant: Grant
    tools: frozenset[str]
    unread: bool
    """Whether the access rules could not be read, so that nothing is."""


class Admission(BaseAdmission):
    """A middleware of the MCP server. One a process."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        principal_of: PrincipalOf | None = None,
        open_to_all: bool = False,
        record: AuditLog | None = None,
        counted_in: str = "",
        owners: KeyOwners | None = None,
        table: ToolTable = OUR_TOOLS,
    ) -> None:
        """`principal_of`: None on stdio. `open_to_all`: where there is no access rule, everybody may see everything.
        `counted_in`: the file in which processes count calls together. `owners`: where each request brings the keys that it
        may use, and nothing else. `table`: the tools of this server. Raises ConfigError for toolsets and tools that are none.
        """
        self.table = table
        settings = workspace.settings
        self.offered = offered(
            table,
            settings.serve,
            allow_writes=settings.allow_writes,
            answers_sql=workspace.answers_sql,
            has_libraries=lambda: not missing_libraries(),
        )
        self._prompts = {name: table.prompts[name] for name in table.prompts_of(self.offered)}
        if table.own_words and self.offered >= SAVED_NEEDS:
            self._prompts |= saved_prompt_needs(settings)
        super().__init__(
            record or AuditLog(settings.audit),
            Limits(settings.limits, longest_query=_LONGEST_QUERY, shared=counted_in, ended=workspace.query_ended),
            principal_of,
        )
        self._workspace = workspace
        self._owners = owners
        self._otherwise = EVERYTHING if open_to_all else NOTHING
        self._narrowed = narrowed()
        self._running = 0
        self._one_ended = anyio.Event()

    async def __call__(self, ctx: _Context, call_next: CallNext) -> HandlerResult:
        with speaking(self.table.vocabulary):
            return await self._answered(ctx, call_next)

    async def _answered(self, ctx: _Context, call_next: CallNext) -> HandlerResult:
        sender = await self._sender(ctx.request)
        tool = str((ctx.params or {}).get("name", "")) if ctx.method == "tools/call" else ""
        needs = _needed(ctx)
        tool = min(needs, default=tool)
        view = self._view(sender, tool)
        token, tools_token = _visible.set(view), _tools.set(sender.tools)
        try:
            if ctx.method == "tools/call":
                return await self._call(ctx, call_next, sender, view, tool)
            if ctx.method == "prompts/get" and not self._has_prompt(str((ctx.params or {}).get("name")), sender.tools):
                raise MCPError(code=INVALID_PARAMS, message="there is no such prompt")  # mcp calls it a fault of ours
            if needs:
                return await self._like_a_call(ctx, call_next, sender, view, needs)
            result = await call_next(replace(ctx, lifespan_context=view))
            if ctx.method == "tools/list":
                result = only_tools(result, sender.tools, self.table)
            if ctx.method in _GREETINGS and self.table.own_words:
                result = with_instructions(result, sender.tools)
            if ctx.method == "prompts/list":
                result = self._only_prompts(result, sender.tools)
            listed = ctx.method in ("tools/list", "resources/list")
            return (
                without_pages(result) if listed and showing(ctx.session.client_capabilities) is Showing.NO else result
            )
        finally:
            _visible.reset(token)
            _tools.reset(tools_token)

    async def _call(
        self,
        ctx: _Context,
        call_next: CallNext,
        sender: _Sender,
        view: ScopedWorkspace,
        tool: str,
    ) -> HandlerResult:
        principal = sender.principal
        starts = tool in _STARTS_QUERIES & sender.tools

        async def work() -> HandlerResult:
            if sender.unread:
                return refusal("what you may see cannot be told now. Try again soon; the operator knows why.")
            if tool not in sender.tools:
                return no_such_tool(tool, sender.tools)
            result = await call_next(replace(ctx, lifespan_context=view))
            await self._note_query(principal, result)
            return result

        def ended(how: Ended) -> Line | None:
            if how.outcome == "failed" and (sender.unread or tool not in sender.tools):
                how = replace(how, outcome="refused")
            arguments, asked = (ctx.params or {}).get("arguments"), view.asked()
            source = source_of(ctx.session, ctx.request)
            self.measured(ctx.method, tool, how, principal, asked)
            return self.recorded(_named(principal, sender.workspace), tool, arguments, how, caller, source, asked)

        async def make_room() -> None:
            await self._forget_ended(principal, self._view(sender, tool))

        self._running += 1
        try:
            with acting_for(*principal.acting) as caller:
                before = make_room if starts else None
                return await self.limited(principal, work, ended, query=starts, before=before)
        finally:
            self._running -= 1
            self._one_ended.set()

    async def _like_a_call(
        self, ctx: _Context, call_next: CallNext, sender: _Sender, view: ScopedWorkspace, needs: frozenset[str]
    ) -> HandlerResult:
        """What reads events and is no tool: limited and recorded as a call, and nothing where the caller lacks one of the tools that
        would tell as much."""
        principal, params = sender.principal, ctx.params or {}

        async def work() -> HandlerResult:
            if sender.unread or not needs <= sender.tools:
                what = "prompt" if ctx.method == "prompts/get" else "resource"
                raise MCPError(code=INVALID_PARAMS, message=f"there is no such {what}")
            return await call_next(replace(ctx, lifespan_context=view))

        def ended(how: Ended) -> Line | None:
            source, asked = source_of(ctx.session, ctx.request), view.asked()
            self.measured(ctx.method, "", how, principal, asked)
            said = {key: params[key] for key in ("uri", "name", "arguments") if key in params}
            return self.recorded(_named(principal, sender.workspace), ctx.method, said, how, caller, source, asked)

        def refused(error: CrosstrailError) -> HandlerResult:
            raise MCPError(code=INVALID_REQUEST, message=error.text)

        self._running += 1
        try:
            with acting_for(*principal.acting) as caller:
                return await self.limited(principal, work, ended, refused=refused)
        finally:
            self._running -= 1
            self._one_ended.set()

    def knows(self, method: str, name: str) -> bool:
        return name in (self.table.toolset_of if method == "tools/call" else self._prompts)

    def _has_prompt(self, name: str, tools: frozenset[str]) -> bool:
        """For a caller with these tools."""
        return name in self._prompts and self._prompts[name] <= tools

    def _only_prompts(self, result: HandlerResult, tools: frozenset[str]) -> HandlerResult:
        """A list of prompts without those that are nothing for this caller."""
        if isinstance(result, ListPromptsResult):
            return result.model_copy(
                update={"prompts": [one for one in result.prompts if self._has_prompt(one.name, tools)]}
            )
        listed = _raw(result)
        kept = [one for one in items(listed.get("prompts")) if self._has_prompt(text(table(one).get("name")), tools)]
        return {**listed, "prompts": kept}

    async def drained(self, seconds: float) -> None:
        """Wait until no call runs, for so long at most."""
        with anyio.move_on_after(seconds):
            while self._running:
                self._one_ended = anyio.Event()
                await self._one_ended.wait()

    def _workspace_of(self, request: object) -> Workspace | RequestWorkspace:
        if self._owners is None:
            return self._workspace
        return RequestWorkspace(self._workspace, self._owners, credentials_of(request))

    async def _grant(self, principal: Principal, workspace: Workspace | RequestWorkspace) -> Grant:
        if principal.local:
            return EVERYTHING
        if isinstance(workspace, RequestWorkspace):  # all of it is theirs; what keys may do, their cloud decides
            return EVERYTHING
        return granted(principal, await self._workspace.access_rules(), otherwise=self._otherwise)

    async def _sender(self, request: object) -> _Sender:
        """Fails closed: rules that cannot be read give nothing."""
        principal, workspace = self.principal(request), self._workspace_of(request)
        grant, unread = NOTHING, False
        try:
            grant = await self._grant(principal, workspace)
        except CrosstrailError as error:  # of the place that lists the rules: its words are the operator's
            _log.error("the access rules cannot be read: %s", error)
            unread = True
        tools = left_by(self.table, grant, tightened(self.table, self.offered, _headers(request)))
        return _Sender(principal, workspace, grant, tools, unread)

    def _view(self, sender: _Sender, tool: str) -> ScopedWorkspace:
        toolset, write = self.table.toolset_of.get(tool, "accounts"), tool in self.table.writes
        return ScopedWorkspace(sender.workspace, sender.grant, toolset=toolset, write=write, kept=self._narrowed)

    async def _forget_ended(self, principal: Principal, view: ScopedWorkspace) -> None:
        """Ask after the queries of clouds that take the principal's last places: one ends without anybody noticing."""
        for query_id in await self.limits.in_the_way(principal.key):
            ref = QueryRef.parse(query_id)
            if ref is None or ref.engine == LAKE_ENGINE:
                continue
            with anyio.move_on_after(_ASK_SECONDS), suppress(CrosstrailError):
                found = await view.engine(ref.engine).status(ref, await view.scope(ref.account, ref.region))
                await self.limits.query_is(principal.key, query_id, found.state, longest=_CLOUDS_QUERY)

    async def _note_query(self, principal: Principal, result: HandlerResult) -> None:
        """A query that goes on after its call still counts as one of the principal's."""
        facts = table(table(getattr(result, "meta", None) or _raw(result).get("_meta")).get(FACTS))
        query_id, state = text(facts.get("query_id")), text(facts.get("state"))
        if query_id and state:
            ref = QueryRef.parse(query_id)
            longest = _LONGEST_QUERY if ref is None or ref.engine == LAKE_ENGINE else _CLOUDS_QUERY
            await self.limits.query_is(principal.key, query_id, state, longest=longest)


def _named(principal: Principal, workspace: Workspace | RequestWorkspace) -> Principal:
    """For the record: whoever sent keys by what their cloud calls them, once that is known."""
    owner = workspace.owner if isinstance(workspace, RequestWorkspace) else None
    return replace(principal, login=owner.trn or owner.account) if owner else principal


def _needed(ctx: _Context) -> frozenset[str]:
    """The tools that this message tells as much as, where it is no call of a tool and reads events."""
    params = ctx.params or {}
    if ctx.method == "resources/read" and str(params.get("uri")).startswith(EXPORTS):
        return frozenset((EXPORT_TOOL,))
    if ctx.method == "prompts/get" and params.get("name") == REPORT_PROMPT:
        return REPORT_NEEDS
    return frozenset()


def _headers(request: object) -> Mapping[str, str]:
    headers: Mapping[str, str] = getattr(request, "headers", None) or {}
    return headers


def no_such_tool(tool: str, names: frozenset[str]) -> CallToolResult:
    """The same for a tool that does not exist and one that is not there for this caller."""
    return refusal(f"there is no tool {clean(tool, 60)!r}. Tools: {', '.join(sorted(names)) or 'none'}.")


def _raw(result: HandlerResult) -> Json:
    return result if isinstance(result, dict) else {}
