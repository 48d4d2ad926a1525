"""More servers that strangers published, and the SDKs that they are made of: each for two accounts, against the fake AWS.

Several are installed together where they can be: the registries are asked once for what they share.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestParams,
    ElicitResult,
    ListRootsResult,
    Root,
    TextContent,
)
from pydantic import FileUrl

from lake_workspace import text_of
from packages import go_with, node_with, python_with
from running_server import PATIENCE
from test_wrap_lists import over_stdio, roots
from wrap_workspace import SERVERS, WrapWorkspace

pytestmark = [pytest.mark.anyio, pytest.mark.registry]
NEWER = (
    "awslabs.lambda-tool-mcp-server==2.1.1",
    "awslabs.amazon-sns-sqs-mcp-server==2.1.1",
    "awslabs.stepfunctions-tool-mcp-server==0.2.1",
    "awslabs.iam-mcp-server==1.1.2",
    "awslabs.amazon-mq-mcp-server==2.1.1",
    "awslabs.elasticache-mcp-server==0.2.1",
)
OLDER = ("mcp<2", "aws-s3-mcp==0.1.3")
"""Of a server that was made for the SDK before its second version."""
NODE = (
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@aws-sdk/client-sts@3.1174.0",
    "@aws-sdk/credential-providers@3.1175.0",
)
GO_SDK = "github.com/modelcontextprotocol/go-sdk"
GO_AWS = ("github.com/aws/aws-sdk-go-v2/config@v1.33.18", "github.com/aws/aws-sdk-go-v2/service/sts@v1.52.0")
EVERYTHING_ANSWERED = "as agreed"


@pytest.fixture
def workspace(workspace: WrapWorkspace) -> WrapWorkspace:
    workspace.listed[1]["region"] = "us-east-1"
    return workspace


def server(workspace: WrapWorkspace, *command: str | Path, **more: Any) -> dict[str, Any]:
    return {"command": [str(word) for word in command], "env": {"AWS_ENDPOINT_URL": workspace.url}, **more}


async def answers(workspace: WrapWorkspace, client: Client, account: str, tool: str, **arguments: Any) -> str:
    """What a tool says, asked for an account; every request that came of it was signed by that account, and let in."""
    workspace.world.requests.clear()
    result = await client.call_tool(tool, {"target_account_id": account, **arguments})
    assert not result.is_error, text_of(result)
    ours = {("sts", "AssumeRole"), ("sts", "GetSessionToken")}
    asked = [one for one in workspace.world.requests if (one.service, one.action) not in ours]
    assert {(one.account, one.code) for one in asked} <= {(workspace.id_of(account), "")}
    return text_of(result)


@pytest.mark.parametrize(
    ("packages", "program", "tool", "arguments", "answer"),
    [
        (NEWER, "awslabs.amazon-sns-sqs-mcp-server", "list_topics", {}, "arn:aws:sns:us-east-1:{id}:alarms"),
        (NEWER, "awslabs.amazon-sns-sqs-mcp-server", "list_queues", {}, "/{id}/jobs"),
        (NEWER, "awslabs.iam-mcp-server", "list_users", {"ctx": {"content": []}}, "user-of-{id}"),
        (NEWER, "awslabs.amazon-mq-mcp-server", "list_brokers", {"region": "us-east-1"}, "broker-of-{id}"),
        (NEWER, "awslabs.elasticache-mcp-server", "describe-log-groups", {}, "/logs/of/{id}"),
        (OLDER, "aws-s3-mcp", "s3_list_objects", {"bucket_name": "data"}, "logs/of-{id}.json"),
    ],
)
async def test_a_server_of_pythons_registry(
    workspace: WrapWorkspace,
    tmp_path: Path,
    packages: tuple[str, ...],
    program: str,
    tool: str,
    arguments: dict[str, Any],
    answer: str,
) -> None:
    servers = {"published": server(workspace, python_with(*packages) / program)}
    async with over_stdio(workspace, tmp_path, servers=servers, start_timeout=300) as (client, _):
        assert tool in {one.name for one in (await client.list_tools()).tools}
        for name in ("prod", "dev", "prod"):
            said = await answers(workspace, client, name, tool, **arguments)
            assert answer.format(id=workspace.id_of(name)) in said
            assert workspace.id_of("dev" if name == "prod" else "prod") not in said


@pytest.mark.parametrize(
    ("program", "tool"),
    [
        ("awslabs.lambda-tool-mcp-server", "report_{id}"),
        ("awslabs.stepfunctions-tool-mcp-server", "nightly_{id}"),
    ],
)
async def test_a_server_that_makes_tools_of_what_an_account_has(
    workspace: WrapWorkspace, tmp_path: Path, program: str, tool: str
) -> None:
    of = {name: tool.format(id=workspace.id_of(name)) for name in ("prod", "dev")}
    servers = {"published": server(workspace, python_with(*NEWER) / program, per_account=True)}
    async with over_stdio(workspace, tmp_path, servers=servers, start_timeout=300) as (client, changed):
        assert await changed.until(client, *of.values()) == {of["prod"]: ["prod"], of["dev"]: ["dev"]}
        for name in ("prod", "dev"):
            said = await answers(workspace, client, name, of[name], parameters={})
            assert f'"ran in": "{workspace.id_of(name)}"' in said
        refused = await client.call_tool(of["prod"], {"target_account_id": "dev", "parameters": {}})
        assert text_of(refused).endswith(f"has no tool {of['prod']} in account dev. It has it in: prod.")


@pytest.mark.parametrize("language", ["go", "javascript"])
async def test_the_sdks_of_other_languages_find_the_account(
    workspace: WrapWorkspace, tmp_path: Path, language: str
) -> None:
    """Without a profile, and by one that the program names."""
    if language == "go":
        modules = (f"{GO_SDK}@v1.8.0", *GO_AWS)
        command: tuple[str | Path, ...] = (go_with("whoami", *modules, program=SERVERS / "sdk/main.go"),)
    else:
        command = ("node", node_with(*NODE, program=SERVERS / "sdk/whoami.mjs") / "whoami.mjs")
    async with over_stdio(workspace, tmp_path, servers={"sdk": server(workspace, *command)}) as (client, _):
        for name in ("prod", "dev", "prod"):
            for profile in ("", "default"):
                said = await answers(workspace, client, name, "whoami", profile=profile)
                assert said == workspace.id_of(name)
        wrong = await client.call_tool("whoami", {"target_account_id": "dev", "profile": "theirs"})
        assert wrong.is_error


async def agreed(context: Any, params: ElicitRequestParams) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": EVERYTHING_ANSWERED})


async def sampled(context: Any, params: CreateMessageRequestParams) -> CreateMessageResult:
    content = TextContent(type="text", text=EVERYTHING_ANSWERED)
    return CreateMessageResult(role="assistant", content=content, model="test")


async def test_a_go_server_asks_the_client(workspace: WrapWorkspace, tmp_path: Path) -> None:
    command = go_with("everything", f"{GO_SDK}/examples/server/everything@v1.8.0")
    async with over_stdio(
        workspace,
        tmp_path,
        servers={"go": server(workspace, command)},
        list_roots_callback=roots,
        sampling_callback=sampled,
        elicitation_callback=agreed,
    ) as (client, _):
        for name in ("prod", "dev"):
            account = {"target_account_id": name}
            assert "file:///work" in text_of(await client.call_tool("roots", account))
            assert EVERYTHING_ANSWERED in text_of(await client.call_tool("sample", account))


async def test_a_node_server_has_more_tools_for_a_client_that_it_may_ask(
    workspace: WrapWorkspace, tmp_path: Path
) -> None:
    program = node_with(*NODE) / "node_modules/.bin/mcp-server-everything"
    servers = {"node": server(workspace, program)}
    asked = {"get-roots-list", "trigger-elicitation-request", "trigger-sampling-request"}
    async with over_stdio(workspace, tmp_path, servers=servers) as (client, _):
        assert not asked & {one.name for one in (await client.list_tools()).tools}
        environments = [
            json.loads(text_of(await client.call_tool("get-env", {"target_account_id": name})))
            for name in ("prod", "dev")
        ]
        for variable in ("HOME", "TMPDIR", "AWS_CONFIG_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
            assert environments[0][variable] != environments[1][variable]
    async with over_stdio(
        workspace,
        tmp_path,
        servers=servers,
        list_roots_callback=roots,
        sampling_callback=sampled,
        elicitation_callback=agreed,
    ) as (client, changed):
        await changed.until(client, *asked)
        arguments = {"target_account_id": "dev", "prompt": "Say it.", "maxTokens": 10}
        assert EVERYTHING_ANSWERED in text_of(await client.call_tool("trigger-sampling-request", arguments))


async def test_a_node_server_takes_its_folders_from_the_clients_roots(workspace: WrapWorkspace, tmp_path: Path) -> None:
    """It asks for them when it has started, whether a call runs or not."""
    before, given = (tmp_path / name for name in ("before", "given"))
    before.mkdir()
    given.mkdir()

    async def offered(context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=FileUrl(given.as_uri()))])

    program = node_with(*NODE) / "node_modules/.bin/mcp-server-filesystem"
    servers = {"files": server(workspace, program, before)}
    async with over_stdio(workspace, tmp_path, servers=servers, list_roots_callback=offered) as (client, _):
        for name in ("prod", "dev"):
            with anyio.fail_after(PATIENCE):
                said = ""
                while str(given) not in said:
                    said = text_of(await client.call_tool("list_allowed_directories", {"target_account_id": name}))
            assert str(before) not in said
