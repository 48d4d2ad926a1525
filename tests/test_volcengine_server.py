"""`mcp-server-cloud-trail` over HTTP has in front of it what `crosstrail serve` has: names, sizes, limits, health, the record."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import yaml

from fakes.volcengine import FakeVolcengine
from listed_accounts import moment
from live_volcengine import CN_PROD
from running_server import INITIALIZE, JSON, LIST_TOOLS, PATIENCE, Server, client_over_http, post
from volcengine_server import bearer, json_of, served, token

CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 3,
    "method": "tools/call",
    "params": {"name": "LookupEvents", "arguments": {}},
}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeVolcengine]:
    with FakeVolcengine() as made:
        yield made


@pytest.fixture(scope="module")
def server(fake: FakeVolcengine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that every caller on this machine may ask, with the environment's keys and few calls."""
    audit = tmp_path_factory.mktemp("server") / "audit.jsonl"
    key = fake.world.add_key(CN_PROD)
    environ = {"VOLCENGINE_ENDPOINT": fake.url, "VOLCENGINE_ACCESS_KEY": key.id, "VOLCENGINE_SECRET_KEY": key.secret}
    with served(environ | {"CROSSTRAIL_CALLS_PER_MINUTE": "20"}, "--audit", str(audit)) as made:
        made.audit = audit
        yield made


def _new(server: Server, before: int) -> list[dict[str, Any]]:
    return server.records()[before:]


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
@pytest.mark.parametrize(("method", "path"), [("POST", "/mcp"), ("GET", "/sse"), ("GET", "/ping")])
def test_a_foreign_name_is_refused_and_recorded(
    server: Server, headers: dict[str, str], method: str, path: str
) -> None:
    before = len(server.records())
    message = INITIALIZE if method == "POST" else None
    answer = httpx2.request(method, server.url + path, headers={**JSON, **headers}, json=message, timeout=PATIENCE)
    assert answer.status_code in (403, 421)
    [made] = _new(server, before)
    assert (made["kind"], made["status"], made["path"]) == ("refused", answer.status_code, path)


def test_a_body_too_large_and_a_head_too_large_are_refused(server: Server) -> None:
    before = len(server.records())
    assert post(server.url, b"x" * 1_000_001).status_code == 413
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 431 ")
    assert [one["status"] for one in _new(server, before)] == [413, 431]


def test_a_call_is_recorded_with_what_it_asked(server: Server, fake: FakeVolcengine) -> None:
    fake.world.accounts[CN_PROD].log("GetUser", moment())
    before = len(server.records())

    async def ask() -> Any:
        async with client_over_http(server.url) as client:
            return json_of(await client.call_tool("LookupEvents", {"MaxResults": 1}))

    assert len(anyio.run(ask)["Trails"]) == 1
    [made] = [one for one in _new(server, before) if one["kind"] == "call"]
    assert (made["tool"], made["outcome"], made["upstream_calls"]) == ("LookupEvents", "done", 1)
    assert made["upstream"][0]["action"] == "cloud_trail:LookupEvents"
    assert made["upstream"][0]["id"]
    assert "GetUser" not in json.dumps(made)


def test_a_header_can_take_the_write_away(server: Server) -> None:
    listed = post(server.url, LIST_TOOLS, X_MCP_Readonly="true").json()
    assert [tool["name"] for tool in listed["result"]["tools"]] == ["DescribeTrails", "LookupEvents"]


def test_it_says_whether_it_is_well(server: Server) -> None:
    assert httpx2.get(f"{server.url}/ping", timeout=PATIENCE).json()["status"] == "Healthy"
    assert httpx2.get(f"{server.url}/healthz", timeout=PATIENCE).json() == {"status": "ok", "checks": {}}


def test_calls_are_limited_and_the_last_ones_recorded(server: Server) -> None:
    """Comes last: it uses up the calls of this minute."""
    before, texts = len(server.records()), []
    for _ in range(30):
        texts.append(post(server.url, CALL).text)
    assert any("calls a minute" in text or "Ask again" in text for text in texts)
    assert "limited" in {one["outcome"] for one in _new(server, before)}


def test_names_of_its_own_are_taken_where_they_are_listed(fake: FakeVolcengine, tmp_path: Path) -> None:
    cfg = tmp_path / "cfg.yaml"
    cfg.write_text(
        yaml.safe_dump(
            {
                "credential": "token",
                "host": "0.0.0.0",
                "behind_proxy": True,
                "allowed_hosts": ["trails.example.com"],
                "audit": {"to": str(tmp_path / "audit.jsonl")},
            }
        )
    )
    key = fake.world.add_key(CN_PROD)
    with served({"VOLCENGINE_ENDPOINT": fake.url}, "--config", str(cfg)) as made:
        url = made.url.replace("0.0.0.0", "127.0.0.1")
        for name, status in (("trails.example.com", 200), ("evil.example", 421), ("127.0.0.1", 421)):
            headers = {**JSON, **bearer(key), "Host": name}
            assert httpx2.post(f"{url}/mcp", json=LIST_TOOLS, headers=headers, timeout=PATIENCE).status_code == status
        called = httpx2.post(
            f"{url}/mcp", json=CALL, headers={**JSON, **bearer(key), "Host": "trails.example.com"}, timeout=PATIENCE
        )
        assert called.status_code == 200
    record = (tmp_path / "audit.jsonl").read_text()
    assert '"tool":"LookupEvents"' in record
    assert f'"principal":"trn:iam::{CN_PROD}:user/auditor"' in record
    assert key.id not in record
    assert token(key)[:40] not in record
