"""Connections that stay open between two requests: for how long, and how many of them."""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from crosstrail.settings.server_settings import ServeSettings
from running_server import PATIENCE, Server, serving, started, write_config
from volcengine_server import DROP_IN, PROGRAMS, Program, served

PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
FILES = 256
KEYS = {"VOLCENGINE_ACCESS_KEY": "AKLT1", "VOLCENGINE_SECRET_KEY": "x"}


@contextmanager
def running(program: Program, folder: Path, environ: Mapping[str, str]) -> Iterator[Server]:
    if program is DROP_IN:
        with served({**KEYS, **environ}, audit=folder / "audit.jsonl") as made:
            yield made
    else:
        with serving(write_config(folder, lake={"path": "lake"}), environ=environ) as made:
            yield made


def connected(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def asked(connection: socket.socket) -> bytes:
    connection.sendall(PING)
    return connection.recv(65_536)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_an_idle_connection_stays_open_as_long_as_it_is_set(tmp_path: Path, program: Program) -> None:
    """Until another server, set to a second, has closed its own: the default is longer than what load balancers keep."""
    assert ServeSettings().keep_alive > 60
    (tmp_path / "short").mkdir()
    with (
        running(program, tmp_path, {}) as long,
        running(program, tmp_path / "short", {"CROSSTRAIL_KEEP_ALIVE": "1"}) as short,
        connected(long) as stays,
        connected(short) as ends,
    ):
        assert asked(stays).startswith(b"HTTP/1.1 200 ")
        assert asked(ends).startswith(b"HTTP/1.1 200 ")
        assert ends.recv(1) == b""
        assert select.select([stays], [], [], 0)[0] == []
        assert asked(stays).startswith(b"HTTP/1.1 200 ")


def test_idle_connections_keep_nobody_out(tmp_path: Path) -> None:
    """More of them than the process may have open: the one that has been idle longest makes room for the next."""
    command = ["sh", "-c", f'ulimit -n {FILES} && exec "$@"', "sh", sys.executable, "-m", "crosstrail", "serve"]
    arguments = ["--config", str(write_config(tmp_path, lake={"path": "lake"})), "--transport", "http", "--port", "0"]
    with started([*command, *arguments], {"CROSSTRAIL_KEEP_ALIVE": "4000"}) as server, ExitStack() as opened:
        first, *others = [opened.enter_context(connected(server)) for _ in range(2)]
        assert asked(first).startswith(b"HTTP/1.1 200 ")
        for _ in range(FILES):
            others.append(opened.enter_context(connected(server)))
            assert asked(others[-1]).startswith(b"HTTP/1.1 200 ")
        assert first.recv(1) == b""
        assert asked(others[-1]).startswith(b"HTTP/1.1 200 ")
        assert not any("resource" in line for line in server.lines), "it never ran out of files"
