"""What a refused caller is told to ask for: the scopes that a token needs, in the challenge of a 401 and a 403.

Decides nothing else: the MCP SDK refuses, and names the resource metadata (RFC 9728), but not the scopes that MCP's
authorization specification wants beside it (RFC 6750, 3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""A scope token of RFC 6749, 3.3: what may stand in a quoted string."""


class ScopeChallenge:
    """Adds `scope` to each Bearer challenge that has none."""

    def __init__(self, app: ASGIApp, *, scopes: Sequence[str]) -> None:
        self._app = app
        self._scopes = " ".join(filter(_SCOPE.fullmatch, scopes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def challenged(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (401, 403):
                headers = MutableHeaders(scope=message)
                challenge = headers.get("www-authenticate", "")
                if challenge.startswith("Bearer ") and ' scope="' not in challenge:
                    headers["www-authenticate"] = f'{challenge}, scope="{self._scopes}"'
            await send(message)

        await self._app(scope, receive, challenged if self._scopes else send)
