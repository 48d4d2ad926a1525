"""What a wrapped server's client sees: its own tools, prompts and resources, each with an account."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestParams, ElicitResult, LoggingMessageNotificationParams

from crosstrail.errors import ConfigError
from crosstrail.wrap.serving import new_server
from lake_workspace import text_of
from wrap_workspace import WrapWorkspace, numbered

pytestmark = pytest.mark.anyio


async def test_every_tool_has_the_account_first_and_is_else_unchanged(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    schema = tools["echo"].input_schema
    assert list(schema["properties"]) == ["target_account_id", "text"]
    assert schema["properties"]["target_account_id"]["enum"] == ["prod", "dev"]
    assert schema["required"] == ["target_account_id", "text"]
    assert tools["whoami"].annotations is not None
    assert tools["whoami"].annotations.read_only_hint is True
    assert tools["rich"].output_schema == {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert len(tools) == 16, "both pages of the server's list"


async def test_a_default_account_makes_the_parameter_optional(workspace: WrapWorkspace) -> None:
    workspace.listed[1]["default"] = True
    async with workspace.client() as client:
        tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "echo")
        assert tool.input_schema["required"] == ["text"]
        assert tool.input_schema["properties"]["target_account_id"]["default"] == "dev"
        assert text_of(await client.call_tool("whoami", {})) == workspace.id_of("dev")


async def test_many_accounts_are_not_listed_in_schemas(workspace: WrapWorkspace) -> None:
    for number in range(3, 32):
        workspace.keys_account(numbered(number), f"a{number}")
    async with workspace.client() as client:
        schema = (await client.list_tools()).tools[0].input_schema
        assert "enum" not in schema["properties"]["target_account_id"]
        assert text_of(await client.call_tool("whoami", {"target_account_id": "a31"})) == workspace.id_of("a31")


async def test_a_message_that_nobody_admitted_gets_nothing(workspace: WrapWorkspace) -> None:
    async def asks_nobody(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        return await call_next(ctx)

    async with workspace.proxy() as proxy, Client(new_server(proxy, asks_nobody), mode="legacy") as client:
        for ask in (
            client.list_tools(),
            client.list_resources(),
            client.call_tool("whoami", {"target_account_id": "prod"}),
            client.read_resource("plain://fixed"),
        ):
            with pytest.raises(MCPError, match="admitted by nobody"):
                await ask
    assert not workspace.world.asked("GetCallerIdentity")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_call_is_signed_by_its_account(workspace: WrapWorkspace, mode: str) -> None:
    async with workspace.client(mode=mode) as client:
        for name in ("prod", "dev", "prod", workspace.id_of("dev")):
            asked = await client.call_tool("whoami", {"target_account_id": name})
            assert not asked.is_error
            assert text_of(asked) in (name, workspace.id_of(name) if name in ("prod", "dev") else name)
    signed = {(one.account, one.region) for one in workspace.world.asked("GetCallerIdentity")}
    assert signed == {(workspace.id_of("prod"), "us-east-1"), (workspace.id_of("dev"), "eu-west-1")}


async def test_an_account_is_never_guessed(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        for arguments, words in (
            ({}, "which account? Set target_account_id to one of: prod, dev."),
            ({"target_account_id": "prd"}, "Did you mean prod?"),
            ({"target_account_id": "*"}, "target_account_id names 2 accounts, and one call is answered for one."),
            ({"target_account_id": 7}, "target_account_id is a text"),
        ):
            refused = await client.call_tool("whoami", arguments)
            assert refused.is_error
            assert words in text_of(refused)
    assert not workspace.world.asked("GetCallerIdentity")


async def test_what_a_server_answers_passes_unchanged(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        rich = await client.call_tool("rich", {"target_account_id": "dev"})
        assert [part.type for part in rich.content] == ["image", "resource_link", "resource"]
        assert rich.structured_content == {"n": 5}
        assert rich.meta is not None
        assert rich.meta["plain/x"] == 1
        failed = await client.call_tool("fail", {"target_account_id": "dev"})
        assert (failed.is_error, text_of(failed)) == (True, "it failed")
        with pytest.raises(MCPError) as refused:
            await client.call_tool("refuse", {"target_account_id": "dev"})
        assert (refused.value.error.code, refused.value.error.message) == (-32000, "not today")
        assert refused.value.error.data == {"why": "rain"}
        big = await client.call_tool("big", {"target_account_id": "dev", "size": 1_000_000})
        assert len(text_of(big)) == 1_000_000


async def test_progress_and_log_messages_reach_the_caller(workspace: WrapWorkspace) -> None:
    steps: list[tuple[float, float | None, str | None]] = []
    logged: list[Any] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total, message))

    async def log(params: LoggingMessageNotificationParams) -> None:
        logged.append((params.level, params.logger, params.data))

    async with (
        workspace.proxy() as proxy,
        Client(new_server(proxy, workspace.admit), mode="legacy", logging_callback=log) as client,
    ):
        await client.call_tool("steps", {"target_account_id": "dev", "count": 3}, progress_callback=progressed)
    assert steps == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]
    assert logged == [("info", "plain", {"said": "all steps"})]


async def test_a_cancelled_call_is_cancelled_in_the_server(workspace: WrapWorkspace) -> None:
    """The server says when it wakes up: not before its caller gives up. A second call is there to hear it."""
    send, said_by_server = anyio.create_memory_object_stream[str](10)

    async def log(params: LoggingMessageNotificationParams) -> None:
        await send.send(str(params.data))

    async with (
        workspace.proxy() as proxy,
        Client(new_server(proxy, workspace.admit), mode="legacy", logging_callback=log) as client,
    ):
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.call_tool, "sleep", {"target_account_id": "dev"})
                assert await said_by_server.receive() == "sleeping"
                with anyio.CancelScope() as given_up:

                    async def give_up() -> None:
                        assert await said_by_server.receive() == "sleeping"
                        given_up.cancel()

                    tasks.start_soon(give_up)
                    await client.call_tool("sleep", {"target_account_id": "dev"})
                assert given_up.cancelled_caught
                assert await said_by_server.receive() == "woken"
                tasks.cancel_scope.cancel()
    send.close()
    said_by_server.close()


async def test_a_server_may_ask_the_client_behind_the_call(workspace: WrapWorkspace) -> None:
    questions: list[str] = []

    async def answer(context: Any, params: ElicitRequestParams) -> ElicitResult:
        questions.append(params.message)
        return ElicitResult(action="accept", content={"sure": "yes"})

    async with workspace.proxy() as proxy:
        async with Client(new_server(proxy, workspace.admit), mode="legacy", elicitation_callback=answer) as client:
            asked = await client.call_tool("ask", {"target_account_id": "dev"})
        assert json.loads(text_of(asked)) == {"action": "accept", "content": {"sure": "yes"}}
        async with Client(new_server(proxy, workspace.admit), mode="legacy") as client:
            refused = await client.call_tool("ask", {"target_account_id": "dev"})
        assert "code" in json.loads(text_of(refused)), "a client that cannot be asked is no consent"
    assert questions == ["Really?"]


async def test_a_list_that_changes_is_noticed(workspace: WrapWorkspace) -> None:
    changed = anyio.Event()

    async def message(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            changed.set()

    async with (
        workspace.proxy() as proxy,
        Client(new_server(proxy, workspace.admit), mode="legacy", message_handler=message) as client,
    ):
        before = {tool.name for tool in (await client.list_tools()).tools}
        await client.call_tool("grow", {"target_account_id": "dev"})
        with anyio.fail_after(60):
            await changed.wait()
        after = {tool.name for tool in (await client.list_tools()).tools}
        assert after - before == {"grown"}
        assert text_of(await client.call_tool("grown", {"target_account_id": "dev"})) == "here"


async def test_prompts_and_completions_take_the_account_too(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        (prompt,) = (await client.list_prompts()).prompts
        assert [argument.name for argument in prompt.arguments or ()] == ["target_account_id", "what"]
        got = await client.get_prompt("review", {"target_account_id": "dev", "what": "costs"})
        assert got.messages[0].content.type == "text"
        assert json.loads(got.messages[0].content.text) == {"what": "costs"}
        with pytest.raises(MCPError, match="which account"):
            await client.get_prompt("review", {"what": "costs"})


async def test_resources_are_read_for_an_account_or_for_nobody(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        assert [one.uri for one in (await client.list_resources()).resources] == ["plain://fixed"]
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "plain://group/{name}{?target_account_id}"
        for uri, reader in (
            ("plain://fixed", "nobody"),
            ("plain://fixed?target_account_id=dev", workspace.id_of("dev")),
            ("plain://group/x?target_account_id=prod", workspace.id_of("prod")),
        ):
            (content,) = (await client.read_resource(uri)).contents
            assert content.uri == uri.split("?")[0]
            assert getattr(content, "text", "") == f"read for {reader}"
        with pytest.raises(MCPError, match="Unknown resource"):
            await client.read_resource("other://x")


async def test_only_tools_that_are_let_through_exist(workspace: WrapWorkspace) -> None:
    async def names(**filters: Any) -> set[str]:
        async with workspace.client({"plain": workspace.plain(**filters)}) as client:
            refused = None
            try:
                await client.call_tool("environment", {"target_account_id": "dev"})
            except MCPError as error:
                refused = error.error.message
            listed = {tool.name for tool in (await client.list_tools()).tools}
        assert (refused == "Unknown tool: environment") == ("environment" not in listed)
        return listed

    assert await names(read_only=True) == {"whoami", "echo"}
    assert await names(allow=["e*"], deny=["environment"]) == {"echo"}
    assert await names(deny=["[d-z]*", "ask"]) == {"big"}
    with pytest.raises(ConfigError, match="none of the 16 tools of plain is let through"):
        await names(read_only=True, deny=["whoami", "echo"])


async def test_servers_with_the_same_names_are_told_apart(workspace: WrapWorkspace) -> None:
    servers = {"one": workspace.plain(allow=["echo", "whoami"]), "two": workspace.plain(allow=["echo"])}
    async with workspace.client(servers) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"one_echo", "two_echo", "whoami"}
        for name in ("one_echo", "two_echo"):
            assert text_of(await client.call_tool(name, {"target_account_id": "dev", "text": name})) == name
        assert {prompt.name for prompt in (await client.list_prompts()).prompts} == {"one_review", "two_review"}


async def test_a_parameter_that_a_tool_has_already_is_refused(workspace: WrapWorkspace) -> None:
    with pytest.raises(ConfigError, match="the tool echo of plain has a parameter text itself"):
        async with workspace.client(parameter="text"):
            pass
    async with workspace.client(parameter="account") as client:
        assert text_of(await client.call_tool("echo", {"account": "dev", "text": "hi"})) == "hi"


async def test_the_server_in_front_says_who_is_behind_it(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        assert client.server_info is not None
        assert (client.server_info.name, client.server_info.version) == ("plain", "1.2.3")
        assert (client.instructions or "").startswith("Ask plainly.\n\nEvery tool takes target_account_id")
