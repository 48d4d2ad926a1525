"""`crosstrail check` and the reads of keys, asked of servers whose answers never end."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from pydantic import SecretStr

from conftest import CommandLine
from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.bounded_http import TooMuch, fetched
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.calls import DESCRIBE_TRAILS
from crosstrail.conformance.http_checks import MAX_BYTES
from crosstrail.errors import CloudUnavailable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n%s\r\n"
PIECE = b'{"jsonrpc":"2.0","id":1,"result":{"x":"' + b"y" * 1_000_000


class Endless:
    """Answers every request without end; `sent` is what it got rid of on its busiest connection."""

    def __init__(self, kind: bytes = b"application/json", more: bytes = b"", piece: bytes = PIECE) -> None:
        self.sent = 0
        self._answer, self._piece = HEAD % (kind, more), piece
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._answered, args=(self._listener.accept()[0],), daemon=True).start()

    def _answered(self, connection: socket.socket) -> None:
        sent = 0
        with suppress(OSError), connection:
            connection.recv(65_536)
            connection.sendall(self._answer)
            while sent < 40 * MAX_BYTES:
                connection.sendall(self._piece)
                sent += len(self._piece)
                self.sent = max(self.sent, sent)


@contextmanager
def endless(*arguments: bytes) -> Iterator[Endless]:
    server = Endless(*arguments)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("kind", [b"application/json", b"text/event-stream"])
def test_an_answer_without_end_is_given_up_after_a_bound(crosstrail: CommandLine, kind: bytes) -> None:
    with endless(kind) as server:
        done = crosstrail("check", "--within", "60", f"{server.url}/mcp")
    assert done.returncode == 1
    assert server.sent < 2 * MAX_BYTES
    assert "Traceback" not in done.stderr


def test_an_answer_of_a_cloud_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    credentials = Credentials("AKLTEXAMPLE", SecretStr("not used"), None)
    with endless() as server:
        api = VolcengineApi(server.url, read_timeout=60)
        with pytest.raises(CloudUnavailable):
            api.call_blocking(DESCRIBE_TRAILS, {}, credentials, RequestInfo("cn-prod", "cn-beijing", "DescribeTrails"))
        api.close()
    assert server.sent < 4 * MAX_BYTES


@pytest.mark.anyio
async def test_a_read_is_bounded_in_bytes_and_nothing_is_unpacked() -> None:
    with endless() as server, pytest.raises(TooMuch):
        await fetched(server.url, seconds=60, max_bytes=10_000)
    packed = gzip.compress(b"0" * 10_000_000)
    with endless(b"application/json", b"Content-Encoding: gzip\r\n", packed) as server, pytest.raises(TooMuch):
        await fetched(server.url, seconds=60, max_bytes=100_000_000)


@pytest.mark.anyio
async def test_a_read_is_bounded_in_time_however_an_answer_trickles() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises((TimeoutError, Exception)) as ended:
        await fetched(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.2, max_bytes=10)
    assert "imeout" in type(ended.value).__name__
