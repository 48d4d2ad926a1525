"""`crosstrail serve` as a client starts it: a process, stdin and stdout, both protocol eras."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

import preloaded
from lake_workspace import ACCOUNTS, NOON, PROD, collect, facts_of, record, rows_of, text_of, write_logs
from running_server import INITIALIZE, INITIALIZED

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration file over a lake of twelve events."""
    folder = tmp_path_factory.mktemp("stdio")
    write_logs(folder / "logs", [record(PROD, number, NOON) for number in range(12)])
    collect(folder / "logs", folder / "lake")
    path = folder / "crosstrail.yaml"
    path.write_text(json.dumps({"accounts": ACCOUNTS, "lake": {"path": "lake"}}))
    return path


@pytest.mark.parametrize(("mode", "version"), [("legacy", None), ("2026-07-28", "2026-07-28"), ("auto", "2026-07-28")])
async def test_a_client_of_either_era_is_served(config: Path, mode: str, version: str | None) -> None:
    command = StdioServerParameters(
        command=preloaded.python(), args=["-m", "crosstrail", "serve", "--config", str(config)], env=dict(os.environ)
    )
    async with Client(command, mode=mode) as client:
        if version:
            assert client.protocol_version == version
        else:
            assert client.protocol_version < "2026"
        tools = await client.list_tools()
        accounts = await client.call_tool("list_accounts", {})
        first = await client.call_tool("lookup_events", {"target_account_id": "prod"})
        second = await client.call_tool("lookup_events", {"next_token": facts_of(first)["next_token"]})
        counted = await client.call_tool("lake_query", {"sql": "SELECT count(*) AS events FROM events"})
    assert len(tools.tools) == 13
    assert text_of(accounts).startswith("3 accounts")
    assert [len(rows_of(first)), len(rows_of(second))] == [10, 2]
    assert rows_of(counted) == ["12"]


def test_a_client_that_speaks_2025_06_18_gets_it(config: Path) -> None:
    messages = [
        INITIALIZE,
        INITIALIZED,
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_accounts", "arguments": {"x": 1}}},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "list_accounts"}},
    ]
    with subprocess.Popen(
        [preloaded.python(), "-m", "crosstrail", "serve", "--config", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin
        assert server.stdout
        assert server.stderr
        server.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
        server.stdin.flush()
        answers = {one["id"]: one["result"] for one in (json.loads(server.stdout.readline()) for _ in range(3))}
        server.stdin.close()
        assert server.wait(30) == 0
        logged = server.stderr.read()
    assert answers[1]["protocolVersion"] == "2025-06-18"
    assert answers[1]["serverInfo"]["name"] == "crosstrail"
    assert answers[2]["isError"] is True
    assert answers[2]["content"][0]["text"] == "list_accounts has no argument x. It accepts: selector, next_token."
    assert "033333333333" in answers[3]["content"][0]["text"]
    assert logged == ""
