"""Wrapped servers over HTTP: who may call what, for which accounts, in whose name, and what is recorded of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference

import preloaded
from fakes.idp import FakeIdp
from lake_workspace import text_of
from running_server import LIST_TOOLS, Server, client_over_http, post, serving, watched
from wrap_workspace import Watched, WrapWorkspace

pytestmark = pytest.mark.anyio


@contextmanager
def wrapping(config: Path, *arguments: str) -> Iterator[Server]:
    """`crosstrail wrap` on a free port until the block ends; it must end well when it is told to."""
    with serving(config, *arguments, command="wrap") as server:
        yield server
        assert server.stop() == 0


@contextmanager
def signed_in(workspace: WrapWorkspace, folder: Path, **settings: Any) -> Iterator[tuple[Server, FakeIdp]]:
    """The same for one server, for whom an identity provider's tokens let in; every e-mail address of theirs is trusted."""
    with FakeIdp() as idp:
        config = workspace.config(
            folder,
            wrap=settings.pop("wrap", {"servers": {"plain": workspace.plain()}}),
            serve={"auth": "jwt", "public_url": "https://trails.example.com", "allowed_hosts": "127.0.0.1"},
            jwt={"issuer": idp.url, "jwks_url": idp.jwks_url, "trust_email": True},
            **settings,
        )
        with wrapping(config) as server:
            yield server, idp


async def test_rules_decide_over_accounts_and_tools(workspace: WrapWorkspace, tmp_path: Path) -> None:
    with signed_in(
        workspace,
        tmp_path,
        access=[
            {"who": ["subject:alice"], "accounts": ["prod"]},
            {"who": ["subject:bob", "subject:carol"], "accounts": ["*"], "write": True},
            {"who": ["subject:dave"], "accounts": ["*"], "toolsets": ["events"]},
        ],
    ) as (server, idp):
        assert post(server.url, LIST_TOOLS).status_code == 401
        async with client_over_http(server.url, idp.token(sub="alice")) as client:
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == {"whoami", "echo"}, "the others do not say that they only read"
            assert tools[0].input_schema["properties"]["target_account_id"]["enum"] == ["prod"]
            answer = await client.call_tool("whoami", {"target_account_id": "prod"})
            assert text_of(answer) == workspace.id_of("prod")
            refused = await client.call_tool("whoami", {"target_account_id": "dev"})
            assert text_of(refused) == "no account matches 'dev'. Accounts: prod (100000000001)."
            with pytest.raises(MCPError, match="Unknown tool: environment"):
                await client.call_tool("environment", {"target_account_id": "prod"})
        pids = []
        for who in ("bob", "carol", "bob"):
            async with client_over_http(server.url, idp.token(sub=who)) as client:
                assert len((await client.list_tools()).tools) == 16
                pids.append(json.loads(text_of(await client.call_tool("pid", {"target_account_id": "prod"})))["pid"])
                notes = text_of(await client.call_tool("note", {"target_account_id": "prod", "text": who}))
                assert notes == ("bob" if len(pids) == 3 else ""), "a folder of their own"
        assert pids[0] == pids[2] != pids[1]
        async with client_over_http(server.url, idp.token(sub="dave")) as client:
            assert (await client.list_tools()).tools == []
            assert (await client.list_resources()).resources == []
            with pytest.raises(MCPError, match="nothing of this server is there for you"):
                await client.read_resource("plain://fixed")
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool("whoami", {"target_account_id": "prod"})
        records = [one for one in server.records() if one["kind"] == "call"]
    names = {one.params["RoleSessionName"] for one in workspace.world.asked("AssumeRole")}
    assert names == {"crosstrail-alice", "crosstrail-bob", "crosstrail-carol"}
    first = records[0]
    assert (first["principal"], first["tool"], first["outcome"]) == ("alice", "whoami", "done")
    assert first["accounts"] == [workspace.id_of("prod")]
    assert first["asked"] == {"account": "prod"}
    assert [one["outcome"] for one in records[1:3]] == ["failed", "refused"]
    assert "bob" not in json.dumps([one.get("asked") for one in records]), "no argument but the account"


