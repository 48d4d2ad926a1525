"""`mcp-server-cloud-trail` over TLS, and as SSE alone: what listens, and who can speak to it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from fakes.volcengine import FakeVolcengine
from listed_accounts import moment
from live_volcengine import CN_PROD
from running_server import PATIENCE, client_over_http, client_over_sse
from volcengine_server import bearer, json_of, served


def test_header_credentials_over_tls_on_every_address(certificate: tuple[Path, Path]) -> None:
    cert_file, key_file = certificate
    trusted = ssl.create_default_context(cafile=str(cert_file))
    with FakeVolcengine() as fake:
        key = fake.world.add_key(CN_PROD)
        event = fake.world.accounts[CN_PROD].log("GetUser", moment())
        flags = ("--host", "0.0.0.0", "--tls-cert", str(cert_file), "--tls-key", str(key_file))
        with served({"VOLCENGINE_CREDENTIAL_TYPE": "token", "VOLCENGINE_ENDPOINT": fake.url}, *flags) as server:
            assert server.url.startswith("https://0.0.0.0:")
            url = server.url.replace("0.0.0.0", "127.0.0.1")

            async def ask() -> list[str]:
                async with (
                    httpx2.AsyncClient(verify=trusted, headers=bearer(key), timeout=PATIENCE) as http,
                    Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
                ):
                    told = json_of(await client.call_tool("LookupEvents", {}))
                    return [one["EventID"] for one in told["Trails"]]

            assert anyio.run(ask) == [event]
            with pytest.raises(httpx2.TransportError):
                httpx2.get(url.replace("https", "http") + "/sse", headers=bearer(key), timeout=PATIENCE)


@pytest.mark.parametrize("mode", ["sse", "http"])
def test_either_mode_serves_both_transports(mode: str) -> None:
    with FakeVolcengine() as fake:
        key = fake.world.add_key(CN_PROD)
        environ = {
            "MCP_SERVER_MODE": mode,
            "VOLCENGINE_ENDPOINT": fake.url,
            "VOLCENGINE_ACCESS_KEY": key.id,
            "VOLCENGINE_SECRET_KEY": key.secret,
        }
        with served(environ) as server:

            async def ask() -> list[int]:
                found = []
                for over in (client_over_http, client_over_sse):
                    async with over(server.url) as client:
                        found.append(len(json_of(await client.call_tool("LookupEvents", {}))["Trails"]))
                return found

            assert anyio.run(ask) == [0, 0]


def test_a_port_that_is_taken_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with (
            pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1 port {port}"),
            served({"MCP_SERVER_PORT": port}),
        ):
            pass
