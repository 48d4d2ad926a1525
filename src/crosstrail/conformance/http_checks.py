"""How a server behaves over HTTP beside the protocol: sessions, content types, health, made-up tokens.

Decides what a load balancer and Amazon Bedrock AgentCore need of one. Requests here only list tools or say hello; none calls
a tool. The caller's token goes to the checked address and, without redirects, nowhere else.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import anyio
import httpx2

from crosstrail.bounded_http import client, fetched
from crosstrail.conformance.findings import Finding
from crosstrail.trust import refusal_hint

_BOTH = "application/json, text/event-stream"
_PROTOCOL = "2025-11-25"
MAX_BYTES = 32_000_000
"""Of one answer, such as a list of tools: hundreds of times more than a client takes."""
_PING_BYTES = 10_000
_HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": _PROTOCOL,
        "capabilities": {},
        "clientInfo": {"name": "crosstrail-check", "version": "1"},
    },
}
_FIXES = {
    403: "It, or what is in front of it, refuses whoever holds this token: see its log.",
    421: "It does not go by this name: set its public_url or allowed_hosts, or use a name that it knows.",
    429: "It is asked too much: try again later.",
}
_LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


async def check_http(url: str, bearer: str, seconds: float) -> list[Finding]:
    """The findings about an address that answers. `bearer` may be empty."""
    async with client(seconds=seconds, max_bytes=MAX_BYTES) as http:
        sent = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return [
            await _foreign_session(http, url, sent),
            await _json_alone(http, url, sent),
            await _ping(url, seconds),
            await _bad_token(http, url, signed_in=bool(bearer)),
        ]


async def refused(url: str, bearer: str, seconds: float) -> tuple[str, str]:
    """Why an address with which no MCP could be spoken did not greet a client, and what to do; `bearer` may be empty.

    The reason is empty where the answer itself gives none.
    """
    sent = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    async with client(seconds=seconds, max_bytes=MAX_BYTES) as http:
        try:
            with anyio.fail_after(seconds):
                async with http.stream("POST", url, json=_HELLO, headers={**sent, "Accept": _BOTH}) as answer:
                    status, place = answer.status_code, answer.headers.get("location", "")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, ExceptionGroup) as error:
            return "", refusal_hint(error) or "Is it running, and reachable from here under this address? See its log."
    if status == 401:
        fix = f"Give {'another' if bearer else 'a'} token, one that is for this server and has not expired: --bearer -."
    elif 300 <= status < 400:
        return f"it sends clients on to {place[:200] or 'nowhere'}", "Check that address."
    else:
        fix = _FIXES.get(
            status, "See its log." if status >= 500 else "Is this an MCP server's address? Most end in /mcp."
        )
    return (_said(status) if status != 200 else ""), fix


async def _foreign_session(http: httpx2.AsyncClient, url: str, sent: Mapping[str, str]) -> Finding:
    check = "foreign session ids"
    strange = {
        "Mcp-Session-Id": str(uuid.uuid4()),
        "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": secrets.token_hex(20),
    }
    status, _ = await _post(http, url, _LIST, {**sent, **strange, "Mcp-Protocol-Version": _PROTOCOL, "Accept": _BOTH})
    if status == 200:
        return Finding(check, "pass", "a session it never gave out is served")
    fix = "Serve stateless HTTP: behind a load balancer another replica gave that id."
    return Finding(check, "fail", _said(status), fix)


async def _json_alone(http: httpx2.AsyncClient, url: str, sent: Mapping[str, str]) -> Finding:
    check = "Accept: application/json"
    status, answer = await _post(http, url, _HELLO, {**sent, "Accept": "application/json"})
    if status == 200 and answer.startswith("application/json"):
        return Finding(check, "pass")
    detail = _said(status) if status != 200 else f"it answers with {answer or 'no content type'}"
    return Finding(check, "fail", detail, "Answer with JSON where the client takes nothing else.")


async def _ping(url: str, seconds: float) -> Finding:
    split = urlsplit(url)
    if not split.path.rstrip("/").endswith("/mcp"):
        return Finding("/ping", "-", "asked only beside an address that ends in /mcp")
    path = split.path.rstrip("/").removesuffix("mcp") + "ping"
    try:
        address = urlunsplit((split.scheme, split.netloc, path, "", ""))
        status, _, body = await fetched(address, seconds=seconds, max_bytes=_PING_BYTES)
    except (httpx2.HTTPError, TimeoutError) as error:
        return Finding("/ping", "fail", f"no answer: {type(error).__name__}")
    try:
        found = json.loads(body) if status == 200 else None
    except (ValueError, RecursionError):
        found = None
    if is_healthy(found):
        return Finding("/ping", "pass", "Healthy")
    return Finding("/ping", "fail", _said(status), 'Answer {"status": "Healthy", "time_of_last_update": N}.')


def is_healthy(answer: object) -> bool:
    """Whether this is Amazon Bedrock AgentCore's way to say that a container lives."""
    return (
        isinstance(answer, dict)
        and answer.get("status") in ("Healthy", "HealthyBusy")
        and isinstance(answer.get("time_of_last_update"), int)
    )


async def _bad_token(http: httpx2.AsyncClient, url: str, *, signed_in: bool) -> Finding:
    check = "bad token refused"
    made_up = {"Authorization": f"Bearer {secrets.token_urlsafe(32)}", "Accept": _BOTH}
    status, _ = await _post(http, url, _HELLO, made_up)
    if status in (401, 403):
        return Finding(check, "pass", f"status {status}")
    if status == 200 and not signed_in:
        return Finding(check, "-", "it asks nobody for a token: whoever reaches it is let in")
    return Finding(check, "fail", _said(status), "A made-up token must get 401: check the server's sign-in.")


async def _post(http: httpx2.AsyncClient, url: str, body: object, headers: Mapping[str, str]) -> tuple[int, str]:
    """Status and content type; status 0 when there was no answer. The body is left unread: a stream may never end."""
    try:
        with anyio.fail_after(http.timeout.read):
            async with http.stream("POST", url, json=body, headers=dict(headers)) as answer:
                return answer.status_code, answer.headers.get("content-type", "")
    except (httpx2.HTTPError, TimeoutError):
        return 0, ""


def _said(status: int) -> str:
    return f"it answers with status {status}" if status else "it does not answer"
