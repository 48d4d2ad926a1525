"""`mcp-server-cloud-trail` as its users run it: a process of its own, spoken to over HTTP by real clients."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from fakes.volcengine import Key


def bearer(key: Key) -> dict[str, str]:
    """The header that carries a key."""
    values = {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": key.token}
    return {"Authorization": f"Bearer {base64.b64encode(json.dumps(values).encode()).decode()}"}


@dataclass
class Served:
    """`url` without a path, and what the process has written to stderr so far."""

    url: str
    said: list[str] = field(default_factory=list)


@contextmanager
def served(environ: Mapping[str, str], *arguments: str) -> Iterator[Served]:
    """The server on a free port until the block ends."""
    environ = {**os.environ, "MCP_SERVER_MODE": "http", "MCP_SERVER_PORT": "0", **environ}
    process = subprocess.Popen(
        [sys.executable, "-c", "from crosstrail.cli.volcengine import main; main()", *arguments],
        env=environ,
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
        made = Served(found.group(1), said)
        reader = threading.Thread(target=made.said.extend, args=(process.stderr,), daemon=True)
        reader.start()
        yield made
    finally:
        process.terminate()
        process.wait(timeout=20)
        if reader:
            reader.join()
        process.stderr.close()


@asynccontextmanager
async def over_http(url: str, headers: dict[str, str], mode: str = "auto") -> AsyncIterator[Client]:
    """A client of streamable HTTP."""
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def over_sse(url: str, headers: dict[str, str]) -> AsyncIterator[Client]:
    """A client of SSE."""
    async with Client(sse_client(f"{url}/sse", headers=headers), mode="legacy") as client:
        yield client


@asynccontextmanager
async def open_stream(url: str, key: Key) -> AsyncIterator[tuple[httpx2.AsyncClient, str, AsyncIterator[str]]]:
    """An open SSE stream: a client without headers of its own, where to post, and the stream's lines."""
    async with (
        httpx2.AsyncClient(timeout=20) as http,
        http.stream("GET", f"{url}/sse", headers=bearer(key)) as stream,
    ):
        lines = stream.aiter_lines()
        async for line in lines:
            if line.startswith("data: "):
                yield http, url + line.removeprefix("data: "), lines
                return


def json_of(result: Any) -> Any:
    """The one text of an answer, as JSON."""
    assert not result.is_error, result.content
    [content] = result.content
    return json.loads(content.text)
