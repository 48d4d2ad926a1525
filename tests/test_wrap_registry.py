"""Servers that strangers published, unedited, each in an environment of its own, against the fake AWS.

They come from the registries of Python and npm.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

import preloaded
from crosstrail.errors import ConfigError
from lake_workspace import text_of
from packages import node_with, python_with
from wrap_workspace import WrapWorkspace
from wrapped.tls_proxy import TlsProxy

pytestmark = [pytest.mark.anyio, pytest.mark.registry]

FASTMCP = """
import os
from fastmcp import FastMCP
mcp = FastMCP("fast")
@mcp.tool
def ready() -> str:
    return os.environ["AWS_REGION"]
"""


@pytest.fixture
def workspace(workspace: WrapWorkspace) -> WrapWorkspace:
    for name in ("prod", "dev"):
        workspace.world.account(workspace.id_of(name)).log(f"Of{name}", datetime.now(UTC), region="us-east-1")
    workspace.listed[1]["region"] = "us-east-1"
    return workspace


async def check(
    workspace: WrapWorkspace, folder: Path, command: Path, tool: str, arguments: dict[str, Any], answer: str, **env: str
) -> None:
    """`crosstrail wrap` lists the server's tools; a call of each account is signed by it and answered for it."""
    given = {"AWS_ENDPOINT_URL": workspace.url, **env}
    variables = [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
    config = workspace.config(folder, wrap={"start_timeout": 300})
    wrap = ["-m", "crosstrail", "wrap", "--config", str(config), *variables, "--", str(command)]
    async with Client(StdioServerParameters(command=preloaded.python(), args=wrap, env=dict(os.environ))) as client:
        shown = {one.name: one for one in (await client.list_tools()).tools}
        assert all(next(iter(one.input_schema["properties"])) == "target_account_id" for one in shown.values())
        assert tool in shown
        for name in ("prod", "dev", "prod"):
            workspace.world.requests.clear()
            result = await client.call_tool(tool, {"target_account_id": name, **arguments})
            assert not result.is_error, result.content
            texts = " ".join(getattr(content, "text", "") for content in result.content)
            assert answer.format(id=workspace.id_of(name), name=name) in texts
            asked = [one for one in workspace.world.requests if (one.service, one.action) != ("sts", "AssumeRole")]
            signed = [one for one in asked if (one.service, one.action) != ("sts", "GetSessionToken")]
            assert {(one.account, one.code) for one in signed} == {(workspace.id_of(name), "")}


async def test_the_cloudtrail_server(workspace: WrapWorkspace, tmp_path: Path) -> None:
    package = "awslabs.cloudtrail-mcp-server"
    await check(workspace, tmp_path, python_with(package) / package, "lookup_events", {}, "Of{name}")


async def test_the_billing_server(workspace: WrapWorkspace, tmp_path: Path) -> None:
    package = "awslabs.billing-cost-management-mcp-server"
    arguments = {"operation": "getDimensionValues", "dimension": "SERVICE"}
    await check(workspace, tmp_path, python_with(package) / package, "cost-explorer", arguments, "spent by {id}")


async def test_a_server_that_says_of_no_tool_that_it_only_reads(workspace: WrapWorkspace) -> None:
    package = "awslabs.billing-cost-management-mcp-server"
    server = {"command": [str(python_with(package) / package)], "read_only": True}
    with pytest.raises(ConfigError) as refused:
        async with workspace.proxy({"billing": server}):
            pass
    assert "None says that it is read-only" in refused.value.hint


async def test_the_cloudwatch_server(workspace: WrapWorkspace, tmp_path: Path) -> None:
    package = "awslabs.cloudwatch-mcp-server"
    await check(workspace, tmp_path, python_with(package) / package, "get_active_alarms", {}, "alarm of {id}")


async def test_the_aws_api_server(workspace: WrapWorkspace, tmp_path: Path) -> None:
    """It reads the list of AWS's services when it starts, over HTTPS."""
    package = "awslabs.aws-api-mcp-server"
    with TlsProxy(tmp_path, "servicereference.us-east-1.amazonaws.com", b"[]") as proxy:
        proxied = {"HTTPS_PROXY": proxy.url, "REQUESTS_CA_BUNDLE": str(proxy.certificate)}
        arguments = {"cli_command": "aws cloudtrail lookup-events"}
        await check(workspace, tmp_path, python_with(package) / package, "call_aws", arguments, "Of{name}", **proxied)
        assert "servicereference.us-east-1.amazonaws.com:443" in proxy.asked


async def test_a_node_server(workspace: WrapWorkspace, tmp_path: Path) -> None:
    program = (
        node_with("@hyorimitsu/amazon-cloudwatch-logs-mcp-server")
        / "node_modules/.bin/amazon-cloudwatch-logs-mcp-server"
    )
    await check(workspace, tmp_path, program, "describe_log_groups", {}, "/logs/of/{id}")


@pytest.mark.parametrize("version", ["2", "3", "4"])
@pytest.mark.parametrize("setup", ["", "def setup():\n    mcp.tool(ready)\n"])
async def test_a_module_of_every_fastmcp(workspace: WrapWorkspace, tmp_path: Path, version: str, setup: str) -> None:
    source = FASTMCP.replace("@mcp.tool\n", "") + setup if setup else FASTMCP
    (tmp_path / "wrapped_fast.py").write_text(source)
    python = python_with(f"fastmcp=={version}.*") / "python"
    server = {"module": "wrapped_fast", "python": str(python), "env": {"PYTHONPATH": str(tmp_path)}}
    async with workspace.client({"fast": server}) as client:
        assert text_of(await client.call_tool("ready", {"target_account_id": "dev"})) == "us-east-1"
