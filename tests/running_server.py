"""Servers over HTTP as processes of their own, as their users run them, and real clients of them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

import preloaded

INITIALIZE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
}
INITIALIZED: dict[str, Any] = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LIST_TOOLS: dict[str, Any] = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
PATIENCE = 180.0
"""Seconds after which whoever has not answered, or has not ended, never will: many times what the busiest machine takes."""


@dataclass
class Server:
    """`url` without a path; `lines` of stderr so far."""

    url: str
    process: preloaded.Running
    lines: list[str] = field(default_factory=list)
    audit: Path = Path()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def stop(self) -> int:
        """Its exit status; it must end by itself, however busy this machine is."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)


def write_config(folder: Path, **values: Any) -> Path:
    path = folder / "crosstrail.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@contextmanager
def started(command: Sequence[str], environ: Mapping[str, str], audit: Path = Path()) -> Iterator[Server]:
    """A server that says on stderr where it serves, until the block ends."""
    process = subprocess.Popen(
        command, env={**os.environ, **environ}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with watched(process, audit) as made:
        yield made


@contextmanager
def watched(process: preloaded.Running, audit: Path = Path()) -> Iterator[Server]:
    """The server that this process is, once it says on stderr where it serves; it ends with the block."""
    assert process.stderr
    reader: threading.Thread | None = None
    try:
        said: list[str] = []
        found = None
        while not found and (line := process.stderr.readline()):
            said.append(line)
            found = re.search(r"serves (https?://\S+)/mcp", line)
        assert found, "".join(said)
        made = Server(found.group(1), process, said, audit)
        reader = threading.Thread(target=made.lines.extend, args=(process.stderr,), daemon=True)
        reader.start()
        yield made
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
        if reader:
            reader.join()
        process.stderr.close()


@contextmanager
def serving(
    config: Path, *arguments: str, environ: Mapping[str, str] | None = None, command: str = "serve"
) -> Iterator[Server]:
    """`crosstrail serve` (or wrap), on a free port unless the arguments name one, until the block ends."""
    audit = config.parent / "audit.jsonl"
    port = () if "--port" in arguments else ("--port", "0")
    options = ("--config", str(config), "--transport", "http", "--audit", str(audit), *port, *arguments)
    with watched(preloaded.start(command, *options, environ=environ), audit) as made:
        yield made


@asynccontextmanager
async def client_over_http(url: str, token: str = "", mode: str = "auto", **headers: str) -> AsyncIterator[Client]:
    """A client of streamable HTTP."""
    async with (
        httpx2.AsyncClient(headers={**headers, **signed(token)}, timeout=PATIENCE) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def client_over_sse(url: str, token: str = "") -> AsyncIterator[Client]:
    """A client of SSE."""
    async with Client(sse_client(f"{url}/sse", headers=signed(token), timeout=PATIENCE), mode="legacy") as client:
        yield client


@asynccontextmanager
async def open_stream(url: str, token: str) -> AsyncIterator[tuple[httpx2.AsyncClient, str, AsyncIterator[str]]]:
    """An open SSE stream: a client without headers of its own, where to post, and the stream's lines."""
    async with (
        httpx2.AsyncClient(timeout=PATIENCE) as http,
        http.stream("GET", f"{url}/sse", headers=signed(token)) as stream,
    ):
        lines = stream.aiter_lines()
        async for line in lines:
            if line.startswith("data: "):
                yield http, url + line.removeprefix("data: "), lines
                return


def signed(token: str) -> dict[str, str]:
    """The header that carries a token; none without one."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def health(url: str, **wanted: str) -> httpx2.Response:
    """What /healthz says, once its checks say what is wanted: at first they load what they need, which a busy machine may
    not do in their time."""
    began = time.monotonic()
    while True:
        said = httpx2.get(f"{url}/healthz", timeout=PATIENCE)
        if said.json()["checks"] == wanted or time.monotonic() - began > PATIENCE:
            return said


def post(url: str, body: Any = INITIALIZE, **headers: str) -> httpx2.Response:
    """One request to /mcp, as an attacker would write it; names of headers with _ for -."""
    sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(f"{url}/mcp", content=content, headers=sent, timeout=PATIENCE)
