"""Web pages that ask `crosstrail serve`: the preflights that a browser sends, what a page may read, and which pages may not."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from running_server import INITIALIZE, JSON, LIST_TOOLS, PATIENCE, Server, serving, write_config

PAGE = "http://localhost:5173"
ANY_PORT = "http://127.0.0.1:*"
SUBDOMAINS = "https://*.example.com"
MODERN = (
    "accept",
    "authorization",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-param-region",
    "mcp-protocol-version",
    "mcp-session-id",
    "traceparent",
    "tracestate",
    "x-mcp-readonly",
    "x-mcp-toolsets",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = write_config(
        tmp_path_factory.mktemp("pages"),
        serve={"allowed_origins": [PAGE, ANY_PORT, SUBDOMAINS]},
        lake={"path": "lake"},
    )
    with serving(config) as made:
        yield made


def preflight(server: Server, origin: str, *, method: str = "POST", asked: str = "", **more: str) -> httpx2.Response:
    """As Chromium sends it: names of headers in lower case, sorted, with nothing between them but a comma."""
    headers = {
        "Accept": "*/*",
        "Access-Control-Request-Method": method,
        "Origin": origin,
        "Referer": f"{origin}/",
        "Sec-Fetch-Dest": "empty",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Site": "same-site",
        **({"Access-Control-Request-Headers": asked} if asked else {}),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return httpx2.options(f"{server.url}/mcp", headers=headers, timeout=PATIENCE)


@pytest.mark.parametrize("origin", [PAGE, "http://127.0.0.1:49152", "https://app.example.com"])
def test_a_page_of_an_allowed_origin_may_send_what_mcp_clients_send(server: Server, origin: str) -> None:
    answer = preflight(server, origin, asked=",".join(MODERN))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= set(MODERN)
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-private-network" not in answer.headers, "it was not asked for"


def test_a_page_of_an_allowed_origin_may_come_from_a_public_network(server: Server) -> None:
    answer = preflight(server, PAGE, asked="content-type", Access_Control_Request_Private_Network="true")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"


@pytest.mark.parametrize(
    "asked", ["cookie", "content-type,x-other", "mcp-param-", "mcp-param-a b", "mcp-paramregion", "x-mcp-param-region"]
)
def test_a_header_that_no_mcp_client_sends_is_not_allowed(server: Server, asked: str) -> None:
    answer = preflight(server, PAGE, asked=asked)
    assert answer.status_code == 400
    assert asked not in answer.headers["Access-Control-Allow-Headers"]


def test_a_method_that_changes_or_ends_something_is_not_allowed(server: Server) -> None:
    assert preflight(server, PAGE, method="DELETE").status_code == 400


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:5174",  # on this machine, but not listed
        "http://localhost:6274",
        "http://localhost",
        "https://localhost:5173",
        "http://[::1]:5173",
        "http://localhost:5173.evil.example",
        "http://127.0.0.1.evil.example:80",
        "https://example.com",
        "https://app.example.com.evil.example",
        "https://evil.example",
        "null",
    ],
)
def test_a_page_of_another_origin_reads_nothing(server: Server, origin: str) -> None:
    """The second request is one that a browser sends without a preflight; what it answers is not for the page."""
    private = preflight(server, origin, asked="content-type", Access_Control_Request_Private_Network="true")
    assert private.status_code == 403
    plain = httpx2.post(
        f"{server.url}/mcp",
        content=json.dumps(LIST_TOOLS),
        headers={"Accept": "*/*", "Content-Type": "text/plain", "Origin": origin},
        timeout=PATIENCE,
    )
    assert plain.status_code in (400, 403, 415)
    for answer in (private, plain):
        assert not {name for name in answer.headers if name.startswith("access-control-allow-")} & {
            "access-control-allow-origin",
            "access-control-allow-private-network",
        }


def test_a_page_that_reached_this_machine_under_its_own_name_is_refused(server: Server) -> None:
    """DNS rebinding: the name of the page leads here, so the browser asks for no permission."""
    for origin in (PAGE, "http://evil.example:5173"):
        assert preflight(server, origin, asked="content-type", Host="evil.example:5173").status_code == 421


def test_where_no_page_is_allowed_none_is(tmp_path: Path) -> None:
    with serving(write_config(tmp_path, lake={"path": "lake"})) as made:
        answer = preflight(made, PAGE, asked="content-type")
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_page_may_read_what_a_client_needs_of_an_answer(server: Server) -> None:
    answer = httpx2.post(f"{server.url}/mcp", json=INITIALIZE, headers={**JSON, "Origin": PAGE}, timeout=PATIENCE)
    exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed == {"Mcp-Protocol-Version", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate"}
    assert "Origin" in answer.headers["Vary"]


_SCRIPT = """<title>waits</title><script>
const headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json",
  "Authorization": "Bearer none", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list", "Mcp-Name": "x",
  "Mcp-Param-Region": "x", "X-MCP-Toolsets": "events", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
const params = {_meta: {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo":
  {name: "page", version: "0"}, "io.modelcontextprotocol/clientCapabilities": {}}};
fetch("SERVER/mcp", {method: "POST", headers, body: JSON.stringify({jsonrpc: "2.0", id: 1, method: "tools/list", params})})
  .then(answer => answer.text()).catch(error => "blocked: " + error)
  .then(text => fetch("/said", {method: "POST", body: text}));
</script>"""


class _Site(ThreadingHTTPServer):
    """One page, and what its script says it got."""

    def __init__(self, page: str) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.page = page.encode()
        self.said = ""
        self.has_said = threading.Event()


class _Requests(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Site)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.server.page)

    def do_POST(self) -> None:
        assert isinstance(self.server, _Site)
        self.server.said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(204)
        self.end_headers()
        self.server.has_said.set()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def site_of(page: str) -> Iterator[_Site]:
    with _Site(page) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not on this machine")
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_browser_asks_for_an_allowed_page_alone(server: Server, tmp_path: Path, name: str) -> None:
    """127.0.0.1 is an allowed origin with any port; localhost is one with another port."""
    with site_of(_SCRIPT.replace("SERVER", server.url)) as site:
        flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        flags += "--disable-component-update --disable-sync"
        page = f"http://{name}:{site.server_address[1]}/"
        browser = subprocess.Popen(
            ["chromium", *flags.split(), f"--user-data-dir={tmp_path}", "--remote-debugging-port=0", page],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert site.has_said.wait(PATIENCE), "the page's script has not ended"
        finally:
            browser.terminate()
            browser.wait(PATIENCE)
    if name == "localhost":
        assert site.said.startswith("blocked")
    else:
        assert '"lookup_events"' in site.said
