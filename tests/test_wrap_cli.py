"""`crosstrail wrap` as a user and a client start it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

import preloaded
from conftest import CommandLine
from lake_workspace import text_of
from wrap_workspace import PLAIN, WrapWorkspace


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_of_either_era_is_served_over_stdio(workspace: WrapWorkspace, tmp_path: Path, mode: str) -> None:
    config = workspace.config(tmp_path)
    arguments = ["-m", "crosstrail", "wrap", "--config", str(config), "--env", f"AWS_ENDPOINT_URL={workspace.url}"]
    arguments += ["--parameter", "account", "--idle", "10m", "--deny", "die", "--", sys.executable, "-S", PLAIN]
    command = StdioServerParameters(command=preloaded.python(), args=arguments, env=dict(os.environ))
    async with Client(command, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert "die" not in tools
        assert list(tools["echo"].input_schema["properties"]) == ["account", "text"]
        for name in ("prod", "dev"):
            assert text_of(await client.call_tool("whoami", {"account": name})) == workspace.id_of(name)


def test_what_would_be_served_is_printed(workspace: WrapWorkspace, tmp_path: Path, crosstrail: CommandLine) -> None:
    config = workspace.config(tmp_path)
    done = crosstrail("wrap", "--config", config, "--list-tools", "--allow", "[ew]*", "--", sys.executable, "-S", PLAIN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "whoami  reads  Does whoami.",
        "echo  reads  Does echo.",
        "environment  may write  Does environment.",
        "prompt review",
        "resource plain://fixed",
        "template plain://group/{name}",
        "3 tools; target_account_id: prod, dev",
    ]


def test_servers_of_the_configuration_are_served_together(
    workspace: WrapWorkspace, tmp_path: Path, crosstrail: CommandLine
) -> None:
    servers = {"one": workspace.plain(allow=["echo"]), "two": workspace.plain(allow=["echo", "whoami"])}
    config = workspace.config(tmp_path, wrap={"servers": servers, "parameter": "account"})
    done = crosstrail("wrap", "--config", config, "--list-tools")
    names = [line.split()[0] for line in done.stdout.splitlines() if "  " in line]
    assert names == ["one_echo", "whoami", "two_echo"]
    assert done.stdout.endswith("3 tools; account: prod, dev\n")


@pytest.mark.parametrize("place", ["file", "line"])
@pytest.mark.parametrize("written", ["./run server.py", "../there/run ./server.py", "~/there/run ~/there/server.py"])
def test_relative_paths_of_a_command_are_found(
    workspace: WrapWorkspace,
    tmp_path: Path,
    crosstrail: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    written: str,
) -> None:
    """In the file from the file's folder, on the command line from the working folder; each process has another one."""
    folder = (Path.home() if "~" in written else tmp_path) / "there"
    folder.mkdir()
    (folder / "run").write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    (folder / "run").chmod(0o700)
    (folder / "server.py").write_text(Path(PLAIN).read_text())
    command = [*written.split(), "well"]
    wrap = {"wrap": {"servers": {"plain": {"command": command}}}} if place == "file" else {}
    config = workspace.config(folder, **wrap)
    monkeypatch.chdir(folder if place == "line" else "/")
    done = crosstrail("wrap", "--config", config, "--list-tools", *(("--", *command) if place == "line" else ()))
    assert (done.returncode, done.stderr) == (0, "")
    assert "echo  reads  Does echo." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 1, "crosstrail: nothing to wrap. Name a command after --, or list servers under `wrap`."),
        (("--read-only",), 2, "these options describe one server"),
        (("--env", "X", "--", "true"), 2, "--env X: write NAME=VALUE, or --pass-env X"),
        (
            ("--env", "AWS_PROFILE=x", "--", "true"),
            1,
            "AWS_PROFILE is not passed on: each account's own credentials are",
        ),
        (("--idle", "soon", "--", "true"), 2, "'soon' is no duration: write 30s, 10m or 1h"),
        (("--module", "a b"), 1, "module: must be the dotted name"),
        (("--module", "a", "--", "true"), 1, "give one of command and module"),
        (("--max-children", "0", "--", "true"), 1, "max_children"),
        (("--parameter", "a b", "--", "true"), 1, "parameter: must be letters, digits"),
        (("--", "true"), 1, "crosstrail: true ended (exit status 0)"),
        (("--", "./not-here"), 1, "there is no program not-here (/"),
        (("--", "not-here"), 1, "not-here cannot be started: there is no program not-here"),
        (("--module", "a", "--python", "bin/not-here"), 1, "a cannot be started: there is no program not-here (/"),
    ],
)
def test_wrong_usage_is_explained(
    workspace: WrapWorkspace,
    tmp_path: Path,
    crosstrail: CommandLine,
    arguments: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    done = crosstrail("wrap", "--config", workspace.config(tmp_path), *arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
