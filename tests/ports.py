"""Ports of this machine for servers that must be told before they start where they will be."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port of loopback that nobody else gets as long as these tests run.

    It stays bound here. Nobody listens at it, so that who allows reuse, as servers do, can; until then it refuses.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port: int = held.getsockname()[1]
    held.detach()
    return port
