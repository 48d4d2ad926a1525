"""What strangers send to `crosstrail serve` and `mcp-server-cloud-trail` before any tool is asked: each refused with its status,
recorded, and told why.

Through real sockets, so that what no client would send is sent.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crosstrail.accounts.policy import Principal
from crosstrail.call_context import CallContext
from crosstrail.server.access.audit import AuditLog
from crosstrail.settings.audit_settings import AuditSettings
from running_server import INITIALIZE, JSON, LIST_TOOLS, PATIENCE, Server, post, serving, write_config
from volcengine_server import DROP_IN, PROGRAMS, Program, served

HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
ANN = Principal(subject="ann")
SECRET = "do-not-write-this"
_FIELDS = ("target_account_id", "start_time", "attribute_value", "next_token", "region", "x")


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> Program:
    found: Program = request.param
    return found


@pytest.fixture(scope="module")
def server(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that whoever reaches it may ask."""
    folder = tmp_path_factory.mktemp("attacks")
    environ = {
        "VOLCENGINE_ENDPOINT": "http://127.0.0.1:9",
        "VOLCENGINE_ACCESS_KEY": "AKLT1",
        "VOLCENGINE_SECRET_KEY": "x",
    }
    with (
        served(environ, audit=folder / "audit.jsonl")
        if program is DROP_IN
        else serving(write_config(folder, lake={"path": "lake"}))
    ) as made:
        yield made


