"""A list of tools as one caller gets it: without tools that are not there for them, and no text that names one.

Decides what is left out of a text to be true and short: a sentence about an absent tool goes, and what a parameter was said to be in
one tool is not said again in the next. Schemas keep their keywords.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from mcp.server.context import HandlerResult
from mcp_types import ListToolsResult

from crosstrail.json_values import Json, items, table, text
from crosstrail.server.toolsets import ToolTable

_SENTENCE = re.compile(r"(?<=[.?!])(\s+)")
_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


def only_tools(result: HandlerResult, names: frozenset[str], of: ToolTable) -> HandlerResult:
    """`names`: the tools of this caller; `of`: those of any."""
    known = of.toolset_of
    if isinstance(result, ListToolsResult):
        kept = [tool for tool in result.tools if tool.name in names]
        schemas = _brief(of, [(tool.name, tool.input_schema) for tool in kept])
        shown = [
            tool.model_copy(
                update={"description": without_others(tool.description or "", names, known), "input_schema": schema}
            )
            for tool, schema in zip(kept, schemas, strict=True)
        ]
        return result.model_copy(update={"tools": shown})
    listed: Json = result if isinstance(result, dict) else {}
    tools = [table(tool) for tool in items(listed.get("tools"))]
    tools = [tool for tool in tools if tool.get("name") in names]
    schemas = _brief(of, [(text(tool.get("name")), table(tool.get("inputSchema"))) for tool in tools])
    raw = [
        {**tool, "description": without_others(text(tool.get("description")), names, known), "inputSchema": schema}
        for tool, schema in zip(tools, schemas, strict=True)
    ]
    return {**listed, "tools": raw}


def without_others(words: str, names: Collection[str], known: Collection[str]) -> str:
    """The text without sentences that name a tool of `known` that is not among `names`."""
    parts = _SENTENCE.split(words)
    kept = [
        part + (parts[place + 1] if place + 1 < len(parts) else "")
        for place, part in enumerate(parts)
        if place % 2 == 0 and not [name for name in _NAME.findall(part) if name in known and name not in names]
    ]
    return "".join(kept).rstrip()


def _brief(of: ToolTable, schemas: Sequence[tuple[str, Json]]) -> list[dict[str, object]]:
    """The schemas of tools by name, in order: a parameter that an earlier tool has, with the same words, refers to it."""
    if not of.own_words:
        return [dict(schema) for _, schema in schemas]
    seen: dict[tuple[str, str], str] = {}
    return [
        {**schema, "properties": {name: _referring(seen, tool, name, table(one)) for name, one in _properties(schema)}}
        for tool, schema in schemas
    ]


def _properties(schema: Json) -> list[tuple[str, object]]:
    return list(table(schema.get("properties")).items())


def _referring(
    seen: dict[tuple[str, str], str], tool: str, name: str, schema: Mapping[str, object]
) -> dict[str, object]:
    said = text(schema.get("description"))
    first = seen.setdefault((name, said), tool)
    reference = f"See {first}."
    return {**schema, "description": reference if first != tool and len(reference) < len(said) else said}
