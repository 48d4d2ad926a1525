"""How fast Volcengine accounts answer when many ask at once, against a fake whose every answer takes 200 ms.

    python bench/volcengine.py [--calls 50] [--rounds 5]

`mcp-server-cloud-trail`: LookupEvents calls of one MCP client, all at once, over stdio and over streamable HTTP; then one
lookup over as many listed accounts. The fake and the server are processes of their own. A round one after another would
take calls x 0.2 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.broker import VolcengineBroker
from crosstrail.clouds.volcengine.calls import VolcengineCalls
from crosstrail.clouds.volcengine.trail import VolcengineTrail
from crosstrail.lookup.fanout import lookup_events
from crosstrail.lookup.targets import OpenTarget
from crosstrail.models import Account, EventQuery
from processes import fake, serving, without_aws

_DELAY = 0.2
_SERVER = ["-c", "from crosstrail.launch.drop_in import main; main()"]


async def rounds(ask: Callable[[], Awaitable[object]], count: int) -> list[float]:
    """Seconds of each round, the first, cold one included."""
    seconds = []
    for _ in range(count + 1):
        began = time.perf_counter()
        await ask()
        seconds.append(time.perf_counter() - began)
    return seconds


async def all_at_once(client: Client, calls: int, count: int) -> list[float]:
    async def call() -> None:
        result = await client.call_tool("LookupEvents", {"MaxResults": 10})
        assert not result.is_error, result.content

    async def ask() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(calls):
                group.start_soon(call)

    return await rounds(ask, count)


async def over_stdio(environ: dict[str, str], calls: int, count: int) -> list[float]:
    parameters = StdioServerParameters(command=sys.executable, args=_SERVER, env=environ)
    async with Client(stdio_client(parameters)) as client:
        return await all_at_once(client, calls, count)


async def over_http(url: str, calls: int, count: int) -> list[float]:
    limits = httpx2.Limits(max_connections=calls)
    async with (
        httpx2.AsyncClient(timeout=60, limits=limits) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        return await all_at_once(client, calls, count)


async def over_accounts(url: str, listed: list[dict[str, Any]], count: int) -> list[float]:
    broker = VolcengineBroker(api=VolcengineApi(url))
    trail = VolcengineTrail(VolcengineCalls(broker))
    targets = tuple(OpenTarget(Account.model_validate(one), opened=trail) for one in listed)

    async def ask() -> None:
        listing = await lookup_events(targets, EventQuery())
        assert not listing.failures

    try:
        return await rounds(ask, count)
    finally:
        await broker.aclose()


def show(what: str, seconds: list[float]) -> None:
    warm = statistics.median(seconds[1:])
    print(f"{what:58} cold {seconds[0]:.2f} s   warm, median {warm:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    calls, count = options.calls, options.rounds
    with fake("volcengine", accounts=calls, delay=_DELAY) as cloud:
        key = cloud.accounts[0]["auth"]
        environ = without_aws(
            VOLCENGINE_ENDPOINT=cloud.url,
            VOLCENGINE_ACCESS_KEY=key["access_key_id"],
            VOLCENGINE_SECRET_KEY=key["secret_access_key"],
        )
        print(f"{calls} lookups of {_DELAY * 1000:.0f} ms; one after another: {calls * _DELAY:.0f} s; wanted: 0.6 s")
        show("mcp-server-cloud-trail over stdio, one client", anyio.run(over_stdio, environ, calls, count))
        over_the_network = {**environ, "MCP_SERVER_MODE": "http", "MCP_SERVER_PORT": "0"}
        with serving([sys.executable, *_SERVER], over_the_network) as (url, _):
            show("mcp-server-cloud-trail over HTTP, one client", anyio.run(over_http, url, calls, count))
        show(f"one lookup over {calls} accounts", anyio.run(over_accounts, cloud.url, cloud.accounts, count))


if __name__ == "__main__":
    main()
