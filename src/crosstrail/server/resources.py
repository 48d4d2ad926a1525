"""Resources for SQL writers, the same for every caller: the event table, the functions by group, example queries; and the parts of
exports, each for whoever made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resources import FunctionResource
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from crosstrail.answers.event_columns import described_columns
from crosstrail.answers.export_events import TEMPLATE, export_part
from crosstrail.answers.sql_examples import examples_text
from crosstrail.answers.sql_reference import function_group, functions_index, functions_of
from crosstrail.errors import CrosstrailError
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_FUNCTIONS = "crosstrail://sql/functions"


def add_resources(server: MCPServer[Any]) -> None:
    server.add_resource(
        FunctionResource(
            uri="crosstrail://schema/events",
            name="events",
            title="The event table",
            description="Columns, types and meaning of the event table, and example queries.",
            mime_type="text/plain",
            fn=described_columns,
        )
    )
    server.add_resource(
        FunctionResource(
            uri=_FUNCTIONS,
            name="functions",
            title="Functions of SQL",
            description="Names of the functions by group, and what does instead of those that are refused.",
            mime_type="text/plain",
            fn=lambda: functions_index(f"{_FUNCTIONS}/{{group}}"),
        )
    )
    server.add_resource(
        FunctionResource(
            uri="crosstrail://sql/examples",
            name="examples",
            title="Example queries",
            description="Queries that people ask most, to change and run.",
            mime_type="text/plain",
            fn=examples_text,
        )
    )

    @server.resource(
        f"{_FUNCTIONS}/{{group}}",
        name="function_group",
        title="What the functions of a group take and give",
        description=f"group: one of those that {_FUNCTIONS} lists, such as text.",
        mime_type="text/plain",
    )
    def read_functions(group: str) -> str:
        try:
            return functions_of(function_group(group))
        except CrosstrailError as error:
            raise MCPError(code=INVALID_PARAMS, message=error.text) from None


def add_exports(server: MCPServer[Workspace], view: Callable[[], ScopedWorkspace]) -> None:
    """`view`: the workspace as the caller of the present message may see it."""

    @server.resource(
        TEMPLATE,
        name="export",
        title="A part of an export",
        description="role: data, records, sources or manifest; part: from 1. Kept for an hour.",
        mime_type="text/plain",
    )
    async def read_export(export_id: str, role: str, part: str) -> str:
        try:
            return await export_part(view(), export_id, role, part)
        except CrosstrailError as error:
            raise MCPError(code=INVALID_PARAMS, message=error.text) from None
