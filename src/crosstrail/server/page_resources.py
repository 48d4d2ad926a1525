"""The documentation as resources: crosstrail://docs lists the pages, crosstrail://docs/TOPIC is one, in parts where it is long.

The same for every caller: these are files of the package, and nothing of an account or of this server's configuration.
"""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resources import FunctionResource
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from crosstrail.documentation import page, parts, topics
from crosstrail.errors import CrosstrailError
from crosstrail.workspace.workspace import Workspace

_URI = "crosstrail://docs"
_MARKDOWN = "text/markdown"
_MAX_BYTES = 16_000
"""Of one part: what an agent reads at a time."""


def add_pages(server: MCPServer[Workspace]) -> None:
    server.add_resource(
        FunctionResource(
            uri=_URI,
            name="docs",
            title="The documentation",
            description="What there is to read about crosstrail: topics, each a resource of its own.",
            mime_type=_MARKDOWN,
            fn=_index,
        )
    )

    @server.resource(
        f"{_URI}/{{topic}}",
        name="page",
        title="A page of the documentation",
        description="topic: one of those that crosstrail://docs lists, such as sql.",
        mime_type=_MARKDOWN,
    )
    def read_page(topic: str) -> str:
        return _part(topic, 1)

    @server.resource(
        f"{_URI}/{{topic}}/{{part}}",
        name="page_part",
        title="A further part of a long page",
        description="part: from 1; the part before says whether there is more.",
        mime_type=_MARKDOWN,
    )
    def read_part(topic: str, part: str) -> str:
        return _part(topic, int(part) if part.isascii() and part.isdigit() and len(part) < 4 else 0)


def _index() -> str:
    lines = [f"- [{page(topic).title}]({_URI}/{topic})" for topic in topics()]
    return "\n".join(("# The documentation of crosstrail", "", *lines, ""))


def _part(topic: str, number: int) -> str:
    try:
        found = parts(page(topic[:100]).text, _MAX_BYTES)
    except CrosstrailError:
        raise MCPError(code=INVALID_PARAMS, message=f"there is no such page; {_URI} lists those there are") from None
    if not 1 <= number <= len(found):
        raise MCPError(code=INVALID_PARAMS, message=f"this page has {len(found)} parts, from 1")
    more = (
        f"\n(Part {number} of {len(found)}. The next one: {_URI}/{topic}/{number + 1})\n" if number < len(found) else ""
    )
    return found[number - 1] + more
