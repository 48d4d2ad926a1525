"""How a server ends that is told to: by itself, its queries stopped, its record whole, whoever still holds on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fakes.http import Answer, HttpFake
from lake_workspace import NOON, PROD, collect, record, write_logs
from ports import free_port
from running_server import INITIALIZE, INITIALIZED, LIST_TOOLS, PATIENCE, post, serving, write_config

KEYS = {"type": "keys", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "a-secret"}
MANY = ", ".join(f"UNNEST(sequence(1, 10000)) {name}(n{name})" for name in "abc")
ENDLESS = {
    "jsonrpc": "2.0",
    "id": 3,
    "method": "tools/call",
    "params": {
        "name": "lake_query",
        "arguments": {"sql": f"SELECT count(*) FROM events, {MANY} WHERE na + nb * nc = -1"},
        "_meta": {"progressToken": 1},
    },
}
_META = "io.modelcontextprotocol/"
LISTEN = {
    "jsonrpc": "2.0",
    "id": 4,
    "method": "subscriptions/listen",
    "params": {
        "notifications": {"toolsListChanged": True},
        "_meta": {
            f"{_META}protocolVersion": "2026-07-28",
            f"{_META}clientCapabilities": {},
            f"{_META}clientInfo": {"name": "test", "version": "0"},
        },
    },
}
HEAD = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_logs(tmp_path / "logs", [record(PROD, number, NOON) for number in range(3)])
    collect(tmp_path / "logs", tmp_path / "lake")
    return write_config(tmp_path, accounts=[{"id": PROD, "alias": "prod", "archive": "logs"}], lake={"path": "lake"})


def states(config: Path) -> list[str]:
    return [
        json.loads(path.read_text())["state"] for path in (config.parent / "lake" / "results").glob("*/status.json")
    ]


def opened(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def post_line(body: object, headers: str = "") -> bytes:
    text = json.dumps(body)
    return f"{HEAD}{headers}Content-Length: {len(text)}\r\n\r\n{text}".encode()


def until(connection: socket.socket, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        part = connection.recv(65_536)
        assert part, seen
        seen += part
    return seen


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("transport", ["http", "sse"])
def test_over_http_whoever_holds_on(config: Path, transport: str, workers: str) -> None:
    options = ("--transport", transport, "--workers", workers, "--port", str(free_port()))
    with serving(config, *options) as made, ExitStack() as held:

        def client() -> socket.socket:
            return held.enter_context(opened(made.url))

        _, half_head, half_body, kept, running = (client() for _ in range(5))
        half_head.sendall(HEAD.encode())
        half_body.sendall(f"{HEAD}Content-Length: 100\r\n\r\n{{".encode())
        kept.sendall(post_line(LIST_TOOLS))
        assert b" 200 " in until(kept, b"\r\n")
        running.sendall(post_line(ENDLESS))
        until(running, b"RUNNING")
        listening = client()
        listening.sendall(post_line(LISTEN, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n"))
        until(listening, b"acknowledged")
        if transport == "sse":
            stream = client()
            stream.sendall(b"GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n")
            until(stream, b"session_id=")
        assert made.stop() in (0, -signal.SIGTERM)
        assert [one["outcome"] for one in made.records() if one["kind"] == "call"] == ["cancelled"]
    assert states(config) == ["CANCELLED"]


def test_a_call_that_ends_in_time_is_answered(config: Path) -> None:
    """Its answer comes after the order to stop."""
    call = {**LIST_TOOLS, "method": "tools/call", "params": {"name": "list_accounts", "arguments": {}}}
    text = json.dumps(call)
    with serving(config) as made, opened(made.url) as connection:
        assert (
            post(made.url, call).status_code == 200
        )  # a first call loads what it needs: that may outlast the patience
        connection.sendall(f"{HEAD}Content-Length: {len(text)}\r\nExpect: 100-continue\r\n\r\n".encode())
        until(connection, b"100 Continue")
        stopping = threading.Thread(target=made.stop)
        stopping.start()
        while True:  # until it takes no more connections
            try:
                opened(made.url).close()
            except (ConnectionRefusedError, ConnectionResetError):  # reset: in the queue of the socket that closed
                break
        connection.sendall(text.encode())
        assert b"1 account" in until(connection, b"1 account")
        stopping.join()
        assert made.records()[-1]["outcome"] == "done"


def test_a_cloud_that_does_not_answer_holds_nobody(tmp_path: Path) -> None:
    account = {"id": PROD, "alias": "prod", "region": "us-east-1", "auth": KEYS}
    call = {**LIST_TOOLS, "method": "tools/call", "params": {"name": "lookup_events", "arguments": {}}}
    asked = threading.Event()

    def silent(*_: object) -> Answer:
        asked.set()
        return Answer(200, b"", wire="hang")

    config = write_config(tmp_path, accounts=[account], lake={"path": "lake"})
    with HttpFake(silent) as cloud, serving(config, environ={"AWS_ENDPOINT_URL": cloud.url}) as made:
        with opened(made.url) as connection:
            connection.sendall(post_line(call))
            assert asked.wait(PATIENCE)
            made.stop()
        assert made.records()[-1]["outcome"] == "cancelled"


@pytest.fixture
def stdio(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    audit = str(config.parent / "audit.jsonl")
    process = subprocess.Popen(
        [sys.executable, "-m", "crosstrail", "serve", "--config", str(config), "--audit", audit],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin
        assert process.stdout
        for message in (INITIALIZE, INITIALIZED, ENDLESS):
            process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
        while b"RUNNING" not in (line := process.stdout.readline()):
            assert line
        yield process
        process.kill()


@pytest.mark.parametrize("how", ["end of input", "SIGTERM", "SIGINT"])
def test_over_stdio(config: Path, stdio: subprocess.Popen[bytes], how: str) -> None:
    if how == "end of input":
        assert stdio.stdin
        stdio.stdin.close()
    else:
        stdio.send_signal(signal.Signals[how])
    stdio.wait(timeout=PATIENCE)
    assert states(config) == ["CANCELLED"]
    [call] = [json.loads(line) for line in (config.parent / "audit.jsonl").read_text().splitlines()]
    assert call["outcome"] == "cancelled"
    assert stdio.stderr
    assert b"Traceback" not in stdio.stderr.read()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc, to find a worker")
def test_a_worker_that_hangs_is_ended(config: Path) -> None:
    with serving(config, "--workers", "2", "--port", str(free_port())) as made:
        assert post(made.url).status_code == 200
        pid = made.process.pid
        children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        workers = [one for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGSTOP)
        assert made.stop() == 0


_STUCK = """
import asyncio, sys, threading
from crosstrail.stop_signals import exit_on_signal, on_stop_signal

async def clean_up(number=0):
    pass

async def main(what):
    async with (exit_on_signal if what == "loop" else on_stop_signal)(clean_up):
        print("ready", flush=True)
        if what == "loop":
            while True:
                pass
        await asyncio.to_thread(threading.Event().wait)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("what", ["loop", "thread"])
def test_a_process_that_hangs_ends(what: str) -> None:
    """Its event loop never runs again, or a thread of it never ends."""
    with subprocess.Popen([sys.executable, "-c", _STUCK, what], stdout=subprocess.PIPE) as stuck:
        assert stuck.stdout
        assert stuck.stdout.readline() == b"ready\n"
        stuck.terminate()
        assert stuck.wait(timeout=PATIENCE) == 128 + signal.SIGTERM
