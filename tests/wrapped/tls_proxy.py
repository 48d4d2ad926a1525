"""An HTTPS proxy that answers every host itself, for a server that reads one document from AWS when it starts."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from certificates import make_certificate


class TlsProxy:
    """`with TlsProxy(folder, host, document) as proxy:` answers GETs of `host` with `document`; trust proxy.certificate."""

    def __init__(self, folder: Path, host: str, document: bytes) -> None:
        self.certificate, key = make_certificate(folder, host)
        self.asked: list[str] = []
        self._document = document
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                try:
                    self._answer(connection)
                except OSError:  # also what ssl raises
                    continue

    def _answer(self, connection: socket.socket) -> None:
        self.asked.append(_head(connection).split(" ")[1])
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with self._context.wrap_socket(connection, server_side=True) as secure:
            _head(secure)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(self._document)}\r\n"
            secure.sendall(head.encode() + b"Connection: close\r\n\r\n" + self._document)


def _head(connection: socket.socket) -> str:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(4096)
        if not chunk:
            raise ConnectionError
        received += chunk
    return received.decode("latin-1")
