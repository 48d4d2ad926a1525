"""Tools that are not always there: of a server that does not start, of one account, of clients that may be asked."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestParams, ElicitResult, ListRootsResult, Root

import preloaded
from crosstrail.errors import WrappedServerError
from lake_workspace import text_of
from running_server import PATIENCE, client_over_http
from test_wrap_http import signed_in, wrapping
from test_wrap_processes import running
from wrap_workspace import PLAIN, SERVERS, WrapWorkspace

pytestmark = pytest.mark.anyio
CHOOSY = str(SERVERS / "choosy.py")


def choosy(workspace: WrapWorkspace, *how: str, **more: Any) -> dict[str, Any]:
    return {"command": [sys.executable, "-S", CHOOSY, *how], "env": {"AWS_ENDPOINT_URL": workspace.url}, **more}


class Changed:
    """A client's message handler that hears when its tools are others."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    async def __call__(self, message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            self._event.set()
            self._event = anyio.Event()

    async def until(self, client: Client, *names: str) -> dict[str, list[str]]:
        """The tools, once these are among them: each with the accounts that it names."""
        with anyio.fail_after(PATIENCE):
            while True:
                event = self._event
                found = await tools(client)
                if set(names) <= set(found):
                    return found
                await event.wait()


async def tools(client: Client) -> dict[str, list[str]]:
    listed = (await client.list_tools()).tools
    return {one.name: one.input_schema["properties"]["target_account_id"]["enum"] for one in listed}


@asynccontextmanager
async def over_stdio(workspace: WrapWorkspace, folder: Path, **settings: Any) -> AsyncIterator[tuple[Client, Changed]]:
    """`crosstrail wrap` as a client starts it; callbacks are the client's."""
    callbacks = {name: settings.pop(name) for name in list(settings) if name.endswith("_callback")}
    config = workspace.config(folder, wrap=settings)
    command = ["-m", "crosstrail", "wrap", "--config", str(config)]
    parameters = StdioServerParameters(command=preloaded.python(), args=command, env=dict(os.environ))
    changed = Changed()
    async with Client(parameters, mode="legacy", message_handler=changed, **callbacks) as client:
        yield client, changed


async def test_a_server_that_does_not_start_leaves_the_others_and_comes_later(
    workspace: WrapWorkspace, tmp_path: Path
) -> None:
    licence = tmp_path / "licence"
    servers = {"plain": workspace.plain(allow=["echo"]), "late": choosy(workspace, "late", str(licence))}
    async with over_stdio(workspace, tmp_path, servers=servers, retry=0.2) as (client, changed):
        assert set(await tools(client)) == {"echo"}
        assert "late did not start and is tried again" in (client.instructions or "")
        assert text_of(await client.call_tool("echo", {"target_account_id": "dev", "text": "hi"})) == "hi"
        with pytest.raises(MCPError, match=r"Unknown tool: seen\. late, which may have it, does not start") as refused:
            await client.call_tool("seen", {"target_account_id": "dev"})
        assert "no licence found" in str(refused.value)
        licence.touch()
        assert set(await changed.until(client, "seen")) == {"echo", "seen", "flood"}
        seen = json.loads(text_of(await client.call_tool("seen", {"target_account_id": "dev"})))
        assert seen["account"] == workspace.id_of("dev")
        with pytest.raises(MCPError, match=r"Unknown tool: other$"):
            await client.call_tool("other", {"target_account_id": "dev"})


def test_what_is_printed_names_what_did_not_start(workspace: WrapWorkspace, tmp_path: Path) -> None:
    servers = {"late": choosy(workspace, "late", str(tmp_path / "never")), "plain": workspace.plain(allow=["echo"])}
    done = preloaded.run("wrap", "--config", workspace.config(tmp_path, wrap={"servers": servers}), "--list-tools")
    assert done.returncode == 1
    assert "echo  reads" in done.stdout
    assert "crosstrail: late ended (exit status 1). It said: no licence found" in done.stderr
    assert "Traceback" not in done.stderr


async def roots(context: Any) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri="file:///work")])


async def agreed(context: Any, params: ElicitRequestParams) -> ElicitResult:
    return ElicitResult(action="accept", content={})


