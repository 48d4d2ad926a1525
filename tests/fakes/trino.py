"""A Trino coordinator as its client protocol has it (https://trino.io/docs/current/develop/client-protocol.html): statement, pages
by nextUri, errors, cancel. Real HTTP, with TLS and client certificates where asked. It runs no SQL: a test says what comes.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Signature = dict[str, Any]
_TYPE = re.compile(r"\s*([a-z][a-z0-9 ]*|[0-9]+|[(),])")


@dataclass(frozen=True)
class Outcome:
    """What comes of a statement. `error`: Trino's, after which there are no rows. `queued`: answers that say QUEUED before.
    `held`: no page comes before it is set; until then the query runs."""

    columns: Sequence[tuple[str, str]] = (("_col0", "bigint"),)
    rows: Sequence[Sequence[object]] = ()
    page: int = 3
    queued: int = 1
    error: Mapping[str, object] | None = None
    held: threading.Event | None = None


@dataclass(frozen=True)
class Asked:
    """A statement as it came."""

    sql: str
    headers: Mapping[str, str]


@dataclass
class Running:
    outcome: Outcome
    asked: Asked
    number: int
    sent: int = 0
    state: str = "QUEUED"


@dataclass
class Wrong:
    """An answer that no Trino gives: its status, headers and body, byte by byte when `drip` says how long to wait between."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: Callable[[], Iterator[bytes]] | None = None


def user_error(
    name: str, message: str, place: tuple[int, int] | None = None, kind: str = "USER_ERROR"
) -> dict[str, object]:
    """As Trino words it: with a place the message begins with it."""
    error: dict[str, object] = {"message": message, "errorCode": 1, "errorName": name, "errorType": kind}
    if place:
        error["message"] = f"line {place[0]}:{place[1]}: {message}"
        error["errorLocation"] = {"lineNumber": place[0], "columnNumber": place[1]}
    return error


class FakeTrino:
    """`respond` says what a statement comes to. `wrong`, asked for each request (method, path), may answer in its place."""

    def __init__(self, respond: Callable[[str], Outcome]) -> None:
        self.respond = respond
        self.wrong: Callable[[str, str], Wrong | None] = lambda method, path: None
        self.authorization: str | None = None
        self.unavailable = 0
        """So many requests are answered with 503."""
        self.queries: dict[str, Running] = {}
        self.requests: list[str] = []
        self.url = ""

    @property
    def asked(self) -> list[Asked]:
        return [query.asked for query in self.queries.values()]

    def states(self) -> list[str]:
        return [query.state for query in self.queries.values()]

    def started(self, asked: Asked) -> dict[str, object]:
        number = len(self.queries) + 1
        name = f"20261126_000000_{number:05d}_fakes"
        self.queries[name] = Running(self.respond(asked.sql), asked, number)
        return self._answer(name, f"queued/{name}/x/0")

    def page(self, kind: str, name: str, token: int) -> dict[str, object]:
        """One answer: as many that say QUEUED as there are to be, then pages."""
        query = self.queries[name]
        outcome = query.outcome
        if query.state in ("FAILED", "CANCELED"):
            return self._failed(name, user_error("USER_CANCELED", "Query was canceled"))
        if token < outcome.queued:
            return self._answer(name, f"queued/{name}/x/{token + 1}")
        if outcome.error:
            query.state = "FAILED"
            return self._failed(name, outcome.error)
        query.state = "RUNNING"
        if outcome.held and not outcome.held.wait(0.05):
            return self._answer(name, f"executing/{name}/x/{token + 1}", columns=True)
        rows = outcome.rows[query.sent : query.sent + outcome.page]
        query.sent += len(rows)
        if query.sent >= len(outcome.rows):
            query.state = "FINISHED"
        following = "" if query.state == "FINISHED" else f"executing/{name}/x/{token + 1}"
        return self._answer(name, following, columns=True) | {"data": rows}

    def cancelled(self, name: str) -> None:
        if self.queries[name].state not in ("FINISHED", "FAILED"):
            self.queries[name].state = "CANCELED"

    def _answer(self, name: str, following: str, *, columns: bool = False) -> dict[str, object]:
        query = self.queries[name]
        answer: dict[str, object] = {
            "id": name,
            "infoUri": f"{self.url}/ui/query.html?{name}",
            "stats": {
                "state": query.state,
                "progressPercentage": 100.0 * query.sent / max(1, len(query.outcome.rows)),
                "processedRows": 10 * query.sent,
                "processedBytes": 1000 * query.sent,
                "physicalInputBytes": 100 * query.sent,
            },
            "warnings": [],
        }
        if following:
            answer["nextUri"] = f"{self.url}/v1/statement/{following}"
        if columns:
            answer["columns"] = [
                {"name": column, "type": kind, "typeSignature": signature(kind)}
                for column, kind in query.outcome.columns
            ]
        return answer

    def _failed(self, name: str, error: Mapping[str, object]) -> dict[str, object]:
        return self._answer(name, "") | {"error": {**error, "failureInfo": {"type": "x", "stack": []}}}


