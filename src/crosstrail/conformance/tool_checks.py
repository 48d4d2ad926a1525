"""Whether a server's tools can be used through any gateway and client, and for many accounts.

Decides what a plain schema is and which tools must name an account. It asks nobody anything: it reads the list of tools.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mcp_types import Tool

from crosstrail.conformance.findings import Finding, judged

CROSSTRAIL = "crosstrail"
OWN_TOOLS = (
    "lookup_events",
    "lake_query",
    "get_query_status",
    "get_query_results",
    "cancel_query",
    "list_event_data_stores",
    "list_accounts",
    "describe_trails",
)
"""Those every server of ours offers unless its toolsets are narrowed."""
_OF_NO_ACCOUNT = "list_accounts"
_PLAIN = {"type", "title", "description", "properties", "required", "items", "enum", "default", "minimum", "maximum"}
_HINTS = ("read_only_hint", "destructive_hint", "open_world_hint")


def check_tools(tools: Sequence[Tool], *, own: bool, expected: Sequence[str], parameter: str) -> list[Finding]:
    """`own`: the server is ours, so our tools are expected when `expected` is empty. `parameter` names the account."""
    by_authors = [_schemas(tools), _annotations(tools)]
    return [
        _expected(tools, expected or (OWN_TOOLS if own else ())),
        *(replace(one, by_authors=not own) for one in by_authors),
        _accounts(tools, own=own, parameter=parameter),
    ]


def reading_tool(tools: Sequence[Tool], parameter: str) -> Tool | None:
    """One that only reads and needs nothing but the account: what an account can be tried with."""
    for tool in sorted(tools, key=lambda one: one.name != "lookup_events"):
        reads = tool.annotations is not None and tool.annotations.read_only_hint is True
        if reads and parameter in _properties(tool) and set(tool.input_schema.get("required") or ()) <= {parameter}:
            return tool
    return None


def _expected(tools: Sequence[Tool], expected: Sequence[str]) -> Finding:
    names = {tool.name for tool in tools}
    if not expected and not tools:
        return Finding("tools", "fail", "it lists no tool")
    missing = [name for name in expected if name not in names]
    return judged("tools", [f"no {name}" for name in missing], right=f"{len(tools)} tools", fix="See its toolsets.")


def _schemas(tools: Sequence[Tool]) -> Finding:
    wrong = [f"{tool.name} has {found}" for tool in tools for found in sorted(set(_unplain(tool.input_schema)))]
    return judged("plain schemas", wrong, fix="Gateways and several clients refuse these; flatten the parameters.")


def _unplain(schema: object) -> Iterator[str]:
    """The keywords in it, at any depth, that some gateway or client cannot read."""
    if not isinstance(schema, Mapping):
        yield "a schema that is no object"
        return
    odd = [key for key in schema if key not in _PLAIN]
    yield from odd
    if not odd and not isinstance(schema.get("type"), str):
        yield "a parameter without one type"
    for inner in (schema.get("properties") or {}).values():
        yield from _unplain(inner)
    if "items" in schema:
        yield from _unplain(schema["items"])


def _annotations(tools: Sequence[Tool]) -> Finding:
    wrong = [tool.name for tool in tools if any(getattr(tool.annotations, hint, None) is None for hint in _hints(tool))]
    fix = "Without readOnlyHint and the other three hints clients ask before every call, or before none."
    return judged("annotations", wrong, fix=fix)


def _hints(tool: Tool) -> tuple[str, ...]:
    """Those it must have: whether a call may be repeated is a question of tools that change something."""
    reads = tool.annotations is not None and tool.annotations.read_only_hint is True
    return _HINTS if reads else (*_HINTS, "idempotent_hint")


def _accounts(tools: Sequence[Tool], *, own: bool, parameter: str) -> Finding:
    exempt = {_OF_NO_ACCOUNT} if own else set()
    wrong = [tool.name for tool in tools if parameter not in _properties(tool) and tool.name not in exempt]
    if len(wrong) == len(tools):
        wrong = [f"no tool has {parameter}: it answers for one account"]
    fix = "To serve it for many accounts: crosstrail wrap -- COMMAND."
    return judged(f"many accounts ({parameter})", wrong, fix=fix)


def _properties(tool: Tool) -> Mapping[str, object]:
    properties = tool.input_schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}
