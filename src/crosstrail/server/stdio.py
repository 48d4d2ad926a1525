"""One client over stdin and stdout, until it leaves or this process is told to stop.

Decides how that ends: calls that run get 5 s to be answered, then they are cancelled, which stops their queries upstream and
leaves a line in the record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.mcpserver import MCPServer

from crosstrail.server.access.admission import Admission
from crosstrail.server.access.telemetry import Telemetry, telemetry_of
from crosstrail.server.app import create_server
from crosstrail.server.gc_tuning import collect_garbage_seldom
from crosstrail.standard_input import skip_byte_order_mark
from crosstrail.stop_signals import exit_on_signal
from crosstrail.workspace.workspace import Workspace

_LAST_ANSWERS_SECONDS = 5.0
_LAST_WORDS_SECONDS = 3.0
_WRITTEN_SECONDS = 0.1
"""For an answer that is ready to be on its way."""


async def serve_stdio(
    workspace: Workspace,
    admission: Admission | None = None,
    make: Callable[[Workspace, Admission], MCPServer[Any]] = create_server,
) -> None:
    """Returns when the client has left. Told to stop, it ends the program. `make`: the server behind the admission."""
    admission = admission or Admission(workspace)
    telemetry = telemetry_of(workspace.settings)
    server = make(workspace, admission)
    collect_garbage_seldom()
    skip_byte_order_mark()
    try:
        async with _ended_on_signal(workspace, admission, telemetry):
            await server.run_stdio_async()
    finally:
        await _close(workspace, admission, telemetry)


@asynccontextmanager
async def _ended_on_signal(
    workspace: Workspace, admission: Admission, telemetry: Telemetry | None
) -> AsyncIterator[None]:
    """In this block SIGTERM and SIGINT end the calls, what they hold, and then the whole program."""
    calls = anyio.CancelScope()

    async def end() -> None:
        await admission.drained(_LAST_ANSWERS_SECONDS)
        await anyio.sleep(_WRITTEN_SECONDS)
        calls.cancel()
        await admission.drained(_LAST_WORDS_SECONDS)
        await _close(workspace, admission, telemetry)

    async with exit_on_signal(end):
        with calls:
            yield


async def _close(workspace: Workspace, admission: Admission, telemetry: Telemetry | None) -> None:
    await workspace.aclose()
    admission.close()
    if telemetry:
        await telemetry.aclose()
