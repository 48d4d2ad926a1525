"""What clients write to each server over stdio: a byte order mark in front, lines that end as on Windows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

import preloaded
from running_server import INITIALIZE, INITIALIZED, LIST_TOOLS, PATIENCE, write_config
from wrap_workspace import PLAIN, WrapWorkspace

MARK = b"\xef\xbb\xbf"
DROP_IN = "from crosstrail.launch.drop_in import main; main()"


@pytest.fixture(params=["serve", "mcp-server-cloud-trail", "wrap"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[str], str]:
    """Of each server that speaks MCP over stdio, and a tool that it has."""
    python = preloaded.python()
    if request.param == "serve":
        config = write_config(tmp_path, lake={"path": "lake"})
        return [python, "-m", "crosstrail", "serve", "--config", str(config)], "lookup_events"
    if request.param == "wrap":
        workspace: WrapWorkspace = request.getfixturevalue("workspace")
        config = workspace.config(tmp_path)
        arguments = ["wrap", "--config", str(config), "--env", f"AWS_ENDPOINT_URL={workspace.url}"]
        return [python, "-m", "crosstrail", *arguments, "--", sys.executable, "-S", PLAIN], "whoami"
    return [python, "-c", DROP_IN], "LookupEvents"


@contextmanager
def speaking(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, "VOLCENGINE_ACCESS_KEY": "AKLT1", "VOLCENGINE_SECRET_KEY": "x"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as process:
        yield process
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=PATIENCE) == 0
        assert process.stderr
        assert b"Traceback" not in process.stderr.read()


def lines(*messages: object, end: bytes) -> bytes:
    return b"".join(json.dumps(message).encode() + end for message in messages)


@pytest.mark.parametrize("mark", [MARK, b""], ids=["mark", "none"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
def test_a_mark_and_windows_line_ends_are_no_part_of_a_message(
    command: tuple[list[str], str], mark: bytes, end: bytes
) -> None:
    arguments, tool = command
    with speaking(arguments) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(mark + lines(INITIALIZE, INITIALIZED, LIST_TOOLS, end=end))
        answers = {one["id"]: one for one in (json.loads(process.stdout.readline()) for _ in range(2))}
        assert tool in {one["name"] for one in answers[LIST_TOOLS["id"]]["result"]["tools"]}


def test_a_mark_may_come_in_parts(command: tuple[list[str], str]) -> None:
    arguments, _ = command
    with speaking(arguments) as process:
        assert process.stdin
        assert process.stdout
        for byte in MARK:
            process.stdin.write(bytes([byte]))
        process.stdin.write(lines(INITIALIZE, end=b"\n"))
        assert json.loads(process.stdout.readline())["id"] == INITIALIZE["id"]


@pytest.mark.parametrize("first", [MARK[:1], MARK[:2], MARK, MARK * 2 + b"{}\n", MARK[:2] + b"{}\n", b"\n"])
def test_what_is_no_message_ends_nothing(tmp_path: Path, first: bytes) -> None:
    """Whatever is left of a mark: the input ends after it, or a message comes."""
    config = write_config(tmp_path, lake={"path": "lake"})
    with speaking([preloaded.python(), "-m", "crosstrail", "serve", "--config", str(config)]) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(first)
        if first.endswith(b"\n"):
            process.stdin.write(lines(INITIALIZE, end=b"\n"))
            answers = [json.loads(process.stdout.readline())]
            while answers[-1].get("id") != INITIALIZE["id"]:
                answers.append(json.loads(process.stdout.readline()))