async def test_two_of_one_name_share_nothing_and_a_call_of_no_tool_is_a_call(
    workspace: WrapWorkspace, tmp_path: Path
) -> None:
    with signed_in(
        workspace,
        tmp_path,
        access=[{"who": ["*"], "accounts": ["*"], "write": True}],
        limits={"calls_per_minute": 3},
    ) as (server, idp):
        for subject in ("first", "second"):
            token = idp.token(sub=subject, email="same@example.com")
            async with client_over_http(server.url, token) as client:
                notes = await client.call_tool("note", {"target_account_id": "prod", "text": subject})
                assert text_of(notes) == ""
        bearer = f"Bearer {idp.token(sub='third')}"
        odd: tuple[object, ...] = (
            {"name": ""},
            {},
            {"name": "", "arguments": []},
            {"name": 5},
            *({"name": "x"},) * 8,
        )
        for params in odd:
            post(server.url, {**LIST_TOOLS, "method": "tools/call", "params": params}, Authorization=bearer)
        outcomes = [one["outcome"] for one in server.records() if one.get("principal") == "third"]
    assert len(outcomes) >= len(odd) - 3  # what the SDK refuses by its form reaches nobody
    assert "limited" in outcomes
    assert "done" not in outcomes


async def test_prompts_resources_and_completions_are_limited_and_recorded_as_calls_are(
    workspace: WrapWorkspace, tmp_path: Path
) -> None:
    with signed_in(
        workspace,
        tmp_path,
        access=[
            {"who": ["subject:alice", "subject:bob"], "accounts": ["prod"]},
            {"who": ["subject:dave"], "accounts": ["*"], "toolsets": ["events"]},
        ],
        limits={"calls_per_minute": 6},
    ) as (server, idp):
        account, prod = "target_account_id", workspace.id_of("prod")
        async with client_over_http(server.url, idp.token(sub="alice"), mode="legacy") as client:
            read = await client.read_resource(f"plain://fixed?{account}=prod")
            assert read.contents[0].text == f"read for {prod}"  # type: ignore[union-attr]
            await client.get_prompt("review", {account: "prod", "what": "secret-words"})
            reference = PromptReference(type="ref/prompt", name="review")
            argument = {"name": "what", "value": "secret-words"}
            await client.complete(reference, argument, context_arguments={account: "prod"})
            await client.call_tool("whoami", {})
            for selector in ("dev", "x"):
                with pytest.raises(MCPError, match=f"no account matches '{selector}'"):
                    await client.read_resource(f"plain://fixed?{account}={selector}")
            with pytest.raises(MCPError, match="the limit is 6 calls a minute"):
                await client.read_resource(f"plain://fixed?{account}=prod")
        async with client_over_http(server.url, idp.token(sub="dave")) as client:
            with pytest.raises(MCPError, match="nothing of this server is there for you"):
                await client.read_resource("plain://fixed")
        async with client_over_http(server.url, idp.token(sub="bob"), mode="legacy") as client:
            with anyio.fail_after(30), pytest.raises(MCPError, match="Unknown resource"):  # found without a search
                await client.read_resource(f"plain://fixed{f'?{account}=' * 40_000}&")
        records = [one for one in server.records() if one["kind"] == "call"]
    said = [(one["tool"], one["asked"].get("account", ""), one["accounts"], one["outcome"]) for one in records]
    assert said == [
        ("resources/read", "prod", [prod], "done"),
        ("prompts/get", "prod", [prod], "done"),
        ("completion/complete", "prod", [prod], "done"),
        ("whoami", "", [prod], "done"),  # the only one that is there for alice
        ("resources/read", "dev", [], "refused"),
        ("resources/read", "x", [], "refused"),
        ("resources/read", "prod", [], "limited"),
        ("resources/read", "", [], "refused"),
        ("resources/read", "", [], "refused"),
    ]
    assert "secret-words" not in json.dumps(records)


async def test_the_default_account_is_the_one_recorded_whatever_else_is_listed(
    workspace: WrapWorkspace, tmp_path: Path
) -> None:
    archived = {"id": "123456789012", "alias": "archived", "archive": "logs"}
    workspace.listed[:] = [workspace.listed[0], archived]
    config = workspace.config(tmp_path, wrap={"servers": {"plain": workspace.plain()}})
    with wrapping(config) as server:
        async with client_over_http(server.url, mode="legacy") as client:
            assert text_of(await client.call_tool("whoami", {})) == workspace.id_of("prod")
        assert [one["accounts"] for one in server.records()] == [[workspace.id_of("prod")]]


