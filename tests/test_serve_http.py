"""`crosstrail serve` over HTTP: what it refuses to start with, its endpoints, its middleware, its end."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.sse import sse_client
from sqlalchemy import create_engine

from conftest import CommandLine
from crosstrail.accounts.database import account_tables
from crosstrail.server.http.listener import Listener, listening
from lake_workspace import NOON, OLD, PROD, collect, record, text_of, write_logs
from ports import free_port
from running_server import (
    INITIALIZE,
    JSON,
    LIST_TOOLS,
    PATIENCE,
    Server,
    client_over_http,
    health,
    serving,
    write_config,
)

pytestmark = pytest.mark.anyio
OPEN = {"public_url": "https://trails.example.com"}
JWT = {"issuer": "https://idp.example.com", "jwks_url": "https://idp.example.com/keys"}
APP = {"client_id": "id", "client_secret": "a-secret-of-an-app"}
RULES = [{"who": ["login:alice"], "accounts": ["*"]}]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    write_logs(folder / "logs", [record(account, number, NOON) for account in (PROD, OLD) for number in range(3)])
    collect(folder / "logs", folder / "lake")
    accounts = [{"id": PROD, "alias": "prod", "archive": "logs"}, {"id": OLD, "alias": "old", "archive": "logs"}]
    return write_config(folder, accounts=accounts, lake={"path": "lake"})


@pytest.fixture(scope="module")
def server(config: Path) -> Iterator[Server]:
    with serving(config, "--transport", "sse") as made:
        yield made


@pytest.mark.parametrize(
    ("values", "arguments", "said"),
    [
        ({}, ["--host", "0.0.0.0"], "without TLS"),
        ({}, ["--host", "0.0.0.0", "--behind-proxy"], "everybody who reaches 0.0.0.0"),
        ({}, ["--host", "0.0.0.0", "--behind-proxy", "--no-auth"], "names that clients may call"),
        ({}, ["--tls-cert", "x.pem"], "a certificate and its key"),
        ({}, ["--tls-cert", "x.pem", "--tls-key", "y.pem"], "cannot be used: there is no file x.pem"),
        ({}, ["--public-url", "trails.example.com"], "serve.public_url is no https address"),
        ({}, ["--public-url", "https://trails.example.com/mcp"], "Leave /mcp out"),
        (
            {"access": RULES, "serve": OPEN, "jwt": {**JWT, "jwks_url": "keys"}},
            ["--auth", "jwt"],
            "jwks_url is no address",
        ),
        ({}, ["--auth", "jwt"], "no access rule"),
        ({"oauth": APP}, ["--auth", "oauth"], "anyone with a GitHub account could read your audit trail"),
        ({"access": RULES}, ["--auth", "jwt"], "needs serve.public_url"),
        ({"access": RULES, "serve": OPEN}, ["--auth", "jwt"], "needs jwt.issuer"),
        ({"access": RULES, "serve": OPEN, "jwt": {"issuer": "x"}}, ["--auth", "jwt"], "one of jwt.jwks_url and"),
        ({"access": RULES, "serve": {"public_url": "http://a.example"}, "jwt": JWT}, ["--auth", "jwt"], "no https"),
        ({"access": RULES, "serve": OPEN}, ["--auth", "oauth"], "needs oauth.client_id and oauth.client_secret"),
        (
            {"access": RULES, "serve": OPEN, "oauth": {**APP, "authorize_url": "https://x.example/a"}},
            ["--auth", "oauth"],
            "userinfo_url",
        ),
        ({"access": [{"who": ["alice"], "accounts": ["*"]}]}, [], "group:secops"),
        ({"access": [{"who": ["*"], "accounts": ["*"], "writes": True}]}, [], "Did you mean write?"),
        ({"jwt": {"algorithms": ["none"]}}, [], "algorithms are some of"),
        ({"jwt": {"algorithms": ["HS256"]}}, [], "algorithms are some of"),
        ({}, ["--toolsets", "event"], "Did you mean events?"),
        ({}, ["--exclude-tools", "lake_quer"], "Did you mean lake_query?"),
    ],
)
def test_what_would_open_the_trails_does_not_start(
    crosstrail: CommandLine, tmp_path: Path, values: dict[str, Any], arguments: list[str], said: str
) -> None:
    done = crosstrail(
        "serve", "--transport", "http", "--port", "0", "--config", write_config(tmp_path, **values), *arguments
    )
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert ("Traceback" in done.stderr, "crosstrail serves" in done.stderr) == (False, False)


def test_sign_in_needs_http(crosstrail: CommandLine, tmp_path: Path) -> None:
    done = crosstrail("serve", "--auth", "jwt", "--config", write_config(tmp_path, access=RULES))
    assert done.returncode == 1
    assert "transport is stdio" in done.stderr


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_tools_answer_over_streamable_http(server: Server, mode: str) -> None:
    async with client_over_http(server.url, mode=mode) as client:
        assert "lookup_events" in {tool.name for tool in (await client.list_tools()).tools}
        found = await client.call_tool("lookup_events", {"target_account_id": "*"})
        assert "6 events" in text_of(found)


async def test_tools_answer_over_sse_where_it_is_asked_for(server: Server) -> None:
    from mcp import Client

    async with Client(sse_client(f"{server.url}/sse"), mode="legacy") as client:
        assert "2 accounts" in text_of(await client.call_tool("list_accounts", {}))
        first = await client.call_tool("lake_query", {"sql": "SELECT count(*) FROM events"})
        assert not first.is_error
    async with client_over_http(server.url) as client:  # the end of one session is not the end of the engine
        assert not (await client.call_tool("lake_query", {"sql": "SELECT count(*) FROM events"})).is_error


def test_each_request_stands_for_itself(server: Server) -> None:
    """No session is needed, one that was never issued is no harm, JSON alone is enough."""
    ids = {"mcp-session-id": "never-issued", "x-amzn-bedrock-agentcore-runtime-session-id": "neither"}
    answer = httpx2.post(f"{server.url}/mcp", json=LIST_TOOLS, headers={**JSON, **ids}, timeout=PATIENCE)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert {tool["name"] for tool in answer.json()["result"]["tools"]} >= {"lookup_events"}
    assert httpx2.get(f"{server.url}/mcp", headers={"Accept": "text/event-stream"}, timeout=PATIENCE).status_code == 405


def test_ping_and_health(server: Server) -> None:
    ping = httpx2.get(f"{server.url}/ping", timeout=PATIENCE).json()
    assert ping["status"] == "Healthy"
    assert abs(ping["time_of_last_update"] - time.time()) < 600
    said = health(server.url, accounts="ok", lake="ok")
    assert said.json() == {"status": "ok", "checks": {"accounts": "ok", "lake": "ok"}}
    assert said.status_code == 200


def test_health_says_that_it_is_not_well_and_no_more(tmp_path: Path) -> None:
    file = tmp_path / "accounts.db"
    engine = create_engine(f"sqlite:///{file}")
    account_tables()["aws"].metadata.create_all(engine)
    engine.dispose()
    with serving(write_config(tmp_path, database={"url": "sqlite:///accounts.db"})) as made:
        file.unlink()
        said = health(made.url, accounts="failing", lake="ok")
    assert said.status_code == 503
    assert said.json()["checks"] == {"accounts": "failing", "lake": "ok"}
    assert str(tmp_path) not in said.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "localhost"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:6274"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/healthz"])
def test_foreign_names_and_pages_are_refused_and_recorded(
    server: Server, path: str, headers: dict[str, str], status: int
) -> None:
    if path == "/mcp":
        answer = httpx2.post(f"{server.url}{path}", json=INITIALIZE, headers={**JSON, **headers}, timeout=PATIENCE)
    else:
        answer = httpx2.get(f"{server.url}{path}", headers=headers, timeout=PATIENCE)
    assert answer.status_code == status
    if status != 200:
        last = server.records()[-1]
        assert (last["kind"], last["status"], last["path"]) == ("refused", status, path)


def test_names_are_configurable(config: Path) -> None:
    allowed = ["--allowed-hosts", "trails.example.com", "--allowed-origins", "https://app.example.com"]
    with serving(config, *allowed) as made:
        headers = {"Host": "trails.example.com", "Origin": "https://app.example.com"}
        answer = httpx2.post(f"{made.url}/mcp", json=INITIALIZE, headers={**JSON, **headers}, timeout=PATIENCE)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
        assert (
            httpx2.post(
                f"{made.url}/mcp", json=INITIALIZE, headers={**JSON, "Host": "x.example"}, timeout=PATIENCE
            ).status_code
            == 421
        )


async def test_headers_only_tighten(config: Path) -> None:
    async def names(url: str, **headers: str) -> set[str]:
        async with client_over_http(url, **headers) as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    with serving(config, "--toolsets", "accounts,trails", "--tools", "lookup_events", "--allow-writes") as made:
        assert await names(made.url) == {"list_accounts", "describe_trails", "create_trail", "lookup_events"}
        assert await names(made.url, **{"X-MCP-Readonly": "true"}) == {
            "list_accounts",
            "describe_trails",
            "lookup_events",
        }
        assert await names(made.url, **{"X-MCP-Toolsets": "events,query"}) == {"lookup_events"}
        assert await names(made.url, **{"X-MCP-Toolsets": "all", "X-MCP-Readonly": "false"}) == await names(made.url)
        assert await names(made.url, **{"X-MCP-Toolsets": "nonsense"}) == set()
        async with client_over_http(made.url, **{"X-MCP-Toolsets": "accounts"}) as client:
            assert (await client.call_tool("lookup_events", {})).is_error
    with serving(config, environ={"CROSSTRAIL_READ_ONLY": "1", "CROSSTRAIL_ALLOW_WRITES": "1"}) as made:
        assert "create_trail" not in await names(made.url)
    with serving(config, "--tools", "lookup_events,list_accounts", "--exclude-tools", "list_accounts") as made:
        assert await names(made.url) == {"lookup_events"}


async def test_rules_without_sign_in_let_nobody_in(config: Path, tmp_path: Path) -> None:
    values = {"access": RULES, "lake": {"path": str(config.parent / "lake")}}
    with serving(write_config(tmp_path, **values)) as made:
        async with client_over_http(made.url) as client:
            assert (await client.list_tools()).tools == []
            assert (await client.call_tool("list_accounts", {})).is_error


async def test_a_call_is_recorded_without_its_values(server: Server) -> None:
    secret = "do-not-write-this"
    async with client_over_http(server.url) as client:
        arguments = {"target_account_id": "prod", "region": "us-east-1", "start_time": "30d"}
        await client.call_tool("lookup_events", {**arguments, "attribute_key": "Username", "attribute_value": secret})
        await client.call_tool("lake_query", {"sql": f"SELECT '{secret}' FROM events", "target_account_id": "nobody"})
    first, second = server.records()[-2:]
    assert (first["tool"], first["outcome"], first["principal"]) == ("lookup_events", "done", "anonymous")
    assert first["asked"] == {"account": "prod", "region": "us-east-1", "start_time": "30d"}
    assert (first["accounts"], first["regions"], first["upstream_calls"]) == ([PROD], ["us-east-1"], 0)
    assert first["bytes"] > 0
    assert (second["tool"], second["outcome"], second["accounts"]) == ("lake_query", "failed", [])
    assert secret not in server.audit.read_text()


def test_a_taken_port_is_said(crosstrail: CommandLine, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = crosstrail("serve", "--transport", "http", "--port", port, "--config", config)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr


async def test_workers_share_the_port(config: Path) -> None:
    with serving(config, "--workers", "2", "--port", str(free_port()), "--audit", "stderr") as made:
        async with client_over_http(made.url) as client:
            assert "6 events" in text_of(await client.call_tool("lookup_events", {"target_account_id": "*"}))
        status = made.stop()
    assert status == 0


def test_over_tls(config: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    with serving(config, "--tls-cert", str(cert), "--tls-key", str(key)) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(cert))
        assert httpx2.get(f"{server.url}/ping", verify=context, timeout=PATIENCE).status_code == 200


def test_an_answer_in_two_packets_does_not_wait_for_the_clients_word() -> None:
    with (
        listening(Listener("127.0.0.1", 0)) as opened,
        socket.create_connection(opened.getsockname()),
        opened.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
