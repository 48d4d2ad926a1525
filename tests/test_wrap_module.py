"""`crosstrail wrap --module`: Python modules with and without setup(), over every kind of server object."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mcp import Client

from crosstrail.errors import WrappedServerError
from crosstrail.wrap.serving import new_server
from lake_workspace import text_of
from wrap_workspace import WrapWorkspace

pytestmark = pytest.mark.anyio

MCPSERVER = """
from mcp.server.mcpserver import MCPServer
mcp = MCPServer("one")
TOOLS = []
def register():
    @mcp.tool()
    def ready() -> str:
        return ",".join(TOOLS)
"""
LOWLEVEL = """
import mcp_types as types
from mcp.server.lowlevel import Server
async def listed(context, params):
    return types.ListToolsResult(tools=[types.Tool(name="ready", input_schema={"type": "object"})])
async def called(context, params):
    return types.CallToolResult(content=[types.TextContent(type="text", text=STATE)])
STATE = "low"
SERVER = Server("low", on_list_tools=listed, on_call_tool=called)
"""
MODULES = {
    "setup": (MCPSERVER + "def setup():\n    TOOLS.append('setup'); register()\n", "setup"),
    "asynchronous setup": (MCPSERVER + "async def setup():\n    TOOLS.append('async'); register()\n", "async"),
    "setup and main": (
        MCPSERVER
        + "def setup():\n    TOOLS.append('setup'); register()\ndef main():\n    raise SystemExit('not this')\n",
        "setup",
    ),
    "setup that makes the server": (
        "mcp = None\ndef setup():\n    global mcp\n"
        + "".join(f"    {line}\n" for line in MCPSERVER.strip().splitlines())
        + "    TOOLS.append('made'); register()\n",
        "made",
    ),
    "no setup": (MCPSERVER + "TOOLS.append('plain'); register()\n", "plain"),
    "main alone": (
        MCPSERVER.replace("mcp", "_mcp").replace("from _mcp.server._mcpserver", "from mcp.server.mcpserver")
        + "def main():\n    import sys\n    TOOLS.extend(sys.argv[1:] or ['main']); register(); _mcp.run()\n",
        "main",
    ),
    "asynchronous main": (
        MCPSERVER + "async def main():\n    TOOLS.append('amain'); register(); await mcp.run_stdio_async()\n",
        "amain",
    ),
    "lowlevel": (LOWLEVEL, "low"),
    "lowlevel with setup": (LOWLEVEL + "def setup():\n    global STATE\n    STATE = 'set up'\n", "set up"),
}


@pytest.mark.parametrize("kind", MODULES)
async def test_a_module_is_served(workspace: WrapWorkspace, tmp_path: Path, kind: str) -> None:
    source, answer = MODULES[kind]
    (tmp_path / "wrapped_module.py").write_text(source)
    server = {"module": "wrapped_module", "env": {"PYTHONPATH": str(tmp_path)}}
    async with workspace.proxy({"m": server}) as proxy, Client(new_server(proxy, workspace.admit)) as client:
        called = await client.call_tool("ready", {"target_account_id": "dev"})
        assert text_of(called) == answer


async def test_a_module_that_cannot_be_served_is_explained(workspace: WrapWorkspace, tmp_path: Path) -> None:
    (tmp_path / "wrapped_empty.py").write_text("x = 1\n")
    (tmp_path / "wrapped_broken.py").write_text("import not_there_at_all\n")
    for module, words in (
        ("wrapped_empty", "the module wrapped_empty has neither an MCP server object nor main"),
        ("wrapped_broken", "has no module not_there_at_all: name the one that has it with --python"),
        ("wrapped_absent", "has no module wrapped_absent"),
    ):
        server = {"module": module, "python": sys.executable, "env": {"PYTHONPATH": str(tmp_path)}}
        with pytest.raises(WrappedServerError, match=words):
            async with workspace.proxy({"m": server}):
                pass