async def test_a_process_without_an_account_and_what_one_says_are_not_shared_by_callers(
    workspace: WrapWorkspace, tmp_path: Path
) -> None:
    with signed_in(
        workspace,
        tmp_path,
        access=[{"who": ["*"], "accounts": ["*"], "write": True}],
    ) as (server, idp):
        pids = []
        level = {**LIST_TOOLS, "method": "logging/setLevel", "params": {"level": "debug"}}
        told = post(server.url, level, Authorization=f"Bearer {idp.token(sub='alice')}")
        assert told.json()["result"] == {}, "a wish for one's own connection, which HTTP does not keep"
        for who in ("alice", "bob", "alice"):
            async with client_over_http(server.url, idp.token(sub=who), mode="legacy") as client:
                pids.append((await client.read_resource("plain://group/pid")).contents[0].text)  # type: ignore[union-attr]
                await client.call_tool("grow", {"target_account_id": "prod"})
                assert "grown" not in {tool.name for tool in (await client.list_tools()).tools}
        assert pids[0] == pids[2] != pids[1]


async def test_fields_that_crosstrail_does_not_know_pass_as_they_came(workspace: WrapWorkspace, tmp_path: Path) -> None:
    """The server answers a completion with the parameters that it was sent."""
    config = workspace.config(tmp_path, wrap={"servers": {"plain": workspace.plain()}})
    sent: dict[str, Any] = {
        "ref": {"type": "ref/prompt", "name": "review", "hint": [1, None]},
        "argument": {"name": "what", "value": "x", "more": {"of": "it"}},
        "context": {"arguments": {"target_account_id": "prod", "what": "y"}, "deep": {"a": 1.5}},
        "_meta": {"plain/trace": {"id": "7"}},
        "newer": {"b": [True]},
    }
    with wrapping(config) as server:
        answer = post(server.url, {**LIST_TOOLS, "method": "completion/complete", "params": sent}).json()
    (given,) = answer["result"]["completion"]["values"]
    assert json.loads(given) == {**sent, "context": {"arguments": {"what": "y"}, "deep": {"a": 1.5}}}


async def test_without_sign_in_loopback_is_served_and_nothing_is_left(workspace: WrapWorkspace, tmp_path: Path) -> None:
    config = workspace.config(tmp_path, wrap={"servers": {"plain": workspace.plain()}})
    with wrapping(config) as server:
        async with client_over_http(server.url, mode="legacy") as client:
            pids = json.loads(text_of(await client.call_tool("spawn", {"target_account_id": "dev"})))
        watched = Watched(*pids)
    with watched:
        assert watched.left() == []
    assert [one["outcome"] for one in server.records()] == ["done"]


async def test_the_transport_host_and_port_of_the_file_hold(workspace: WrapWorkspace, tmp_path: Path) -> None:
    serve = {"transport": "http", "host": "localhost", "port": 0}
    config = workspace.config(tmp_path, wrap={"servers": {"plain": workspace.plain()}}, serve=serve)
    with watched(preloaded.start("wrap", "--config", config)) as server:
        assert server.url.startswith("http://localhost:")
        async with client_over_http(server.url) as client:
            assert text_of(await client.call_tool("whoami", {"target_account_id": "dev"})) == workspace.id_of("dev")
    over_stdio = StdioServerParameters(
        command=preloaded.python(),
        args=["-m", "crosstrail", "wrap", "--config", str(config), "--transport", "stdio"],
        env=dict(os.environ),
    )
    async with Client(over_stdio) as client:
        assert text_of(await client.call_tool("whoami", {"target_account_id": "dev"})) == workspace.id_of("dev")


def test_what_cannot_be_served_is_refused(workspace: WrapWorkspace, tmp_path: Path) -> None:
    command = [preloaded.python(), "-m", "crosstrail", "wrap", "--config"]
    for serve, words in (
        ({"transport": "sse"}, "wrapped servers are not served over SSE"),
        ({"workers": 2}, "wrapped servers are served by one process. Set serve.workers to 1."),
        ({"host": "0.0.0.0"}, "would cross the network readable to all"),
        ({"auth": "oauth"}, "there is no access rule"),
    ):
        config = workspace.config(
            tmp_path, wrap={"servers": {"plain": workspace.plain()}}, serve={"transport": "http", **serve}
        )
        done = subprocess.run([*command, config], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
