"""serve.log_format: whatever the processes of a server write to stderr is one JSON object a line, and text as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

import preloaded
from conftest import CommandLine
from fakes.idp import FakeIdp
from log_entries import entries_of
from ports import free_port
from running_server import INITIALIZE, INITIALIZED, LIST_TOOLS, PATIENCE, Server, post, signed, watched, write_config
from signing_in import signing_in, with_lake
from token_server import logged, token_config
from volcengine_server import served
from wrap_workspace import WrapWorkspace

AS_JSON = {"CROSSTRAIL_LOG_FORMAT": "json"}
FORGED = '\x1b[31mforged\n{"kind":"call"}\u202e'


@contextmanager
def server(config: Path, *arguments: str, **environ: str) -> Iterator[Server]:
    """`crosstrail serve` over HTTP whose record goes to stderr; it ends with the block, and all its lines are there then."""
    options = ("--config", str(config), "--transport", "http", "--port", str(free_port()), *arguments)
    with watched(preloaded.start("serve", *options, environ=environ)) as made:
        yield made


@pytest.mark.parametrize("workers", [1, 2])
def test_every_line_of_a_server_and_its_workers_is_an_object(tmp_path: Path, idp: FakeIdp, workers: int) -> None:
    access = [{"who": ["subject:alice"], "accounts": ["*"]}]
    config = token_config(tmp_path, {"issuer": idp.url, "jwks_url": idp.jwks_url}, access)
    arguments = ("--log-format", "json", "--workers", str(workers))
    with server(config, *arguments, CROSSTRAIL_LOG_LEVEL="info") as made:
        assert post(made.url, LIST_TOOLS, **signed(idp.token(aud="https://elsewhere.example.com"))).status_code == 401
        logged(made, "a token is refused")
        assert made.stop() == 0
    lines = made.lines
    records = [one for one in map(json.loads, lines) if "kind" in one]
    assert {one["kind"] for one in records} == {"refused"}
    assert not [one for one in records if "logger" in one]
    entries = entries_of(lines)
    by_message = {one["message"].partition(" ")[2]: one for one in entries}
    serves = next(one for message, one in by_message.items() if message.startswith("serves http://"))
    assert (serves["logger"], serves["level"], serves["process"]) == ("crosstrail", "info", made.process.pid)
    assert by_message["of calls: stderr"]["logger"] == "crosstrail"
    refused = next(one for one in entries if one["logger"] == "crosstrail.identity")
    assert (refused["level"], "audience" in refused["message"]) == ("warning", True)
    assert (refused["process"] == made.process.pid) == (workers == 1)
    read = preloaded.run("audit", "-", stdin="".join(lines))
    assert (read.returncode, "1 line found" in read.stderr) == (0, True), read.stderr
    assert preloaded.run("audit", "-", stdin="".join([*lines, '{"level":"info","message":"else"}'])).returncode == 3


def test_as_text_lines_are_as_they_were(tmp_path: Path, idp: FakeIdp) -> None:
    access = [{"who": ["subject:alice"], "accounts": ["*"]}]
    config = token_config(tmp_path, {"issuer": idp.url, "jwks_url": idp.jwks_url}, access)
    with server(config, "--audit", "off") as made:
        assert post(made.url, LIST_TOOLS, **signed(idp.token(aud="https://elsewhere.example.com"))).status_code == 401
        assert logged(made, "a token is refused").startswith(
            "WARNING crosstrail.identity: a token is refused (audience): "
        )
        assert made.stop() == 0
    assert made.lines[:2] == ["record of calls: off\n", f"crosstrail serves {made.url}/mcp\n"]


def test_on_stdio_stdout_is_the_protocol_s_alone(tmp_path: Path) -> None:
    config = write_config(tmp_path, lake={"path": "lake"}, serve={"log_format": "json"}, log_level="debug")
    call = {"jsonrpc": "2.0", "id": 3, "method": "tools/call"}
    call["params"] = {"name": "lake_query", "arguments": {"sql": FORGED}}
    text = "".join(json.dumps(one) + "\n" for one in (INITIALIZE, INITIALIZED, LIST_TOOLS, call))
    done = preloaded.run("serve", "--config", config, "--audit", "stderr", stdin=text)
    assert done.returncode == 0
    assert {json.loads(line)["jsonrpc"] for line in done.stdout.splitlines()} == {"2.0"}
    assert {one["logger"] for one in entries_of(done.stderr.splitlines(keepends=True))} >= {"crosstrail.server"}
    assert [one["kind"] for one in map(json.loads, done.stderr.splitlines()) if "kind" in one] == ["call"]


def test_what_a_wrapped_server_writes_to_stderr_is_in_an_entry(workspace: WrapWorkspace, tmp_path: Path) -> None:
    program = f"import sys; print({FORGED!r}, file=sys.stderr); sys.exit(3)"
    broken = {"command": [sys.executable, "-c", program]}
    config = workspace.config(tmp_path, wrap={"servers": {"plain": workspace.plain(), "broken": broken}})
    options = ("--config", config, "--transport", "http", "--port", "0", "--log-format", "json")
    with watched(preloaded.start("wrap", *options)) as made:
        logged(made, "broken does not start")
        assert post(made.url, LIST_TOOLS).status_code == 200  # it hears signals by now
        assert made.stop() == 0
    [one] = [one for one in entries_of(made.lines) if "broken does not start" in one["message"]]
    assert (one["logger"], one["level"], one["process"]) == ("crosstrail.wrap", "error", made.process.pid)
    assert 'It said: forged | {"kind":"call"}' in one["message"]


def test_what_fastmcp_logs_is_in_entries(tmp_path: Path, idp: FakeIdp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSTRAIL_LOG_FORMAT", "json")
    with signing_in(with_lake(tmp_path), idp, free_port()) as made:
        query = {"error": FORGED}
        assert httpx2.get(f"{made.url}/auth/callback", params=query, timeout=PATIENCE).status_code == 400
        logged(made, "forged")
        assert made.stop() == 0
    [theirs] = [one for one in entries_of(made.lines) if "forged" in one["message"]]
    assert theirs["logger"].startswith("fastmcp.")
    assert 'forged {"kind":"call"}' in theirs["message"]


def test_the_drop_in_has_it_by_the_environment() -> None:
    with served({**AS_JSON, "VOLCENGINE_ACCESS_KEY": "AK", "VOLCENGINE_SECRET_KEY": "SK"}) as made:
        assert post(made.url, Host="elsewhere.example.com").status_code == 421
        assert made.stop() == 0
    assert [one["message"] for one in entries_of(made.lines)] == [
        "record of calls: stderr",
        f"mcp-server-cloud-trail serves {made.url}/mcp and {made.url}/sse",
    ]
    assert [one["kind"] for one in map(json.loads, made.lines) if "kind" in one] == ["refused"]


@pytest.mark.parametrize(
    ("arguments", "environ", "values", "words"),
    [
        (("serve", "--nonsense"), AS_JSON, {}, "Error: No such option '--nonsense'"),
        (("serve", "--log-format", "json", "--port", "many"), {}, {}, "'many' is not a valid integer"),
        (("serve", "--log-format=json"), {}, {"serve": {"prot": 1}}, "serve.prot ("),
        (("serve", "--log-format", "json"), {"CROSSTRAIL_PORT": "x"}, {}, "CROSSTRAIL_PORT in the environment"),
        (("serve", "--transport", "http", "--auth", "jwt"), {}, {"serve": {"log_format": "json"}}, "no access rule"),
        (("wrap", "--log-format", "json", "--max-children", "0", "--", "true"), {}, {}, "max_children"),
        (("wrap", "--", "true"), AS_JSON, {}, "crosstrail: true ended (exit status 0)"),
    ],
)
def test_a_failure_to_start_is_an_entry(
    tmp_path: Path, arguments: tuple[str, ...], environ: dict[str, str], values: dict[str, Any], words: str
) -> None:
    config = write_config(tmp_path, **values)
    command, *options = arguments
    done = preloaded.run(command, "--config", config, *options, environ=environ)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    entries = entries_of(done.stderr.splitlines(keepends=True))
    assert {one["level"] for one in entries} == {"error"}
    assert words in entries[-1]["message"]


@pytest.mark.parametrize("arguments", [("serve", "--nonsense"), ("wrap", "--", "x", "--log-format", "json")])
def test_a_failure_is_text_where_nobody_said_otherwise(crosstrail: CommandLine, arguments: tuple[str, ...]) -> None:
    """What follows `--` is said to the wrapped server. And other commands speak to people, whatever the environment says."""
    assert not [line for line in crosstrail(*arguments).stderr.splitlines() if line.startswith("{")]
    asked = preloaded.run("lookup", "--nonsense", environ=AS_JSON).stderr.splitlines()
    assert asked[-1].startswith("Error: No such option")


def test_a_worker_that_cannot_start_says_so(tmp_path: Path) -> None:
    config = write_config(tmp_path, lake={"path": "lake"})
    (tmp_path / "folder").mkdir()
    arguments = ("--workers", "2", "--audit", str(tmp_path / "folder"), "--log-format", "json")
    with server(config, *arguments) as made:
        logged(made, "a worker cannot start")
        assert made.stop() == 0
    critical = [one for one in entries_of(made.lines) if one["level"] == "critical"]
    assert {one["message"].split(":")[0] for one in critical} == {"a worker cannot start"}
    assert "Is a directory" in critical[0]["message"]
    assert made.process.pid not in {one["process"] for one in critical}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_ctrl_c_while_workers_load_their_libraries_prints_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path, lake={"path": "lake"})
    options = ("--config", str(config), "--transport", "http", "--port", str(free_port()), "--workers", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "crosstrail", "serve", *options, "--log-format", "json"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with watched(process) as made:
        while sum("pydantic_core" in loaded(pid) for pid in children(process.pid)) < 2:
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert len(entries_of(made.lines)) == 2


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def loaded(pid: str) -> str:
    """The files that a process has in its memory; none where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/maps").read_text()
    return ""
