"""Resources: crosstrail://schema/events, the event table for SQL writers, the same for every caller; and the parts of exports,
each for whoever made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resources import FunctionResource
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from crosstrail.answers.event_columns import described_columns
from crosstrail.answers.export_events import TEMPLATE, export_part
from crosstrail.errors import CrosstrailError
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace


def add_resources(server: MCPServer[Any]) -> None:
    server.add_resource(
        FunctionResource(
            uri="crosstrail://schema/events",
            name="events",
            title="The event table",
            description="Columns, types and meaning of the event table, and example queries, for lake_query.",
            mime_type="text/plain",
            fn=described_columns,
        )
    )


def add_exports(server: MCPServer[Workspace], view: Callable[[], ScopedWorkspace]) -> None:
    """`view`: the workspace as the caller of the present message may see it."""

    @server.resource(
        TEMPLATE,
        name="export",
        title="A part of an export",
        description="role: data, records, sources or manifest; part: from 1. Made by export_events, kept for an hour.",
        mime_type="text/plain",
    )
    async def read_export(export_id: str, role: str, part: str) -> str:
        try:
            return await export_part(view(), export_id, role, part)
        except CrosstrailError as error:
            raise MCPError(code=INVALID_PARAMS, message=error.text) from None
