"""What the fakes have in common: HTTP in pieces, faults of the wire, and being driven from another process."""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from fakes.aws import World
from fakes.cloud import Fault
from fakes.http import Answer, HttpFake
from running_server import PATIENCE


def echo(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    return Answer(200, f"{method} {path} {headers.get('x-name')} {body.decode()};".encode())


def asked_in_pieces(url: str, *pieces: bytes, until: bytes) -> bytes:
    """What a connection answers to these packets; read until these bytes have come."""
    split = urlsplit(url)
    received = b""
    with socket.create_connection((str(split.hostname), split.port or 0), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        while until not in received:
            part = connection.recv(65536)
            assert part, received
            received += part
    return received


def test_requests_come_whole_however_they_are_sent() -> None:
    request = b"POST /a?b=c HTTP/1.1\r\nX-Name:  n \r\nContent-Length: 4\r\n\r\nbody"
    with HttpFake(echo) as fake:
        one_by_one = [request[at : at + 1] for at in range(len(request))]
        assert asked_in_pieces(fake.url, *one_by_one, until=b";").endswith(b"\r\n\r\nPOST /a?b=c n body;")
        both = asked_in_pieces(fake.url, request + request.replace(b"/a", b"/z"), until=b"/z?b=c n body;")
        assert both.index(b"POST /a?b=c n body;") < both.index(b"POST /z?b=c n body;")
        cut = asked_in_pieces(fake.url, request + request[:30], request[30:-1] + b"X", until=b"bodX;")
        assert cut.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("kind", ["reset", "half"])
def test_a_fault_of_the_wire_breaks_the_answer_off(kind: str) -> None:
    with HttpFake(lambda *_: Answer(200, b"0123456789", wire=kind)) as fake, pytest.raises(httpx2.TransportError):
        httpx2.get(fake.url, timeout=PATIENCE)


def test_a_fault_strikes_what_it_names_and_so_often() -> None:
    fault = Fault("500", times=2, account="1", action="Look")
    asked = [("2", "r", "Look"), ("1", "r", "Touch"), ("1", "r", "Look"), ("1", "s", "Look"), ("1", "r", "Look")]
    assert [fault.strikes(*one) for one in asked] == [False, False, True, True, False]
    with pytest.raises(ValueError, match="flood is none of 500, 503, code"):
        World().fail("flood")


@pytest.mark.parametrize("cloud", ["aws", "volcengine"])
def test_a_process_of_its_own_is_told_what_to_do_and_ends_with_its_input(cloud: str) -> None:
    command = [sys.executable, "-m", f"fakes.{cloud}", "--accounts", "3", "--events", "2", "--delay", "0"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        told = json.loads(process.stdout.readline())
        control = f"{told['url']}/_fake"
        assert len(told["accounts"]) == 3
        assert told["base"]["secret_access_key"]
        assert httpx2.post(told["url"], content=b"Action=GetCallerIdentity", timeout=PATIENCE).status_code in (401, 403)
        [asked] = httpx2.post(f"{control}/requests", timeout=PATIENCE).json()
        assert (asked["account"], asked["code"][:26]) == ("", "MissingAuthenticationToken")
        assert httpx2.post(f"{control}/clear", timeout=PATIENCE).status_code == 200
        assert httpx2.post(f"{control}/requests", timeout=PATIENCE).json() == []
        assert httpx2.post(f"{control}/set", json={"delay": 0.001}, timeout=PATIENCE).status_code == 200
        assert httpx2.post(f"{control}/set", json={"accounts": 1}, timeout=PATIENCE).status_code == 400
        assert httpx2.post(f"{control}/other", timeout=PATIENCE).status_code == 404
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_a_fake_that_ends_leaves_no_connection_open() -> None:
    """Not even one that was accepted in its last moment: some later test would be told of it."""
    for _ in range(20):
        with HttpFake(lambda *_: Answer(200, b"")) as fake:
            address = ("127.0.0.1", int(fake.url.rpartition(":")[2]))
            clients = [socket.create_connection(address) for _ in range(3)]
        for client in clients:
            client.close()
    gc.collect()
