"""Processes of wrapped servers: how many there are, how they fail, and that none is ever left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client

import preloaded
from crosstrail.call_context import CallContext
from crosstrail.errors import WrappedServerError
from crosstrail.settings.wrap_settings import WrapSettings
from crosstrail.wrap.children import Children, Process
from crosstrail.wrap.delivery import CredentialEndpoint, TemporaryCredentials
from lake_workspace import text_of
from wrap_workspace import PLAIN, Watched, WrapWorkspace, numbered

pytestmark = pytest.mark.anyio


async def spawned(client: Client, account: str) -> list[int]:
    """The ids of an account's server, its launcher and a grandchild that will not hear SIGTERM and left its session."""
    pids: list[int] = json.loads(text_of(await client.call_tool("spawn", {"target_account_id": account})))
    return pids


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("mute", r"python did not start within 1 s$"),
        ("garbage", r"python did not start within 6 s\. It said: (not MCP on stdout: Welcome to garbage( \| )?)+$"),
        ("leave", r"python ended \(exit status 3\)\. It said: no licence found$"),
        ("listless", r"python did not answer tools/list within 6 s$"),
        ("nameless", r"python answers tools/list with an item without name$"),
        ("endless", r"python ended \(exit status [0-9]+\)\. It said: a line on stdout was longer than 32 MB$"),
    ],
)
def test_a_server_that_does_not_start_is_explained_and_ended(
    workspace: WrapWorkspace, tmp_path: Path, mode: str, words: str
) -> None:
    seconds = {"mute": 1, "garbage": 6, "listless": 6}.get(mode, 120)  # a busy machine takes seconds to start it
    config = workspace.config(tmp_path, wrap={"start_timeout": seconds})
    command = [preloaded.python(), "-m", "crosstrail", "wrap", "--config", str(config), "--list-tools", "--"]
    done = subprocess.run(
        [*command, sys.executable, "-S", PLAIN, mode], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    hint = r"\. It was started without an account: none is marked `default: true`, .+"
    assert re.search(f"^crosstrail: {words.rstrip('$')}{hint}$", done.stderr.strip()), done.stderr
    assert not running(PLAIN, mode)


def running(*words: str) -> list[str]:
    """Command lines of this test's own processes that hold all of these words."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().decode().split("\0") if entry.name.isdigit() else []
            environment = (entry / "environ").read_bytes() if line else b""
        except OSError:
            continue
        if all(word in line for word in words) and os.environ["HOME"].encode() in environment:
            found.append(" ".join(line))
    return found


async def test_a_command_that_is_not_there_is_named(workspace: WrapWorkspace) -> None:
    for program in ("no-such-program", "/no/such/no-such-program"):
        with pytest.raises(
            WrappedServerError, match="x cannot be started: there is no program no-such-program"
        ) as refused:
            async with workspace.client({"x": {"command": [program]}}):
                pass
        assert "/no/such" not in refused.value.text, "a path is the operator's alone"
        assert f"({program})" in refused.value.operators_text


async def test_a_server_that_says_hello_in_plain_text_works(workspace: WrapWorkspace) -> None:
    async with workspace.client({"plain": workspace.plain("chatty")}) as client:
        assert text_of(await client.call_tool("echo", {"target_account_id": "dev", "text": "hi"})) == "hi"


@pytest.mark.parametrize(("how", "status"), [("exit", 7), ("killed", 137)])
async def test_a_server_that_dies_fails_its_own_calls_and_is_started_anew(
    workspace: WrapWorkspace, how: str, status: int
) -> None:
    async with workspace.client() as client:
        answers: list[Any] = []

        async def sleep() -> None:
            answers.append(await client.call_tool("sleep", {"target_account_id": "dev"}))

        async def die() -> None:
            answers.append(await client.call_tool("die", {"target_account_id": "dev", "how": how}))

        await client.call_tool("echo", {"target_account_id": "prod", "text": ""})
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(sleep)
                tasks.start_soon(die)
        words = f"plain (account dev) ended (exit status {status}). It said: about to end | the last line"
        assert [text_of(one) for one in answers] == [words, words]
        assert all(one.is_error for one in answers)
        assert text_of(await client.call_tool("echo", {"target_account_id": "dev", "text": "anew"})) == "anew"
        assert text_of(await client.call_tool("echo", {"target_account_id": "prod", "text": "still"})) == "still"


@pytest.mark.parametrize("victim", ["server", "launcher"])
async def test_a_killed_process_or_launcher_leaves_nothing(workspace: WrapWorkspace, victim: str) -> None:
    async with workspace.client() as client:
        server, launcher, grandchild = await spawned(client, "dev")
        with Watched(server, launcher) as watched, Watched(grandchild) as below:
            os.kill({"server": server, "launcher": launcher}[victim], signal.SIGKILL)
            assert await anyio.to_thread.run_sync(watched.left) == []
            if victim == "launcher":
                os.kill(grandchild, signal.SIGKILL)  # in a session of its own: nobody else knew that it was there
            assert await anyio.to_thread.run_sync(below.left) == []
        first = await client.call_tool("echo", {"target_account_id": "dev", "text": "anew"})
        if first.is_error:  # the call that found it out
            first = await client.call_tool("echo", {"target_account_id": "dev", "text": "anew"})
        assert text_of(first) == "anew"


async def test_a_call_that_is_never_answered_ends(workspace: WrapWorkspace) -> None:
    async with workspace.client(call_timeout=1.5) as client:
        answer = await client.call_tool("sleep", {"target_account_id": "dev"})
        late = "plain (account dev) did not answer tools/call within 1.5 s"
        assert text_of(answer).startswith(late)
        with anyio.fail_after(60):
            while answer.is_error:
                assert text_of(answer).startswith(late)
                answer = await client.call_tool("echo", {"target_account_id": "dev", "text": "on"})
        assert text_of(answer) == "on"


async def test_one_process_an_account_however_many_call(workspace: WrapWorkspace) -> None:
    found: dict[str, set[int]] = {"prod": set(), "dev": set()}

    async with workspace.client() as client:

        async def call(name: str) -> None:
            found[name].add((await spawned(client, name))[0])

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(call, ("prod", "dev")[number % 2])
    assert [len(pids) for pids in found.values()] == [1, 1]
    assert found["prod"] != found["dev"]


async def test_idle_processes_go_and_busy_ones_stay(workspace: WrapWorkspace) -> None:
    async with workspace.client(idle=0.1) as client:
        pids = await spawned(client, "dev")
        with Watched(*pids) as watched:
            assert await anyio.to_thread.run_sync(watched.left) == []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "sleep", {"target_account_id": "dev"})
            pids = await spawned(client, "dev")  # its own call ends: the other one keeps the process
            other = await spawned(client, "prod")
            with Watched(*other) as watched:
                assert await anyio.to_thread.run_sync(watched.left) == [], "idle for 0.1 s and more"
            again = await spawned(client, "dev")
            assert again[0] == pids[0]
            tasks.cancel_scope.cancel()


async def test_the_least_recently_used_goes_first_and_never_a_busy_one(workspace: WrapWorkspace) -> None:
    workspace.role_account(numbered(3), "third")
    async with workspace.client(max_children=2) as client:
        dev = await spawned(client, "dev")
        prod = await spawned(client, "prod")
        assert await spawned(client, "dev") != dev, "the same process, another grandchild"
        with Watched(dev[0], prod[0]) as watched:
            third = await spawned(client, "third")
            assert await anyio.to_thread.run_sync(watched.left, 0.0) == [dev[0]]
        assert (await spawned(client, "dev"))[0] == dev[0]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "sleep", {"target_account_id": "dev"})
            await anyio.lowlevel.checkpoint()
            await spawned(client, "third")  # dev is the one used longest ago now, and busy
            with Watched(dev[0], third[0]) as watched:
                await spawned(client, "prod")
                assert await anyio.to_thread.run_sync(watched.left, 0.0) == [dev[0]]
            tasks.cancel_scope.cancel()


async def test_waiting_for_a_place_is_bounded(workspace: WrapWorkspace, tmp_path: Path) -> None:
    settings = WrapSettings.model_validate(
        {"servers": {"plain": workspace.plain()}, "max_children": 1, "call_timeout": 0.5}
    )
    prod, dev = (await workspace.registry()).accounts
    temporary = TemporaryCredentials(lambda _: workspace.broker)

    async def nobody(process: Process, method: str) -> None:
        raise AssertionError(method)

    async with CredentialEndpoint(temporary) as endpoint:
        children = Children(settings, temporary, endpoint, tmp_path / "homes", nobody)
        async with children.lease("plain", dev, CallContext()):
            with pytest.raises(WrappedServerError, match="all 1 processes of wrapped servers are busy"):
                async with children.lease("plain", prod, CallContext()):
                    pass
        process = None
        with anyio.fail_after(60):
            while process is None:
                with suppress(WrappedServerError):  # as long as the other one's process has not ended
                    async with children.lease("plain", prod, CallContext()) as process:
                        assert process.child.alive
        await children.aclose()
        assert not process.child.alive


@pytest.mark.parametrize("end", ["eof", "term", "int", "kill"])
@pytest.mark.parametrize("mode", ["well", "stubborn"])
def test_nothing_is_left_of_a_wrap_that_ended(workspace: WrapWorkspace, tmp_path: Path, end: str, mode: str) -> None:
    """Neither processes nor folders (but those of a crosstrail that was killed and could not remove them)."""
    config = workspace.config(tmp_path, wrap={"servers": {"plain": workspace.plain(mode)}})
    places = tmp_path / "temporary"
    places.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "crosstrail", "wrap", "--config", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(places)},
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        call = {"name": "spawn", "arguments": {"target_account_id": "dev"}}
        for message in (
            {"id": 1, "method": "initialize", "params": hello},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/call", "params": call},
        ):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        pids = json.loads(answers[1]["result"]["content"][0]["text"])
        with Watched(*pids) as watched:
            if end == "eof":
                process.stdin.close()
            else:
                process.send_signal({"term": signal.SIGTERM, "int": signal.SIGINT, "kill": signal.SIGKILL}[end])
            status = process.wait(60)
            assert watched.left() == []
        process.stdin.close()
        assert status == {"eof": 0, "term": 143, "int": 130, "kill": -9}[end]
        assert process.stderr.read() == ""
    assert end == "kill" or list(places.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_while_a_server_starts_it_says_nothing(tmp_path: Path, number: signal.Signals) -> None:
    begun = tmp_path / "begun"
    server = ["sh", "-c", 'echo > "$0"; exec sleep 600', str(begun)]
    with subprocess.Popen(
        [sys.executable, "-m", "crosstrail", "wrap", "--", *server],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        process.stdin.write(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}).encode() + b"\n"
        )
        process.stdin.flush()
        while process.poll() is None and not begun.exists():
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (128 + number, b"", b"")