@contextmanager
def running_trino(
    respond: Callable[[str], Outcome], *, certificate: tuple[Path, Path] | None = None, client_ca: Path | None = None
) -> Iterator[FakeTrino]:
    """Serves until the block ends. `certificate`: its file and its key's; `client_ca`: whose certificates callers must show."""
    fake = FakeTrino(respond)

    class Handler(_Handler):
        trino = fake

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    fake.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    trino: FakeTrino
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self._refused():
            return
        assert self.path == "/v1/statement", self.path
        self._send(self.trino.started(Asked(body, dict(self.headers.items()))))

    def do_GET(self) -> None:
        if self._refused():
            return
        kind, name, _, token = self.path.removeprefix("/v1/statement/").split("/")
        self._send(self.trino.page(kind, name, int(token)))

    def do_DELETE(self) -> None:
        if self._refused():
            return
        self.trino.cancelled(self.path.removeprefix("/v1/statement/").split("/")[1])
        self._send(None, 204)

    def _refused(self) -> bool:
        self.trino.requests.append(f"{self.command} {self.path}")
        if wrong := self.trino.wrong(self.command, self.path):
            self._send_wrong(wrong)
            return True
        if self.trino.unavailable:
            self.trino.unavailable -= 1
            self._send(None, 503)
            return True
        if self.trino.authorization is not None and self.headers.get("Authorization") != self.trino.authorization:
            self._send(None, 401)
            return True
        return False

    def _send(self, answer: object, status: int = 200) -> None:
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_wrong(self, wrong: Wrong) -> None:
        self.close_connection = True
        self.send_response(wrong.status)
        for name, value in wrong.headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for part in wrong.parts() if wrong.parts else [wrong.body]:
                self.wfile.write(part)
                self.wfile.flush()
        except OSError:
            return  # whoever asked has had enough

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: tests read what they need."""


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def signature(kind: str) -> Signature:
    """A type's text, such as `row(a varchar, b array(bigint))`, as Trino takes it apart."""
    return _signature(_TYPE.findall(kind))


def _signature(tokens: list[str]) -> Signature:
    """Takes one type off the front."""
    raw = tokens.pop(0).strip()
    arguments: list[Signature] = []
    if tokens and tokens[0] == "(":
        while tokens.pop(0) != ")":
            if tokens[0].isdigit():
                arguments.append({"kind": "LONG", "value": int(tokens.pop(0))})
            elif raw == "row":
                name, _, rest = tokens[0].partition(" ")
                tokens[0] = rest
                field_type = _signature(tokens)
                value = {"fieldName": {"name": name}, "typeSignature": field_type}
                arguments.append({"kind": "NAMED_TYPE", "value": value})
            else:
                arguments.append({"kind": "TYPE", "value": _signature(tokens)})
    return {"rawType": raw, "arguments": arguments}
