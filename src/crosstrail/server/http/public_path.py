"""A server whose public address has a path, behind a proxy that leaves it in requests or takes it away.

Decides that both lead to the same place, before anything looks at the path of a request: what is limited, refused or
recorded by its path is so under either. The metadata of a sign-in, whose addresses begin at the host, is not its matter.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class PublicPath:
    """Takes a prefix off the paths that have it."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        """`prefix`: such as `/trails`."""
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            inner = path.removeprefix(self._prefix) if f"{path}/".startswith(f"{self._prefix}/") else path
            # root_path is what SSE puts before the address that a client posts to
            scope = {**scope, "path": inner or "/", "root_path": self._prefix}
        await self._app(scope, receive, send)
