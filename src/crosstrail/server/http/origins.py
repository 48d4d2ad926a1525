"""Which names a server may be called by, and which web pages may ask it.

Decides both from the settings. A page whose origin is on loopback passes HostCheck, as programs with a window send one; only a
page of `serve.allowed_origins` gets answers that a browser lets it read: what serves pages on localhost may be another machine's,
forwarded.
"""

from __future__ import annotations

import re
from fnmatch import translate
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response

from crosstrail.settings.server_settings import ServeSettings

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_HEADERS_OF_PAGES = (
    "Accept",
    "Authorization",
    "Content-Type",
    "Last-Event-ID",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Protocol-Version",
    "Mcp-Session-Id",
    "X-MCP-Readonly",
    "X-MCP-Toolsets",
    "traceparent",
    "tracestate",
)
"""What MCP clients send, of every revision of the protocol, what narrows the tools, and W3C's trace context."""
_HEADERS_FOR_PAGES = ("Mcp-Protocol-Version", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate")
_ASKED, _ALLOWED = "Access-Control-Request-Headers", "Access-Control-Allow-Headers"
_PARAMETER = re.compile(r"mcp-param-[a-z0-9!#$%&'*+.^_`|~-]+", re.IGNORECASE)
"""MCP 2026-07-28: a client repeats an argument in such a header where the tool's schema says so (x-mcp-header)."""


def known_hosts(serve: ServeSettings) -> list[str]:
    """Values of Host: `name` or `name:port`, where `*` is any."""
    names = [*serve.allowed_hosts]
    if serve.public_url:
        names.append(urlsplit(serve.public_url).netloc)
    if serve.loopback and not serve.behind_proxy:
        names += _LOOPBACK_NAMES
    return [pattern for name in names for pattern in (name, f"{name}:*")]


def known_origins(serve: ServeSettings) -> list[str]:
    """Values of Origin with which a request is taken, as patterns."""
    names = [*serve.allowed_origins]
    if serve.public_url:
        split = urlsplit(serve.public_url)
        names.append(f"{split.scheme}://{split.netloc}")
    if serve.loopback and not serve.behind_proxy:
        names += [f"{scheme}://{host}" for host in _LOOPBACK_NAMES for scheme in ("http", "https")]
        names += [f"{name}:*" for name in names if urlsplit(name).hostname in ("127.0.0.1", "localhost", "::1")]
    return names


def pages(serve: ServeSettings) -> list[Middleware]:
    """Lets pages of the allowed origins ask and read answers, with tokens and keys in headers; never with cookies."""
    if not serve.allowed_origins:
        return []
    return [
        Middleware(
            _Cors,
            allow_origin_regex="(?i)"
            + "|".join(translate(pattern.replace("[", "[[]")) for pattern in serve.allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=_HEADERS_OF_PAGES,
            allow_private_network=True,
            expose_headers=_HEADERS_FOR_PAGES,
        )
    ]


class _Cors(CORSMiddleware):
    """Starlette's, which cannot allow headers by how they begin, and says of any origin that it may reach a private network."""

    def preflight_response(self, request_headers: Headers) -> Response:
        if not self.is_allowed_origin(request_headers["Origin"]):
            return PlainTextResponse("serve.allowed_origins does not list this origin", 403)
        asked = [name.strip() for name in request_headers.get(_ASKED, "").split(",") if name.strip()]
        arguments = [name for name in asked if _PARAMETER.fullmatch(name)]
        headers = request_headers.mutablecopy()
        del headers[_ASKED]
        if others := [name for name in asked if name not in arguments]:
            headers[_ASKED] = ",".join(others)
        answer = super().preflight_response(headers)
        answer.headers[_ALLOWED] = ", ".join((answer.headers[_ALLOWED], *arguments))
        return answer
