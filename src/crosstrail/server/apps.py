"""MCP Apps: the pages that a host may show beside an answer, and which clients are told of them.

Decides by what a client says of itself: one that does not support Apps sees neither a page nor that a tool has one. Over HTTP
without sessions, clients of protocols before 2026-07-28 say it in a request of its own, which nobody remembers: they are told of
the page, and get its data where no model looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID, Apps
from mcp.server.context import HandlerResult
from mcp_types import ClientCapabilities, ListResourcesResult, ListToolsResult

from crosstrail.answers.timeline_page import app_page
from crosstrail.json_values import items, table, text

TIMELINE_PAGE = "ui://crosstrail/timeline"
_SCHEME = "ui://"
PAGE_DATA = "crosstrail/timeline"
"""Under this name in `_meta`, where the client may not support Apps; else it is structured content."""


class Showing(Enum):
    """Whether a client shows pages."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def timeline_app() -> Apps:
    """The extension of a server that shows timelines. The page is the same for everybody, and holds no event."""
    apps = Apps()
    apps.add_html_resource(
        TIMELINE_PAGE, app_page(), name="timeline", title="Timeline", description="Shows the answer of show_timeline."
    )
    return apps


def showing(declared: ClientCapabilities | None) -> Showing:
    """Of a client that says this of itself; None where it is not known what it says."""
    if declared is None:
        return Showing.UNKNOWN
    types = items(table((declared.extensions or {}).get(EXTENSION_ID)).get("mimeTypes"))
    return Showing.YES if APP_MIME_TYPE in types else Showing.NO


def page_of(data: Mapping[str, object], shown: Showing) -> tuple[dict[str, object] | None, dict[str, object]]:
    """(structured content, what goes into `_meta`) of an answer with that data for its page."""
    if shown is Showing.YES:
        return {"timeline": dict(data)}, {}
    return None, {PAGE_DATA: dict(data)} if shown is Showing.UNKNOWN else {}


def without_pages(result: HandlerResult) -> HandlerResult:
    """A list of tools, or of resources, for a client that shows no pages."""
    if isinstance(result, ListToolsResult):
        tools = [tool.model_copy(update={"meta": _bare(tool.meta)}) for tool in result.tools]
        return result.model_copy(update={"tools": tools})
    if isinstance(result, ListResourcesResult):
        kept = [one for one in result.resources if not str(one.uri).startswith(_SCHEME)]
        return result.model_copy(update={"resources": kept})
    if not isinstance(result, dict):
        return result
    if "tools" in result:
        return {**result, "tools": [_plain(table(tool)) for tool in items(result["tools"])]}
    if "resources" in result:
        listed = items(result["resources"])
        return {**result, "resources": [one for one in listed if not text(table(one).get("uri")).startswith(_SCHEME)]}
    return result


def _bare(meta: Mapping[str, object] | None) -> dict[str, object] | None:
    return {name: value for name, value in (meta or {}).items() if name != "ui"} or None


def _plain(tool: Mapping[str, object]) -> dict[str, object]:
    bare = _bare(table(tool.get("_meta")))
    return {**{name: value for name, value in tool.items() if name != "_meta"}, **({"_meta": bare} if bare else {})}
