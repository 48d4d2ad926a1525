"""`crosstrail serve` over HTTP as a process of its own, with a configuration, and real clients of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
}
LIST_TOOLS = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass
class Server:
    """`url` without a path; `lines` of stderr so far."""

    url: str
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    audit: Path = Path()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def stop(self, *, seconds: float = 20) -> int:
        """Its exit status; it must end in this time."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)


def write_config(folder: Path, **values: Any) -> Path:
    path = folder / "crosstrail.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@contextmanager
def serving(config: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Server]:
    """The server, on a free port unless the arguments name one, until the block ends."""
    audit = config.parent / "audit.jsonl"
    command = [sys.executable, "-m", "crosstrail", "serve", "--config", str(config), "--transport", "http"]
    if "--port" not in arguments:
        command += ["--port", "0"]
    process = subprocess.Popen(
        [*command, "--audit", str(audit), *arguments],
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
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
        process.wait(timeout=20)
        if reader:
            reader.join()
        process.stderr.close()


@asynccontextmanager
async def client_over_http(url: str, token: str = "", mode: str = "auto", **headers: str) -> AsyncIterator[Client]:
    """A client of streamable HTTP."""
    sent = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
    async with (
        httpx2.AsyncClient(headers=sent, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def post(url: str, body: Any = INITIALIZE, **headers: str) -> httpx2.Response:
    """One request to /mcp, as an attacker would write it; names of headers with _ for -."""
    sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(f"{url}/mcp", content=content, headers=sent, timeout=30)
