"""Many callers over streamable HTTP, against the tests' fake AWS in a process of its own with 50 ms answers.

    python bench/serve.py [--seconds 60]

The goals: 1,000 clients connected and 200 lookups a second for 60 s without an error and with flat memory; a warm lookup of
5 events at 55 % of the calls a second of a bare SDK server whose one tool does nothing, list_accounts at 75 %, measured beside
it in the same run. The server's own processor time for each call is printed too: the fake cloud takes its share of the cores.
Linux (memory comes from /proc). The load is made in this process: on few cores it takes its share of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from processes import cpu, fake, memory, serving, without_aws

ACCOUNTS, CLIENTS, RATE = 20, 1000, 200
REGIONS = "us-east-1,us-east-2,us-west-1,us-west-2,ca-central-1,eu-central-1,eu-north-1,eu-west-1,eu-west-2,eu-west-3,sa-east-1,ap-south-1,ap-southeast-1,ap-southeast-2,ap-northeast-1,ap-northeast-2,ap-northeast-3"
BARE = """
import asyncio, sys, uvicorn
from mcp.server.mcpserver import MCPServer
server = MCPServer("bare", log_level="ERROR")
@server.tool()
async def noop() -> str:
    return "x" * 600
app = server.streamable_http_app(stateless_http=True, json_response=True)
import socket
opened = socket.create_server(("127.0.0.1", 0), backlog=2048)
opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print(f"serves http://127.0.0.1:{opened.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error", http="h11", timeout_keep_alive=60)).run(sockets=[opened])
"""


class Connection:
    """One client's connection, kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, url: str) -> Connection:
        split = urlsplit(url)
        return cls(*await asyncio.open_connection(split.hostname, split.port))

    async def call(self, tool: str, arguments: dict[str, Any]) -> float:
        """Seconds until the answer was whole. Raises RuntimeError for one that is an error."""
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        body = json.dumps(message).encode()
        head = (
            "POST /mcp HTTP/1.1\r\nHost: localhost:80\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        )
        began = time.perf_counter()
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", answer)[1])  # type: ignore[index]
        said = json.loads(await self._reader.readexactly(length))
        if not answer.startswith(b"HTTP/1.1 200") or "error" in said or said["result"].get("isError"):
            raise RuntimeError(str(said)[:300])
        return time.perf_counter() - began

    def close(self) -> None:
        self._writer.close()


def lookup(number: int) -> dict[str, Any]:
    """Each target in turn, so that none is asked faster than CloudTrail allows."""
    regions = REGIONS.split(",")
    account, region = number % ACCOUNTS, number // ACCOUNTS % len(regions)
    return {"target_account_id": f"acct-{account}", "region": regions[region], "max_results": 5}


async def steady(url: str, pid: int, seconds: float) -> None:
    """CLIENTS connections, RATE calls a second, spread over all of them."""
    first = [await Connection.to(url) for _ in range(20)]
    targets = ACCOUNTS * len(REGIONS.split(","))
    for number in range(0, targets, len(first)):
        calls_of_all = (client.call("lookup_events", lookup(number + at)) for at, client in enumerate(first))
        await asyncio.gather(*calls_of_all)  # the first lookup of a target makes its client
    clients = []
    for _ in range(CLIENTS):
        clients.append(await Connection.to(url))
        await clients[-1].call("list_accounts", {"selector": "acct-1"})
    times: list[float] = []
    errors: list[str] = []
    sizes = [memory(pid)]

    async def one(number: int) -> None:
        try:
            times.append(await clients[number % CLIENTS].call("lookup_events", lookup(number)))
        except (RuntimeError, OSError, asyncio.IncompleteReadError) as error:
            errors.append(f"{type(error).__name__}: {error}")

    began, calls = time.perf_counter(), int(seconds * RATE)
    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            group.create_task(one(number))
            if number % (RATE * 10) == RATE * 10 - 1:
                sizes.append(memory(pid))
    spent = time.perf_counter() - began
    ranks = statistics.quantiles(times, n=100)
    print(
        f"  {CLIENTS} clients, {calls} lookups in {spent:.1f} s ({calls / spent:.0f} a second, goal {RATE}): "
        f"{len(errors)} errors, median {ranks[49] * 1000:.0f} ms, 99 % within {ranks[98] * 1000:.0f} ms (50 are the cloud's)"
    )
    print(f"  memory before and every 10 s, MB: {', '.join(f'{size:.0f}' for size in sizes)}")
    for text in sorted(set(errors))[:3]:
        print(f"  {text}")
    for client in (*first, *clients):
        client.close()


async def most(
    url: str, pid: int, tool: str, arguments: Callable[[int], dict[str, Any]], seconds: float = 8.0
) -> tuple[float, float]:
    """Calls a second when 64 clients call without a pause, and milliseconds of the server's processor time for each."""
    used = cpu(pid)
    clients = [await Connection.to(url) for _ in range(64)]
    count, until = 0, time.perf_counter() + seconds

    async def loop(client: Connection) -> None:
        nonlocal count
        while time.perf_counter() < until:
            count += 1
            await client.call(tool, arguments(count))

    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(loop(client))
    for client in clients:
        client.close()
    return count / seconds, (cpu(pid) - used) / count * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60)
    seconds: float = parser.parse_args().seconds
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with (
        fake("aws", accounts=ACCOUNTS, events=5, regions=REGIONS, delay=0.05) as cloud,
        tempfile.TemporaryDirectory() as place,
    ):
        config = Path(place) / "crosstrail.yaml"
        limits = {"calls_per_minute": 1_000_000, "concurrent_calls": 10_000}
        config.write_text(json.dumps({"accounts": cloud.accounts, "limits": limits, "lake": {"path": "none"}}))
        serve = [sys.executable, "-m", "crosstrail", "serve", "--config", str(config), "--transport", "http"]
        audit = str(Path(place) / "audit.jsonl")
        with serving([*serve, "--port", "0", "--audit", audit], cloud.environment) as (url, pid):
            asyncio.run(steady(url, pid, seconds))
            live = asyncio.run(most(url, pid, "lookup_events", lookup))
            listed = asyncio.run(most(url, pid, "list_accounts", lambda _: {"selector": "acct-1"}))
        with serving([sys.executable, "-c", BARE], without_aws()) as (url, pid):
            bare = asyncio.run(most(url, pid, "noop", lambda _: {}))
    print(f"  most calls a second, and processor time of each: bare SDK server {bare[0]:.0f}, {bare[1]:.1f} ms")
    for what, (calls, used), goal in (
        ("list_accounts", listed, 75),
        ("warm lookup of 5 events of a live account", live, 55),
    ):
        print(f"  {what}: {calls:.0f} ({calls / bare[0]:.0%}; goal {goal} %), {used:.1f} ms")


if __name__ == "__main__":
    main()
