"""A reverse proxy on loopback that serves others' pages too: it forwards what its rule names, and answers 404 to the rest."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

from tcp_server import TcpServer

Rule = Callable[[str], str]
"""The path of a request -> the one to forward it to; empty for what is not ours."""


def leaving(prefix: str) -> Rule:
    """Forwards what begins with a prefix, and the metadata of what does, as it is."""
    return lambda path: path if _begins(path, prefix) or _is_metadata(path, prefix) else ""


def stripping(prefix: str) -> Rule:
    """The same without the prefix, as nginx does where proxy_pass ends with a slash."""
    return lambda path: (
        path if _is_metadata(path, prefix) else path.removeprefix(prefix) or "/" if _begins(path, prefix) else ""
    )


def _begins(path: str, prefix: str) -> bool:
    return f"{path}/".startswith(f"{prefix}/")


def _is_metadata(path: str, prefix: str) -> bool:
    return re.fullmatch(rf"/\.well-known/oauth-[a-z-]+{re.escape(prefix)}(/.*)?", path) is not None


class ReverseProxy(TcpServer):
    """`with ReverseProxy(port, rule) as proxy:` forwards from proxy.port to a port; `paths` are those that were forwarded.

    The Host header stays as it came, answers are passed on as they come, and each connection has one request.
    """

    def __init__(self, port: int, rule: Rule, *, listen: int) -> None:
        super().__init__(listen)
        self.paths: list[str] = []
        self._target, self._rule = port, rule

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, rest = head.split(" ", 2)
            path, mark, query = target.partition("?")
            inner = self._rule(path)
            if not inner:
                writer.write(b"HTTP/1.1 404 -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            self.paths.append(inner)
            length = re.search(r"(?mi)^content-length: *(\d+)", rest)
            body = await reader.readexactly(int(length[1])) if length else b""
            rest = re.sub(r"(?mi)^connection:.*\r\n", "", rest).replace("\r\n", "\r\nConnection: close\r\n", 1)
            await self._passed_on(f"{method} {inner}{mark}{query} {rest}".encode("latin-1") + body, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # who asked has gone
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _passed_on(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        answers, inwards = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            inwards.write(request)
            while part := await answers.read(65_536):
                writer.write(part)
                await writer.drain()
        finally:
            inwards.close()
            with suppress(OSError):
                await inwards.wait_closed()