@pytest.mark.parametrize("default", [True, False])
async def test_a_server_knows_what_it_may_ask_of_the_client(
    workspace: WrapWorkspace, tmp_path: Path, default: bool
) -> None:
    """Also the process that was asked for the lists, before the client had an answer; roots are asked between calls."""
    workspace.listed[0]["default"] = default
    servers = {"choosy": choosy(workspace, "capable")}
    async with over_stdio(
        workspace, tmp_path, servers=servers, list_roots_callback=roots, elicitation_callback=agreed
    ) as (client, _):
        assert set(await tools(client)) == {"seen", "flood", "with_elicitation", "with_roots"}
        for name in ("prod", "dev"):
            seen = json.loads(text_of(await client.call_tool("seen", {"target_account_id": name})))
            assert set(seen["capabilities"]) == {"elicitation", "roots"}
            assert [one["uri"] for one in seen["roots"][0]["roots"]] == ["file:///work"]
            assert seen["account"] == workspace.id_of(name)
    async with over_stdio(workspace, tmp_path, servers=servers) as (client, _):
        assert set(await tools(client)) == {"seen", "flood"}


async def test_questions_are_bounded(workspace: WrapWorkspace, tmp_path: Path) -> None:
    asked: list[str] = []
    all_asked = anyio.Event()

    async def answer(context: Any, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        if len(asked) == 8:
            all_asked.set()
        await all_asked.wait()
        return ElicitResult(action="decline")

    servers = {"choosy": choosy(workspace, "capable")}
    async with over_stdio(workspace, tmp_path, servers=servers, elicitation_callback=answer) as (client, _):
        long, *others = json.loads(text_of(await client.call_tool("flood", {"target_account_id": "dev"})))
    assert long["message"] == "a question has at most 1,000,000 bytes"
    declined = [one for one in others if one == {"action": "decline"}]
    refused = [one for one in others if one.get("message") == "8 questions wait for an answer"]
    assert (len(declined), len(refused), len(asked)) == (8, 4, 8)


async def test_tools_for_clients_that_can_be_asked_are_named_where_none_can(
    workspace: WrapWorkspace, tmp_path: Path
) -> None:
    config = workspace.config(tmp_path, wrap={"servers": {"choosy": choosy(workspace, "capable", deny=["with_roots"])}})
    with wrapping(config) as server:
        said = "choosy has further tools for clients that it may ask something, which it may not here: "
        with anyio.fail_after(PATIENCE):
            while True:
                async with client_over_http(server.url, mode="legacy") as client:
                    instructions = client.instructions or ""
                if said in instructions:
                    break
        assert f"{said}with_elicitation, with_sampling." in instructions
    assert any("tools that need a client it can ask" in line for line in server.lines)


async def test_a_tool_of_one_account_is_there_for_that_account(workspace: WrapWorkspace, tmp_path: Path) -> None:
    workspace.listed[0]["default"] = True
    of_prod, of_dev = (f"run_{workspace.id_of(name)}" for name in ("prod", "dev"))
    async with over_stdio(workspace, tmp_path, servers={"functions": choosy(workspace, "functions")}) as (
        client,
        changed,
    ):
        assert await tools(client) == {"common": ["prod", "dev"], of_prod: ["prod", "dev"]}
        assert text_of(await client.call_tool("common", {"target_account_id": "dev"})) == workspace.id_of("dev")
        found = await changed.until(client, of_dev)
        assert found == {"common": ["prod", "dev"], of_prod: ["prod"], of_dev: ["dev"]}
        shown = {one.name: one.input_schema for one in (await client.list_tools()).tools}
        assert shown[of_dev]["required"] == ["target_account_id"], "the default account has it not"
        assert "Others do not have this tool" in shown[of_dev]["properties"]["target_account_id"]["description"]
        for name, tool, other in (("dev", of_prod, "prod"), ("prod", of_dev, "dev")):
            refused = await client.call_tool(tool, {"target_account_id": name})
            assert refused.is_error
            assert text_of(refused) == f"functions has no tool {tool} in account {name}. It has it in: {other}."
        for name, tool in (("prod", of_prod), ("dev", of_dev)):
            assert text_of(await client.call_tool(tool, {"target_account_id": name})) == workspace.id_of(name)


async def test_a_call_of_what_an_account_lacks_is_answered_before_it_was_asked(
    workspace: WrapWorkspace, tmp_path: Path
) -> None:
    workspace.listed[0]["default"] = True
    async with over_stdio(workspace, tmp_path, servers={"functions": choosy(workspace, "functions")}) as (client, _):
        of_prod = f"run_{workspace.id_of('prod')}"
        refused = await client.call_tool(of_prod, {"target_account_id": "dev"})
        assert text_of(refused) == f"functions has no tool {of_prod} in account dev. It has it in: prod."


async def test_a_server_is_asked_for_the_tools_of_every_account(workspace: WrapWorkspace, tmp_path: Path) -> None:
    """Without a call and without a default account; each caller sees what is there for accounts of theirs."""
    of_prod, of_dev = (f"run_{workspace.id_of(name)}" for name in ("prod", "dev"))
    servers = {"functions": choosy(workspace, "functions", per_account=True)}
    async with over_stdio(workspace, tmp_path, servers=servers) as (client, changed):
        found = await changed.until(client, of_prod, of_dev)
        assert found == {"common": ["prod", "dev"], of_prod: ["prod"], of_dev: ["dev"]}
    assert not [one for one in workspace.world.requests if one.code]


async def test_a_caller_sees_no_tool_of_accounts_that_are_not_theirs(workspace: WrapWorkspace, tmp_path: Path) -> None:
    of_prod, of_dev = (f"run_{workspace.id_of(name)}" for name in ("prod", "dev"))
    config = {"servers": {"functions": choosy(workspace, "functions", per_account=True)}}
    access = [
        {"who": ["subject:alice"], "accounts": ["dev"]},
        {"who": ["subject:bob"], "accounts": ["*"]},
    ]
    with signed_in(workspace, tmp_path, wrap=config, access=access) as (server, idp):
        with anyio.fail_after(PATIENCE):
            found: dict[str, list[str]] = {}
            while of_dev not in found:
                async with client_over_http(server.url, idp.token(sub="bob")) as client:
                    found = await tools(client)
        assert found == {"common": ["prod", "dev"], of_prod: ["prod"], of_dev: ["dev"]}
        async with client_over_http(server.url, idp.token(sub="alice")) as client:
            assert await tools(client) == {"common": ["dev"], of_dev: ["dev"]}
            assert text_of(await client.call_tool(of_dev, {"target_account_id": "dev"})) == workspace.id_of("dev")
            refused = await client.call_tool(of_prod, {"target_account_id": "dev"})
            assert text_of(refused) == f"functions has no tool {of_prod} in account dev"


async def test_that_there_is_no_default_account_to_ask_for_is_said(
    workspace: WrapWorkspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "crosstrail.wrap"):
        async with workspace.client({"functions": choosy(workspace, "functions")}) as client:
            assert (await client.list_tools()).tools == []
    assert "functions has no tools. It was started without an account: none is marked `default: true`" in caplog.text
    with pytest.raises(WrappedServerError) as refused:
        async with workspace.proxy({"late": choosy(workspace, "late", "/no/such/licence")}):
            pass
    assert refused.value.hint.startswith("It was started without an account")


async def test_the_process_that_was_asked_for_the_lists_takes_no_accounts_place(workspace: WrapWorkspace) -> None:
    servers = {"one": workspace.plain(allow=["echo"]), "two": workspace.plain(allow=["whoami"])}
    async with workspace.client(servers, max_children=2) as client:
        with anyio.fail_after(PATIENCE):
            while await anyio.to_thread.run_sync(running, PLAIN):
                await anyio.lowlevel.checkpoint()
        assert text_of(await client.call_tool("whoami", {"target_account_id": "dev"})) == workspace.id_of("dev")
    workspace.listed[1]["default"] = True
    async with workspace.client(servers, max_children=2) as client:
        before = await anyio.to_thread.run_sync(running, PLAIN)
        assert text_of(await client.call_tool("whoami", {"target_account_id": "dev"})) == workspace.id_of("dev")
        assert await anyio.to_thread.run_sync(running, PLAIN) == before, "the default account's calls use it"
        assert before