def connected(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def rest(connection: socket.socket) -> bytes:
    answer = b""
    while part := connection.recv(65_536):
        answer += part
    return answer


def raw(server: Server, data: bytes) -> bytes:
    with connected(server) as connection:
        connection.sendall(data)
        return rest(connection)


def refused(server: Server, before: int) -> list[dict[str, Any]]:
    return [one for one in server.records()[before:] if one["kind"] == "refused"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEAD + b"Authorization: Bearer " + SECRET.encode() * 60_000 + b"\r\n\r\n", 431),
        (HEAD + b"Authorization: Bearer " + SECRET.encode() * 4_000 + b"\r\n\r\n", 431),
        (HEAD + b"".join(b"X-%d: %s\r\n" % (number, SECRET.encode()) for number in range(2_000)) + b"\r\n", 431),
        (b"GET /" + SECRET.encode() * 2_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET /ping?" + SECRET.encode() * 2_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (HEAD + b"Authorization: Bearer one\r\nAuthorization: Bearer other\r\n\r\n", 400),
        (HEAD + b"X-MCP-Readonly: false\r\nX-MCP-Readonly: true\r\n\r\n", 400),
        (HEAD + b"X-MCP-Toolsets: all\r\nX-MCP-Toolsets: events\r\n\r\n", 400),
        (HEAD + b"X-A: b\x00c\r\n\r\n", 400),
        (HEAD + b"X-A: b\rX-B: c\r\n\r\n", 400),
        (HEAD + b"X-A : b\r\n\r\n", 400),
        (HEAD + b"Host: evil.example\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /ping HTTP/1.1\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
def test_what_is_too_large_or_no_http_is_refused_recorded_and_told(server: Server, data: bytes, status: int) -> None:
    before, said = len(server.records()), len(server.lines)
    answer = raw(server, data)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b"evil.example" not in answer
    [made] = refused(server, before)
    assert made["status"] == status
    assert SECRET not in json.dumps({**made, "path": ""})
    assert len(made["path"].encode()) <= 200
    assert server.lines[said:] == []  # a stranger does not fill the log either


def test_a_header_cannot_be_put_into_an_answer_or_a_line_into_the_record(server: Server) -> None:
    before = len(server.records())
    injected = b"GET /mcp%0d%0aSet-Cookie:%20a=b%0a{%22kind%22:%22call%22} HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    answer = raw(server, injected.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"set-cookie" not in answer.lower()
    [made] = refused(server, before)
    assert "\n" not in made["path"]
    assert made["path"].startswith("/mcp")
    assert len(server.records()) == before + 1


def test_a_refusal_names_the_address_that_connected_whatever_it_says_of_itself(server: Server) -> None:
    before = len(server.records())
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Host": "evil.example"}
    assert httpx2.get(f"{server.url}/ping", headers=forged, timeout=PATIENCE).status_code == 421
    assert [one["address"] for one in refused(server, before)] == ["127.0.0.1"]


def test_nobody_is_sent_on_to_an_address_without_tls(server: Server) -> None:
    """The same answer with a slash at the end: a redirect would name the scheme that this process sees."""
    answer = httpx2.post(f"{server.url}/mcp/", json=LIST_TOOLS, headers=JSON, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["id"]) == (200, LIST_TOOLS["id"])
    for path in ("/ping/", "/healthz/"):
        assert httpx2.get(f"{server.url}{path}", timeout=PATIENCE).status_code == 404


def test_a_body_too_large_is_refused_and_its_sender_sees_why(server: Server) -> None:
    before = len(server.records())
    assert post(server.url, b"x" * 1_000_001).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 50_000

    assert httpx2.post(f"{server.url}/mcp", content=endless(), headers=JSON, timeout=PATIENCE).status_code == 413
    assert [one["status"] for one in refused(server, before)] == [413, 413]


def test_bodies_on_their_way_are_bounded_together(server: Server) -> None:
    """Each is small enough; all of them together are not held."""
    opened, before = [], len(server.records())
    try:
        for _ in range(75):
            connection = connected(server)
            opened.append(connection)
            connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n" + b" " * 900_000)
        told, _, _ = select.select(opened, [], [], 9)  # before the time that a body has is over
        assert told[0].recv(100).startswith(b"HTTP/1.1 429 ")
        assert 429 in {one["status"] for one in refused(server, before)}
    finally:
        for connection in opened:
            connection.close()
    assert post(server.url, LIST_TOOLS).status_code == 200


def test_who_trickles_is_sent_away(server: Server) -> None:
    """All at once: they take the server's own time limits."""
    before = len(server.records())
    with (
        connected(server) as slow_line,
        connected(server) as slow_header,
        connected(server) as slow_body,
        connected(server) as second_request,
        connected(server) as silent,
    ):
        slow_line.sendall(b"PO")
        slow_header.sendall(HEAD)
        slow_body.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        body = json.dumps(LIST_TOOLS).encode()
        second_request.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert second_request.recv(100).startswith(b"HTTP/1.1 200 ")
        second_request.sendall(b"GET /pi")
        assert rest(slow_line) == b""
        assert rest(slow_header) == b""
        assert rest(slow_body).startswith(b"HTTP/1.1 408 ")
        assert b"HTTP/1.1 " not in rest(second_request)
        assert rest(silent) == b""
    late = [one["status"] for one in refused(server, before) if one["status"] != 429]  # those of the test before
    assert late == [408, 408, 408, 408]


def test_a_method_or_path_that_is_none_reaches_nothing(server: Server, program: Program) -> None:
    for method, path in (("GET", "/mcp"), ("DELETE", "/mcp"), ("PUT", "/mcp"), ("TRACE", "/mcp"), ("POST", "/ping")):
        assert httpx2.request(method, f"{server.url}{path}", timeout=PATIENCE).status_code == 405
    of_sse = {"/sse": 405, "/messages/?session_id=x": 400} if program is DROP_IN else {}
    for path in ("/", "/admin", "/mcp/../healthz/x", "/sse", "/messages/?session_id=x", "/%2e%2e/etc/passwd"):
        answer = httpx2.post(f"{server.url}{path}", json=INITIALIZE, headers=JSON, timeout=PATIENCE)
        assert answer.status_code == of_sse.get(path, 404), path


def test_a_flood_of_refusals_pushes_no_call_out_of_the_record(tmp_path: Path) -> None:
    now = [0.0]
    file = tmp_path / "audit.jsonl"
    record = AuditLog(AuditSettings(to=str(file)), clock=lambda: now[0])
    for number in range(5_000):
        record.refused(401 if number % 2 else 421, method="POST", path="/mcp", address="203.0.113.9")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 300
    now[0] = 60.0
    record.refused(401, method="POST", path="/mcp", address="203.0.113.9")
    for number in range(400):
        record.call(
            ANN, "list_accounts", {}, request_id=str(number), outcome="limited", seconds=0, caller=CallContext()
        )
    record.call(ANN, "list_accounts", {}, request_id="mine", outcome="done", seconds=0, caller=CallContext())
    record.close()
    later = [json.loads(line) for line in file.read_text().splitlines()[300:]]
    assert {(one["status"], one["more"]) for one in later[:2]} == {(401, 2350), (421, 2350)}
    assert len(later) == 2 + 300 + 1 + 1
    assert (later[-2]["kind"], later[-2]["request_id"]) == ("call", "mine")
    assert (later[-1]["outcome"], later[-1]["more"]) == ("limited", 101)


@pytest.mark.parametrize(
    "arguments",
    [
        *({"attribute_key": "EventName", "attribute_value": "x", field: "HALF"} for field in _FIELDS),
        {"NextToken": "HALF"},
        {"StartTime": "HALF"},
        {"LookupConditions": "HALF"},
        {"LookupConditions": [{"LookupConditionKey": "EventName", "LookupConditionValue": "HALF"}]},
        {"HALF": 1},
    ],
)
def test_half_a_character_breaks_nothing(server: Server, program: Program, arguments: dict[str, Any]) -> None:
    params = {"name": program.lookup, "arguments": arguments}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    before = len(server.lines)
    answer = post(server.url, body.replace("HALF", r"\ud800\udfff\udfff").encode())
    assert answer.status_code in (200, 400)
    assert "unexpected" not in answer.text
    assert not any("Traceback" in line for line in server.lines[before:])
