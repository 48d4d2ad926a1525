"""The composition root of the MCP server: tools, resource, prompts and instructions around one workspace.

It decides nothing else. Transports and sign-in are not its matter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer

from crosstrail import __version__
from crosstrail.server.access.admission import EXPORT_TOOL, Admission, present_tools, present_view
from crosstrail.server.access.spans import name_spans
from crosstrail.server.apps import timeline_app
from crosstrail.server.instructions import TIMELINE_TOOL, instructions
from crosstrail.server.page_resources import add_pages
from crosstrail.server.prompts import add_prompts
from crosstrail.server.resources import add_exports, add_resources
from crosstrail.server.saved_prompts import SAVED_NEEDS, saved_prompts
from crosstrail.server.tools import build_tools
from crosstrail.workspace.workspace import Workspace


def create_server(
    workspace: Workspace,
    admission: Admission | None = None,
    *,
    verifier: TokenVerifier | None = None,
    auth: AuthSettings | None = None,
) -> MCPServer[Workspace]:
    """A server over this workspace, for whom `admission` lets in; without one, for its owner alone, over stdio.

    `verifier` and `auth`, both or neither: every HTTP request needs a token.

    That one closes the workspace's queries when the last message was answered. Over HTTP many sessions share a workspace, and
    whoever serves them closes it.
    """
    admitted = admission or Admission(workspace)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Workspace]) -> AsyncIterator[Workspace]:
        try:
            yield workspace
        finally:
            if admission is None:
                await workspace.aclose()
                admitted.close()

    server = MCPServer(
        "crosstrail",
        title="crosstrail",
        instructions=instructions(admitted.offered),
        version=__version__,
        tools=[
            tool
            for tool in build_tools(allow_writes=True, structured=workspace.settings.serve.structured)
            if tool.name in admitted.offered
        ],
        extensions=[timeline_app()] if TIMELINE_TOOL in admitted.offered else None,
        lifespan=lifespan,
        log_level="WARNING",
        middleware=[admitted],
        token_verifier=verifier,
        auth=auth,
    )
    name_spans(server.middleware, admitted.knows)
    if "lake_query" in admitted.offered:
        add_resources(server)
    if EXPORT_TOOL in admitted.offered:
        add_exports(server, present_view)
    add_pages(server)
    add_prompts(server, present_view, admitted.offered, present_tools)
    if admitted.offered >= SAVED_NEEDS:
        for prompt in saved_prompts(workspace.settings):
            server.add_prompt(prompt)
    return server
