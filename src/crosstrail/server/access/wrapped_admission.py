"""Who may use tools that are not ours: the same principals, access rules, limits and records as for our own.

Decides which accounts a caller may name and whether the tools that write are there for them. A rule that gives some of
crosstrail's own tools alone gives no wrapped ones. It reads no argument but the account, and no answer but its size. A
prompt, a resource or a completion counts as a call of a tool does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from crosstrail.accounts.policy import EVERYTHING, NOTHING, TOOLSETS, Grant, Principal, granted
from crosstrail.call_context import CallContext, acting_for
from crosstrail.errors import CrosstrailError
from crosstrail.server.access.audit import AuditLog
from crosstrail.server.access.base_admission import BaseAdmission, Ended, PrincipalOf, refusal, source_of
from crosstrail.server.access.limits import Limits
from crosstrail.server.access.record_sink import Line
from crosstrail.vocabulary import PLAIN, speaking
from crosstrail.workspace.scoped import ScopedWorkspace, narrowed
from crosstrail.workspace.workspace import Workspace
from crosstrail.wrapped_call import WrappedCall

_log = logging.getLogger("crosstrail.admission")
_CALL = "tools/call"
_USES = (_CALL, "prompts/get", "resources/read", "completion/complete")
"""What reaches a wrapped server's process, with an account's credentials: each is limited and recorded."""
_LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""Method -> the key of its items."""
_Context = ServerRequestContext[WrappedCall | None, object]


class WrappedAdmission(BaseAdmission):
    """A middleware of the MCP server in front of wrapped servers. One a process."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        parameter: str,
        reads: Callable[[str], bool],
        has: Callable[[str, str], bool],
        record: AuditLog,
        principal_of: PrincipalOf | None = None,
        open_to_all: bool = False,
    ) -> None:
        """`parameter` names the account of a call; `reads` says whether a tool changes nothing, `has` whether a wrapped
        server has a tool or prompt (method, name). `principal_of`: None on
        stdio. `open_to_all`: where there is no rule, everybody may do everything.
        """
        super().__init__(record, Limits(workspace.settings.limits, longest_query=0.0), principal_of)
        self._vocabulary = replace(PLAIN, account=parameter)
        self._workspace = workspace
        self._parameter = parameter
        self._reads = reads
        self._has = has
        self._otherwise = EVERYTHING if open_to_all else NOTHING
        self._narrowed = narrowed()

    async def __call__(self, ctx: _Context, call_next: CallNext) -> HandlerResult:
        with speaking(self._vocabulary):
            return await self._answered(ctx, call_next)

    def knows(self, method: str, name: str) -> bool:
        return self._has(method, name)

    async def _answered(self, ctx: _Context, call_next: CallNext) -> HandlerResult:
        principal = self.principal(ctx.request)
        grant = await self._grant(principal)
        tool = str((ctx.params or {}).get("name", "")) if ctx.method == _CALL else ""
        writes = ctx.method == _CALL and not self._reads(tool)
        view = ScopedWorkspace(self._workspace, grant, write=writes, kept=self._narrowed)
        # The context variable besides the argument: brokers and requests to clouds read it, for any kind of call.
        with acting_for(*principal.acting) as caller:
            admitted = replace(ctx, lifespan_context=WrappedCall(view.registry, caller))
            if ctx.method in _USES:
                return await self._used(admitted, call_next, principal, caller, tool, allowed=_allows(grant, writes))
            if ctx.method == "logging/setLevel" and not principal.local:
                return {}  # it would reach the processes of all callers, and a request over HTTP leaves no session behind
            return self._shown(ctx.method, await call_next(admitted), grant)

    async def _used(
        self,
        ctx: _Context,
        call_next: CallNext,
        principal: Principal,
        caller: CallContext,
        tool: str,
        *,
        allowed: bool,
    ) -> HandlerResult:
        is_call = ctx.method == _CALL

        async def work() -> HandlerResult:
            if not allowed:
                unknown = f"Unknown tool: {tool[:64]}" if is_call else "nothing of this server is there for you"
                raise MCPError(code=INVALID_PARAMS, message=unknown)
            return await call_next(ctx)

        def refused(error: CrosstrailError) -> HandlerResult:
            if not is_call:
                raise MCPError(code=INTERNAL_ERROR, message=error.text)
            return refusal(error.text)

        def ended(how: Ended) -> Line | None:
            arguments = {"target_account_id": _selector(ctx.method, ctx.params or {}, self._parameter)}
            asked = ([caller.wrapped] if caller.wrapped else [], list[str]())
            source = source_of(ctx.session, ctx.request)
            self.measured(ctx.method, tool, how, principal, asked)
            return self.recorded(principal, tool if is_call else ctx.method, arguments, how, caller, source, asked)

        return await self.limited(principal, work, ended, refused=refused)

    async def _grant(self, principal: Principal) -> Grant:
        """Fails closed: rules that cannot be read give nothing."""
        if principal.local:
            return EVERYTHING
        try:
            rules = await self._workspace.access_rules()
        except CrosstrailError as error:  # of the place that lists the rules: its words are the operator's
            _log.error("the access rules cannot be read: %s", error)
            return NOTHING
        given = granted(principal, rules, otherwise=self._otherwise)
        unrestricted = tuple(rule for rule in given.rules if set(rule.toolsets) == set(TOOLSETS))
        return Grant(unrestricted, given.everything)

    def _shown(self, method: str, result: HandlerResult, grant: Grant) -> HandlerResult:
        """A list without what is not there for the caller."""
        key = _LISTS.get(method)
        if key is None or _allows(grant, True):
            return result
        if not isinstance(result, dict) or not _allows(grant, False):
            return {**(result if isinstance(result, dict) else {}), key: []}
        shown = [one for one in result.get(key, ()) if method != "tools/list" or self._reads(one["name"])]
        return {**result, key: shown}


def _allows(grant: Grant, write: bool) -> bool:
    return grant.allows("accounts", write=write)


def _selector(method: str, params: Mapping[str, object], parameter: str) -> object:
    """The account that a message names, as it was written; empty where it names none."""
    if method == "resources/read":
        plain, _, account = str(params.get("uri", "")).rpartition(f"{parameter}=")
        return account if plain.endswith(("?", "&")) and "&" not in account else ""
    holder = params.get("context") if method == "completion/complete" else params
    arguments = holder.get("arguments") if isinstance(holder, Mapping) else None
    return arguments.get(parameter, "") if isinstance(arguments, Mapping) else ""
