"""Who did what in a Volcengine account in the last hours: an MCP client of `mcp-server-cloud-trail`.

    export VOLCENGINE_ACCESS_KEY=... VOLCENGINE_SECRET_KEY=...
    python examples/volcengine_lookup.py --hours 24 --name StopLogging

It starts the server, asks LookupEvents page by page, and prints one line an event, newest first.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

PAGE = 50


def parameters() -> StdioServerParameters:
    """The server as a child process. It gets the variables of Volcengine, which a client does not pass on by itself."""
    names = ("PATH", "PYTHONPATH", "VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY", "VOLCENGINE_ACCESS_SESSION_TOKEN")
    names += ("VOLCENGINE_ENDPOINT",)
    environ = {name: os.environ[name] for name in names if name in os.environ}
    return StdioServerParameters(command="mcp-server-cloud-trail", env=environ)


async def look_up(hours: float, name: str, most: int) -> tuple[list[dict[str, Any]], str]:
    """The newest events, at most `most`; of one name, where one is given. Then what went wrong, if anything did."""
    now = int(time.time())
    arguments: dict[str, Any] = {
        "StartTime": int(now - hours * 3600),
        "EndTime": now + 1,
        "MaxResults": min(most, PAGE),
    }
    if name:
        arguments["LookupConditions"] = [{"LookupConditionKey": "EventName", "LookupConditionValue": name}]
    events: list[dict[str, Any]] = []
    async with Client(stdio_client(parameters())) as client:
        while True:
            answer = await client.call_tool("LookupEvents", arguments)
            text = answer.content[0].text
            if answer.is_error:
                return events, text
            page = json.loads(text)
            events += page["Trails"]
            if not page["NextToken"] or len(events) >= most:
                return events[:most], ""
            arguments["NextToken"] = page["NextToken"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--name", default="", help="only events of this name")
    parser.add_argument("--most", type=int, default=100, help="most events to print")
    options = parser.parse_args()
    events, wrong = anyio.run(look_up, options.hours, options.name, options.most)
    for event in events:
        who = event["UserName"] or event["AccessKeyID"] or "-"
        # Text of a log may hold anything: show it as data, without what a terminal would obey.
        line = (
            event["EventTime"],
            event["EventSource"],
            event["EventName"],
            who,
            event["SourceIPAddress"],
            event["ErrorCode"],
        )
        print("  ".join("".join(sign if sign.isprintable() else "?" for sign in text) for text in line).rstrip())
    if wrong:
        raise SystemExit(wrong)


if __name__ == "__main__":
    main()
