"""Where a server listens: an address and a port, or a Unix socket.

Decides which sockets are opened, who may connect to a Unix socket, and when the file of one that ended is removed. Which names a
server may be called by is not its matter: see origins.py.
"""

from __future__ import annotations

import os
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from crosstrail.errors import ConfigError

_BACKLOG = 2048
_ALL_ADDRESSES = ("", "::")
_LOCK_SECONDS = 5.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Listener:
    """`host`: `0.0.0.0` is every IPv4 address, `::` every address of both families, `""` every address that there is.
    `path`: of a Unix socket, instead of host and port; `group`: whose members may connect to it beside its owner."""

    host: str
    port: int
    path: str = ""
    group: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    keep_alive: int = 75
    """Seconds that a connection stays open between two requests."""

    def address(self, opened: socket.socket) -> str:
        """`http://127.0.0.1:8888`, with the port that was really taken, or `http://unix:/run/crosstrail.sock:`."""
        scheme = "https" if self.tls_cert else "http"
        if self.path:
            return f"{scheme}://unix:{self.path}:"
        host = self.host or opened.getsockname()[0]
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{opened.getsockname()[1]}"


@contextmanager
def listening(listener: Listener) -> Iterator[socket.socket]:
    """A socket that takes connections from now on. Raises ConfigError when the address or the path is taken or not this
    machine's, or the certificate cannot be used."""
    if listener.tls_cert:
        _check_certificate(listener)
    if listener.path:
        with _unix_socket(listener) as opened:
            yield opened
        return
    try:
        opened = _tcp_socket(listener)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {listener.host} port {listener.port}: {error.strerror or 'not an address'}",
            hint="Choose another port or address (CROSSTRAIL_PORT; for mcp-server-cloud-trail MCP_SERVER_PORT).",
        ) from None
    with opened:
        # asyncio does it for sockets that name TCP alone; without it an answer's second packet waits 40 ms.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield opened


def _tcp_socket(listener: Listener) -> socket.socket:
    """Raises OSError."""
    address = (listener.host, listener.port)
    if listener.host not in _ALL_ADDRESSES:
        family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    if not listener.host and not _has_ipv6():
        return socket.create_server(address, family=socket.AF_INET, backlog=_BACKLOG)
    both = socket.has_dualstack_ipv6()
    return socket.create_server(address, family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=both)


def _has_ipv6() -> bool:
    """Whether this machine takes connections over IPv6: a container often has it compiled in and switched off."""
    try:
        socket.create_server(("::", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@contextmanager
def _unix_socket(listener: Listener) -> Iterator[socket.socket]:
    """Its file is removed at the end. Raises ConfigError."""
    path = listener.path
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigError(
            "serve.socket: Python has no Unix sockets on this system", hint="Set serve.host and serve.port."
        )
    try:
        with _alone_in(os.path.dirname(path) or "."):
            _remove_stale(path)
            opened = _bound(path, _group_id(listener.group))
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {path}: {error.strerror or type(error).__name__}",
            hint="serve.socket (CROSSTRAIL_SOCKET) is a path of at most some 100 bytes in a folder that this user may write to.",
        ) from None
    ours = os.stat(path).st_ino
    with opened:
        try:
            yield opened
        finally:
            with suppress(OSError):
                if os.stat(path).st_ino == ours:
                    os.unlink(path)


@contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """In this block no other crosstrail removes or makes a socket in the folder: of several that start at once, one would
    otherwise remove what another has just made. Raises OSError."""
    import fcntl  # not on Windows, which has no such sockets here

    opened = os.open(folder, os.O_RDONLY)
    until = time.monotonic() + _LOCK_SECONDS
    try:
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(opened)


def _remove_stale(path: str) -> None:
    """The file of a socket that nobody listens on. Raises ConfigError where somebody does, or where it is no socket; OSError."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"cannot listen on {path}: it is a file, and no socket", hint="Choose another serve.socket.")
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)  # a full queue is somebody's, too
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass
    raise ConfigError(
        f"cannot listen on {path}: another process does", hint="End that one, or choose another serve.socket."
    )


def _bound(path: str, group: int | None) -> socket.socket:
    """Nobody can connect before its mode is set: only then it listens. Raises OSError."""
    opened, bound = socket.socket(socket.AF_UNIX), False
    try:
        opened.bind(path)
        bound = True
        os.chmod(path, 0o600)
        if group is not None:
            os.chown(path, -1, group)
            os.chmod(path, 0o660)
        opened.listen(_BACKLOG)
    except OSError:
        opened.close()
        if bound:
            os.unlink(path)
        raise
    return opened


def _group_id(name: str) -> int | None:
    """Of a group's name or number. Raises ConfigError."""
    if not name or name.isdecimal():
        return int(name) if name else None
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(f"serve.socket_group: there is no group {name} on this machine") from None


def _check_certificate(listener: Listener) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(listener.tls_cert, listener.tls_key or None)
    except OSError as error:  # ssl's errors are among them
        absent = next((name for name in (listener.tls_cert, listener.tls_key) if name and not os.path.exists(name)), "")
        reason = f"there is no file {absent}" if absent else error.strerror or type(error).__name__
        raise ConfigError(
            f"the TLS certificate or its key cannot be used: {reason}", hint="Check --tls-cert and --tls-key."
        ) from None
