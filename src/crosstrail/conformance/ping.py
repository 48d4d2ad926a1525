"""The health check of a container: does the server that the settings here describe answer /ping?

Decides which address and name to ask by; it judges nothing else, and imports no MCP, because it runs every few seconds.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from urllib.parse import urlsplit

from crosstrail.conformance.findings import Finding
from crosstrail.settings.server_settings import ServeSettings

_SECONDS = 5.0


def ping(serve: ServeSettings) -> Finding:
    """Ask over loopback or its Unix socket, by a name the server goes by. Its certificate names the public address, so it is not compared."""
    host = "localhost" if serve.socket else _reached(serve.host)
    where = serve.socket or f"port {serve.port}"
    connection: http.client.HTTPConnection
    if serve.socket:
        connection = _UnixConnection(serve.socket)
    elif serve.tls_cert:
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, serve.port, timeout=_SECONDS, context=unchecked)
    else:
        connection = http.client.HTTPConnection(host, serve.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/ping", headers={"Host": _name(serve, host)})
        answer = connection.getresponse()
        found = json.loads(answer.read(10_000))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Finding("/ping", "fail", f"no healthy answer on {where}: {type(error).__name__}")
    finally:
        connection.close()
    if answer.status == 200 and isinstance(found, dict) and found.get("status") == "Healthy":
        return Finding("/ping", "pass", "Healthy")
    return Finding("/ping", "fail", f"{where} answers with status {answer.status}")


def _reached(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def _name(serve: ServeSettings, host: str) -> str:
    """A Host that the server accepts: behind a proxy it knows only the names it was given."""
    public = urlsplit(serve.public_url).netloc
    plain = [name for name in serve.allowed_hosts if "*" not in name]
    return public or (plain[0] if plain else f"[{host}]" if ":" in host else host)
