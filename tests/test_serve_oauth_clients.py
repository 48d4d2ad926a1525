"""Clients that name themselves by an address (client ID metadata documents): nobody fetches what a stranger names."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from fakes.idp import FakeIdp
from ports import free_port
from running_server import PATIENCE, Server
from signing_in import authorize_url, recorded, signing_in

ADDRESSES = (
    "https://client.example/oauth/metadata.json",
    "https://client.example:8443/x",
    "https://client.example:99999/x",
    "https://127.0.0.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/x",
    "https://user@client.example/x",
    "http://client.example/x",
    "file:///etc/passwd",
    "../../mcp-oauth-proxy-clients/x",
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A place on loopback that notices whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


@pytest.fixture
def server(idp: FakeIdp, tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that would send whatever it fetches over https to the listener, as a proxy that finds any name."""
    monkeypatch.setenv("FASTMCP_SSRF_TRUST_PROXY", "true")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
    with signing_in(tmp_path, idp, free_port()) as made:
        yield made


def test_an_address_is_no_clients_id_and_is_not_fetched(server: Server, listener: socket.socket) -> None:
    said = httpx2.get(f"{server.url}/.well-known/oauth-authorization-server", timeout=PATIENCE).json()
    assert not said.get("client_id_metadata_document_supported")
    assert said["token_endpoint_auth_methods_supported"] == ["none"]
    for address in (*ADDRESSES, f"https://127.0.0.1:{listener.getsockname()[1]}/x"):
        with recorded(server, 400, 401):
            begun = httpx2.get(authorize_url(server, address, "v" * 50), timeout=PATIENCE)
            assert (begun.status_code, "location" in begun.headers) == (400, False)
            form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": address}
            assertion = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
            form |= {**assertion, "client_assertion": "a.b.c"}
            ended = httpx2.post(f"{server.url}/token", data=form, timeout=PATIENCE)
            assert (ended.status_code, ended.json()["error"]) == (401, "invalid_client")
        with pytest.raises(BlockingIOError):
            listener.accept()
