"""Which tools there are: what the operator offers, what a request narrows that to, and what a grant leaves of it.

Decides by name alone. A request's headers can only take away. What is not offered answers like a tool that does not exist.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from crosstrail.accounts.policy import TOOLSETS, Grant, Toolset
from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint
from crosstrail.settings.server_settings import ServeSettings
from crosstrail.vocabulary import Vocabulary

ALL = "all"
_QUERY, _EXPORT = "query", "export"


@dataclass(frozen=True, slots=True)
class ToolTable:
    """What one server has: the set of each of its tools, which of them change something, what errors and answers call them
    and their parameters, and its prompts, each with the tools that it is nothing without."""

    toolset_of: Mapping[str, Toolset]
    writes: frozenset[str]
    vocabulary: Vocabulary
    prompts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    on_lake: frozenset[str] = frozenset()
    """Tools that nothing but the embedded lake's libraries can do, of live accounts' events too."""
    own_words: bool = False
    """Whether the words of its schemas are ours to shorten, and not those of a server that it stands in for."""

    def prompts_of(self, tools: frozenset[str]) -> frozenset[str]:
        """The prompts of a server that offers these tools of it."""
        return frozenset(name for name, needs in self.prompts.items() if needs <= tools)

    def of_sets(self, sets: Iterable[str]) -> set[str]:
        wanted = set(sets)
        return {name for name, toolset in self.toolset_of.items() if toolset in wanted or ALL in wanted}


def offered(
    table: ToolTable,
    serve: ServeSettings,
    *,
    allow_writes: bool,
    answers_sql: Callable[[], bool],
    has_libraries: Callable[[], bool],
) -> frozenset[str]:
    """The tools of this server. `answers_sql`: whether there is anything that could; `has_libraries`: whether those of the lake are
    installed.

    Raises ConfigError for a name that is none, and for SQL that is asked for by name where nothing answers it.
    """
    _known("serve.toolsets", serve.toolsets, (*TOOLSETS, ALL))
    _known("serve.tools", serve.tools, table.toolset_of)
    _known("serve.exclude_tools", serve.exclude_tools, table.toolset_of)
    names = table.of_sets(serve.toolsets or (() if serve.tools else (ALL,))) | set(serve.tools)
    if (
        serve.transport != "stdio" and not serve.toolsets
    ):  # whole records leave the server only where its operator says so
        names -= table.of_sets((_EXPORT,)) - set(serve.tools)
    sql = table.of_sets((_QUERY, _EXPORT))  # both are of the lake
    sql_by_name = bool({_QUERY, _EXPORT} & set(serve.toolsets) or sql & set(serve.tools))
    if serve.auth == "token":
        if sql_by_name:
            raise ConfigError(
                "auth token and the toolset query: callers who bring their own keys have no lake to query",
                hint="Leave its tools out of serve.toolsets and serve.tools.",
            )
        names -= sql
    elif names & sql and not answers_sql():
        if sql_by_name:
            raise ConfigError(
                "the toolset query: neither the embedded lake nor CloudTrail Lake of a live account is here to answer SQL",
                hint=install_hint("lake"),
            )
        names -= sql
    elif names & table.on_lake and not has_libraries():  # SQL is answered by event data stores alone
        if by_name := sorted(table.on_lake & set(serve.tools)):
            raise ConfigError(f"the tool {by_name[0]} needs the embedded lake", hint=install_hint("lake"))
        names -= table.on_lake
    if serve.read_only or not allow_writes:
        names -= table.writes
    return frozenset(names - set(serve.exclude_tools))


def tightened(table: ToolTable, names: frozenset[str], headers: Mapping[str, str]) -> frozenset[str]:
    """What is left of them for a request that says X-MCP-Toolsets or X-MCP-Readonly."""
    sets = [part.strip().lower() for part in headers.get("x-mcp-toolsets", "").split(",") if part.strip()]
    if sets:
        names &= table.of_sets(sets)
    if headers.get("x-mcp-readonly", "").strip().lower() not in ("", "false", "0"):
        names -= table.writes
    return names


def left_by(table: ToolTable, grant: Grant, names: frozenset[str]) -> frozenset[str]:
    """Those a principal may call for one account at least."""
    return frozenset(name for name in names if grant.allows(table.toolset_of[name], write=name in table.writes))


def _known(option: str, given: Iterable[str], known: Iterable[str]) -> None:
    names = list(known)
    for one in given:
        if one not in names:
            near = difflib.get_close_matches(one, names, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names)}."
            raise ConfigError(f"{option}: there is no {one[:40]!r}", hint=hint)
