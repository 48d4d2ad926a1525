"""Whether the process answers, and whether what it depends on does: the lists of accounts, the lake, who tells callers apart.

Decides how often those are asked and how long they may take, so that asking for our health is no way to load them or to
pile up work here. It names no account, and says that something fails, never why: that stands in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from crosstrail.errors import CrosstrailError
from crosstrail.server.auth.sign_in import SignIn
from crosstrail.workspace.workspace import Workspace

_log = logging.getLogger("crosstrail.health")
_KEPT_SECONDS = 2.0
_WAIT_SECONDS = 5.0

Check = Callable[[], Awaitable[Any]]


class Health:
    """/ping and /healthz of one server."""

    def __init__(self, workspace: Workspace | None, sign_in: SignIn) -> None:
        """`workspace`: None where callers have nothing of it."""
        checks: dict[str, Check] = {}
        if workspace:
            checks |= {"accounts": workspace.listed, "lake": workspace.held}
        if sign_in.reachable:
            checks["identity"] = sign_in.reachable
        self._checks = Checks(checks)
        self._started = int(time.time())

    async def ping(self, _: Request) -> JSONResponse:
        """In the words of Amazon Bedrock AgentCore's contract."""
        return JSONResponse({"status": "Healthy", "time_of_last_update": self._started})

    async def healthz(self, _: Request) -> JSONResponse:
        """200 or 503."""
        found = await self._checks.states()
        well = all(state == "ok" for state in found.values())
        return JSONResponse({"status": "ok" if well else "failing", "checks": found}, 200 if well else 503)


class Checks:
    """Asks all at once, none twice at a time; what was found stands for 2 s, and who does not answer in 5 s fails."""

    def __init__(
        self, checks: dict[str, Check], *, wait_seconds: float = _WAIT_SECONDS, kept_seconds: float = _KEPT_SECONDS
    ) -> None:
        self._checks = checks
        self._wait = wait_seconds
        self._kept = kept_seconds
        self._running: dict[str, asyncio.Task[str]] = {}
        self._turn = asyncio.Lock()
        self._looked_at = float("-inf")
        self._found: dict[str, str] = {}

    async def states(self) -> dict[str, str]:
        """`ok` or `failing` of each."""
        async with self._turn:
            if time.monotonic() - self._looked_at >= self._kept:
                self._found = await self._look()
                self._looked_at = time.monotonic()
        return self._found

    async def _look(self) -> dict[str, str]:
        """A check that hangs is left to itself, not asked again beside itself: a thread of it cannot be ended."""
        for name, check in self._checks.items():
            if name not in self._running:
                self._running[name] = asyncio.create_task(_state(name, check))
        if self._running:
            await asyncio.wait(self._running.values(), timeout=self._wait)
        ended = {name: task.result() for name, task in self._running.items() if task.done()}
        late = [name for name in self._running if name not in ended]
        if late:
            _log.error("no answer within %.0f s of: %s", self._wait, ", ".join(late))
        self._running = {name: task for name, task in self._running.items() if name in late}
        return {name: ended.get(name, "failing") for name in self._checks}


async def _state(name: str, check: Check) -> str:
    try:
        return "failing" if await check() is False else "ok"
    except CrosstrailError as error:
        _log.error("%s: %s", name, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, that is no health
        _log.error("%s: %s", name, type(error).__name__)
    return "failing"
