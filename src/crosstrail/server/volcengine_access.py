"""Which of Volcengine's three tools somebody may call who signed in: by the same rules as everywhere, over one account.

Decides that for every message. It never tells a caller whether a tool that is not theirs exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from crosstrail.accounts.policy import EVERYTHING, NOTHING, AccessRule, Toolset, granted
from crosstrail.server.admission import no_such_tool, only
from crosstrail.server.identity import principal_of

_TOOLS: dict[str, tuple[Toolset, bool]] = {
    "LookupEvents": ("events", False),
    "DescribeTrails": ("trails", False),
    "CreateTrail": ("trails", True),
}
"""Its toolset, and whether it writes."""


class SignedIn:
    """A middleware of the MCP server."""

    def __init__(self, rules: Sequence[AccessRule], *, allow_any: bool) -> None:
        self._rules = tuple(rules)
        self._otherwise = EVERYTHING if allow_any else NOTHING

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        grant = granted(principal_of(ctx.request), self._rules, otherwise=self._otherwise)
        names = frozenset(name for name, (toolset, write) in _TOOLS.items() if grant.allows(toolset, write=write))
        if ctx.method == "tools/call" and (name := str((ctx.params or {}).get("name", ""))) not in names:
            return no_such_tool(name, names)
        result = await call_next(ctx)
        return only(result, names) if ctx.method == "tools/list" else result
