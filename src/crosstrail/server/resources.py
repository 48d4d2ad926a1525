"""The resource crosstrail://schema/events: the event table for SQL writers. Static text, the same for every caller."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resources import FunctionResource

from crosstrail.answers.event_columns import described_columns


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
