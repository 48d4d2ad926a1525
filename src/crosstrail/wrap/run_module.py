"""Serves a Python module's MCP server over stdio: `python run_module.py MODULE`, in the Python that has the module.

Decides how a module is made to serve: `setup()` first where it has one, then the server object it made; a module without
`setup()` is served by its own `main()` where it has one. Works with every version of the SDKs (MCPServer, FastMCP 1 to 4,
lowlevel Server), so it imports the standard library alone, and of the SDK only what a lowlevel server needs.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import TypeGuard  # newer than some Python that runs this

_NAMES = ("mcp", "server", "app")


class _Lowlevel(Protocol):
    def create_initialization_options(self) -> object: ...

    async def run(self, reading: object, writing: object, options: object) -> None: ...


def server_of(module: ModuleType) -> object:
    """The object that serves, under a usual name or as the only one of its kind; None when there is none."""
    named = [getattr(module, name, None) for name in _NAMES]
    others = [value for name, value in vars(module).items() if not name.startswith("_")]
    return next((one for one in [*named, *others] if _serves(one)), None)


def _serves(value: object) -> bool:
    if inspect.isclass(value) or inspect.ismodule(value):
        return False
    return callable(getattr(value, "run_stdio_async", None)) or _is_lowlevel(value)


def _is_lowlevel(value: object) -> TypeGuard[_Lowlevel]:
    return callable(getattr(value, "create_initialization_options", None)) and callable(getattr(value, "run", None))


async def serve(server: object) -> None:
    """Until stdin ends."""
    if not _is_lowlevel(server):
        run: Callable[[], Awaitable[object]] = getattr(server, "run_stdio_async")  # noqa: B009 - of any SDK
        await run()
        return
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


async def _set_up_and_serve(module: ModuleType) -> bool:
    """In one event loop, because what setup() opens may belong to it; False when there is nothing to serve."""
    done = module.setup()
    if inspect.isawaitable(done):
        await done
    server = server_of(module)
    if server is None:
        return False
    await serve(server)
    return True


def _finish(result: object) -> None:
    if inspect.iscoroutine(result):
        asyncio.run(result)


def main() -> None:
    """Exits with a sentence on stderr when the module cannot be imported or has nothing to serve."""
    name = sys.argv[1]
    sys.argv = [name]  # a module's own main() may read its arguments
    sys.path[0] = os.getcwd()
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        sys.exit(f"this Python ({sys.executable}) has no module {error.name}: name the one that has it with --python")
    if callable(getattr(module, "setup", None)):
        if asyncio.run(_set_up_and_serve(module)):
            return
    elif not callable(getattr(module, "main", None)):
        server = server_of(module)
        if server is not None:
            asyncio.run(serve(server))
            return
    if not callable(getattr(module, "main", None)):
        sys.exit(f"the module {name} has neither an MCP server object nor main()")
    _finish(module.main())


if __name__ == "__main__":
    main()
