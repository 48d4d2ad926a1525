"""Where `crosstrail serve` and `crosstrail wrap` listen: addresses of both families, and Unix sockets."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

import preloaded
from conftest import CommandLine
from running_server import JSON, LIST_TOOLS, PATIENCE, serving, write_config
from wrap_workspace import WrapWorkspace

pytestmark = pytest.mark.anyio
BEHIND = ("--behind-proxy", "--no-auth", "--allowed-hosts", "*")
STRANGER = 54321
"""A user and a group that this machine does not know."""


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root: other users ask")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, lake={"path": "lake"})


@contextmanager
def over(path: Path, host: str = "localhost") -> Iterator[httpx2.Client]:
    with httpx2.Client(
        transport=httpx2.HTTPTransport(uds=str(path)), base_url=f"http://{host}", timeout=PATIENCE
    ) as made:
        yield made


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::", ""])
def test_all_addresses_are_those_of_both_families(tmp_path: Path, host: str) -> None:
    config = write_config(tmp_path, serve={"host": host}, lake={"path": "lake"})
    with serving(config, *BEHIND) as made:
        port = made.url.rsplit(":", 1)[1]
        for address in ("127.0.0.1", "[::1]"):
            headers = {**JSON, "Origin": "https://evil.example"}
            answer = httpx2.post(f"http://{address}:{port}/mcp", json=LIST_TOOLS, headers=JSON, timeout=PATIENCE)
            assert answer.status_code == 200, address
            assert httpx2.post(f"http://{address}:{port}/mcp", headers=headers, timeout=PATIENCE).status_code == 403
        assert {one["address"] for one in made.records() if one["kind"] == "refused"} == {"127.0.0.1", "::1"}


def test_all_addresses_of_one_family(config: Path) -> None:
    with serving(config, "--host", "0.0.0.0", *BEHIND) as made:
        port = made.url.rsplit(":", 1)[1]
        assert httpx2.get(f"http://127.0.0.1:{port}/ping", timeout=PATIENCE).status_code == 200
        if _has_ipv6():
            with socket.socket(socket.AF_INET6) as asking:
                assert asking.connect_ex(("::1", int(port))) != 0


@pytest.mark.parametrize("host", ["::", ""])
def test_all_addresses_are_not_loopback(crosstrail: CommandLine, tmp_path: Path, host: str) -> None:
    config = write_config(tmp_path, serve={"host": host, "transport": "http", "port": 0})
    done = crosstrail("serve", "--config", config)
    assert done.returncode == 1
    assert f"on {host or 'all addresses'} without TLS" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_unix_socket_serves_its_owner(tmp_path: Path, workers: str, crosstrail: CommandLine) -> None:
    """At a path that the file gives, taken from its own folder."""
    path = tmp_path / "run.sock"
    config = write_config(tmp_path, serve={"socket": "run.sock"}, lake={"path": "lake"})
    with serving(config, "--workers", workers) as made:
        assert made.url == f"http://unix:{path}:"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        transport = httpx2.AsyncHTTPTransport(uds=str(path))
        async with (
            httpx2.AsyncClient(transport=transport, timeout=PATIENCE) as http,
            Client(streamable_http_client("http://localhost/mcp", http_client=http)) as client,
        ):
            assert "lookup_events" in {tool.name for tool in (await client.list_tools()).tools}
        with over(path, "evil.example") as stranger:
            assert stranger.get("/ping").status_code == 421
        pinged = crosstrail("check", "--ping", environ={"CROSSTRAIL_CONFIG": str(config)})
        assert (pinged.returncode, pinged.stdout.strip()) == (0, "Healthy")
        assert made.stop() in (0, -signal.SIGTERM)
    assert not path.exists()


def test_behind_a_proxy_a_unix_socket_knows_the_names_it_was_given(tmp_path: Path, config: Path) -> None:
    path = tmp_path / "s"
    proxied = ("--behind-proxy", "--public-url", "https://trails.example.com")
    with (
        serving(config, "--socket", str(path), *proxied),
        over(path, "trails.example.com") as known,
        over(path) as local,
    ):
        assert known.get("/ping").status_code == 200
        assert local.get("/ping").status_code == 421


def test_a_wrapped_server_listens_on_a_unix_socket(tmp_path: Path, workspace: WrapWorkspace) -> None:
    config = workspace.config(tmp_path, wrap={"servers": {"plain": workspace.plain()}}, serve={"socket": "s"})
    with serving(config, command="wrap"), over(tmp_path / "s") as http:
        assert http.get("/ping").status_code == 200


def test_the_socket_of_a_server_that_was_killed_is_replaced(tmp_path: Path, config: Path) -> None:
    path = tmp_path / "s"
    with serving(config, "--socket", str(path)) as killed:
        killed.process.kill()
        killed.process.wait(timeout=PATIENCE)
    assert path.is_socket()
    with serving(config, "--socket", str(path)), over(path) as http:
        assert http.get("/ping").status_code == 200


def test_a_socket_that_somebody_listens_on_is_theirs(tmp_path: Path, config: Path, crosstrail: CommandLine) -> None:
    path = tmp_path / "s"
    arguments = ("serve", "--config", config, "--transport", "http", "--socket", path)
    with serving(config, "--socket", str(path)), over(path) as http:
        done = crosstrail(*arguments)
        assert (done.returncode, "another process does" in done.stderr) == (1, True), done.stderr
        assert http.get("/ping").status_code == 200
    with socket.socket(socket.AF_UNIX) as busy, ExitStack() as waiting:  # one whose queue is full
        busy.bind(str(path))
        busy.listen(0)
        for _ in range(4):
            client = waiting.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            client.connect_ex(str(path))
        assert "another process does" in crosstrail(*arguments).stderr
    path.unlink()
    path.write_text("somebody's")
    done = crosstrail(*arguments)
    assert (done.returncode, "it is a file, and no socket" in done.stderr) == (1, True), done.stderr
    assert path.read_text() == "somebody's"


def _beginning(process: preloaded.Running) -> str:
    """What it says first of where it serves, or why not."""
    assert process.stderr
    for line in process.stderr:
        if "serves" in line or "cannot listen" in line:
            return line
    return ""


def test_of_several_that_start_at_once_one_serves(tmp_path: Path, config: Path) -> None:
    """Over the socket of one that was killed, which each of them may remove."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    arguments = ("--config", str(config), "--transport", "http", "--socket", str(path))
    many = [preloaded.start("serve", *arguments) for _ in range(6)]
    try:
        said = [_beginning(process) for process in many]
        assert sorted("serves" in line for line in said) == [False] * 5 + [True], said
        with over(path) as http:
            assert http.get("/ping").status_code == 200
    finally:
        for process in many:
            process.terminate()
            process.wait(timeout=PATIENCE)
            assert process.stderr
            process.stderr.close()


def test_a_folder_that_is_not_there_is_said(config: Path, crosstrail: CommandLine) -> None:
    done = crosstrail("serve", "--config", config, "--transport", "http", "--socket", "/nowhere/s")
    assert (done.returncode, "cannot listen on /nowhere/s: No such file" in done.stderr) == (1, True)
    done = crosstrail("serve", "--config", config, "--transport", "http", "--socket", f"/{'x' * 200}")
    assert (done.returncode, "cannot listen on /xxx" in done.stderr) == (1, True)


_CONNECT = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(54321)
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
"""


@needs_root
@pytest.mark.parametrize("group", ["", str(STRANGER)])
def test_other_users_reach_a_unix_socket_by_its_group_alone(config: Path, group: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="crosstrail-"))  # pytest's own are closed to others
    folder.chmod(0o755)
    path = folder / "s"
    environ = {"CROSSTRAIL_SOCKET": str(path), "CROSSTRAIL_SOCKET_GROUP": group}
    try:
        with serving(config, environ=environ):
            assert stat.S_IMODE(path.stat().st_mode) == (0o660 if group else 0o600)

            def connects(as_group: int) -> bool:
                command = [sys.executable, "-c", _CONNECT, str(path), str(as_group)]
                done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
                assert done.returncode == 0 or "PermissionError" in done.stderr
                return done.returncode == 0

            assert (connects(STRANGER), connects(STRANGER + 1)) == (bool(group), False)
    finally:
        folder.rmdir()


def test_a_group_that_is_not_there_is_said(tmp_path: Path, crosstrail: CommandLine) -> None:
    config = write_config(tmp_path, serve={"socket": "s", "socket_group": "no-such-group", "transport": "http"})
    done = crosstrail("serve", "--config", config)
    assert (done.returncode, "there is no group no-such-group" in done.stderr) == (1, True), done.stderr
