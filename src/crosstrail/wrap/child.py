"""One wrapped server as we speak MCP with it: the handshake, calls, what it says meanwhile.

Decides how long each step may take and what is said when one fails. Messages pass as they are: nothing a tool answered is
read, changed or logged here. Of the handshake it reads what a server says of itself. The process is opened and ended by one task of its own, whoever calls.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, Self

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.dispatcher import CallOptions, DispatchContext
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import SessionMessage
from mcp.shared.transport_context import TransportContext
from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, jsonrpc_message_adapter

from crosstrail import __version__
from crosstrail.errors import WrappedServerError
from crosstrail.json_values import Json, table, text
from crosstrail.wrap.message import Answer
from crosstrail.wrap.process import Program, ServerProcess, clean

_log = logging.getLogger("crosstrail.wrap")
_PROTOCOL = "2025-11-25"
"""The newest protocol with a handshake: every server speaks it, and its answers are translated for each client."""
_LIST_CHANGED = "/list_changed"
MAX_QUESTIONS = 8
"""Questions of one process to a client that wait for an answer at a time."""
MAX_QUESTION_BYTES = 1_000_000
_ANSWER_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Hello:
    """What a server said of itself in the handshake; empty where it said nothing, or not yet."""

    name: str = ""
    version: str = ""
    title: str = ""
    instructions: str = ""
    capabilities: frozenset[str] = frozenset()

    @classmethod
    def of(cls, answer: Json) -> Self:
        info = table(answer.get("serverInfo"))
        name, version, title = (text(info.get(key)) for key in ("name", "version", "title"))
        return cls(name, version, title, text(answer.get("instructions")), frozenset(table(answer.get("capabilities"))))


class Client(Protocol):
    """Who waits for a call: what the server may send it and ask it meanwhile."""

    @property
    def connection(self) -> object:
        """Equal for callers who are one and the same client."""

    async def progress(self, progress: float, total: float | None, message: str | None) -> None: ...

    async def notify(self, method: str, params: Json) -> None: ...

    async def request(self, method: str, params: Json) -> Answer: ...


BetweenCalls = Callable[[], Awaitable[Client | None]]


async def nobody() -> None:
    """Where there is no client to ask between calls."""


class Child:
    """Start it once, ask it many times at once, `aclose` it. Ended for whatever reason it stays ended."""

    def __init__(self, on_change: Callable[[str], Awaitable[None]], between_calls: BetweenCalls) -> None:
        """`on_change`: called with the method of every notification that one of the server's lists has changed.
        `between_calls`: gives who is asked what the server asks while no call runs.
        """
        self._between_calls = between_calls
        self._questions = 0
        self._program: Program | None = None
        self._on_change = on_change
        self._clients: list[Client] = []
        self._process: ServerProcess | None = None
        self._dispatcher: JSONRPCDispatcher[TransportContext] | None = None
        self._ready, self._stop = asyncio.Event(), asyncio.Event()
        self._owner: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self._owner is not None and not self._owner.done() and not self._stop.is_set()

    async def start(self, program: Program, capabilities: Json, seconds: float) -> Hello:
        """Start the process and shake hands: what the server says of itself. `capabilities`: of the client behind us.

        Raises WrappedServerError when it does not run or does not answer in `seconds`; it has ended then.
        """
        self._program = program
        self._owner = asyncio.create_task(self._run(program), name=f"wrapped {program.name}")
        hello = {
            "protocolVersion": _PROTOCOL,
            "capabilities": dict(capabilities),
            "clientInfo": {"name": "crosstrail", "version": __version__},
        }
        try:
            with anyio.fail_after(seconds):
                await self._ready.wait()
                answer = await self._send("initialize", hello, {"cancel_on_abandon": False})
                await self.notify("notifications/initialized", None)
        except TimeoutError:
            await self.aclose()
            raise self._failed(f"did not start within {seconds:g} s") from None
        except MCPError as error:
            await self.aclose()
            raise self._failed(f"refused the handshake: {clean(error.message)}") from None
        except BaseException:
            await self.aclose()
            raise
        return Hello.of(answer)

    async def request(
        self,
        method: str,
        params: Json,
        seconds: float,
        client: Client | None = None,
        progress: bool = False,
    ) -> Answer:
        """The server's own answer. Cancelling tells the server; so does the end of its `seconds`.

        Raises MCPError, the server's own error; WrappedServerError when it died or was too slow.
        """
        options: CallOptions = {"on_progress": client.progress} if client and progress else {}
        if client:
            self._clients.append(client)
        try:
            with anyio.fail_after(seconds):
                return await self._send(method, params, options)
        except TimeoutError:
            raise self._failed(f"did not answer {method} within {seconds:g} s") from None
        finally:
            if client:
                self._clients.remove(client)

    async def notify(self, method: str, params: Json | None) -> None:
        await self._open().notify(method, params)

    async def aclose(self) -> None:
        """End the process and everything it started; bounded by seconds."""
        self._stop.set()
        if self._owner:
            await asyncio.wait([self._owner])

    async def wait_closed(self) -> None:
        """Until it has ended, by itself or by `aclose`."""
        if self._owner:
            await asyncio.wait([self._owner])

    async def _send(self, method: str, params: Json, options: CallOptions) -> Answer:
        try:
            return await self._open().send_raw_request(method, params, options)
        except MCPError as error:
            if error.code != CONNECTION_CLOSED or not self._stop.is_set():
                raise  # its own words: servers use this code for errors of theirs as well
        await self.wait_closed()  # so that its exit status and its last lines are known
        raise self._failed("ended", by_itself=True)

    def _open(self) -> JSONRPCDispatcher[TransportContext]:
        if self._dispatcher is None or not self.alive:
            raise self._failed("has ended")
        return self._dispatcher

    def _failed(self, what: str, *, by_itself: bool = False) -> WrappedServerError:
        process = self._process
        status = f" (exit status {process.status})" if by_itself and process and process.status is not None else ""
        words = f". It said: {process.last_words}" if process and process.last_words else ""
        name = self._program.name if self._program else "the server"
        return WrappedServerError(f"{name} {what}{status}{words}")

    async def _run(self, program: Program) -> None:
        """Own the process from its start to its end."""
        try:
            process = self._process = await ServerProcess.spawn(program)
        except OSError as error:
            _log.error("%s: %s", program.name, error.strerror)
            self._stop.set()
            self._ready.set()
            return
        try:
            incoming, arrived = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            outgoing, leaving = anyio.create_memory_object_stream[SessionMessage](0)
            self._dispatcher = JSONRPCDispatcher(arrived, outgoing)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read, process, incoming)
                tasks.start_soon(self._write, process, leaving)
                await tasks.start(self._dispatcher.run, self._on_request, self._on_notification)
                self._ready.set()
                await self._stop.wait()
                incoming.close()  # ends every request that still waits for an answer
                await process.end()
                tasks.cancel_scope.cancel()
        finally:
            self._stop.set()
            self._ready.set()
            if process.status is None:
                await process.end()

    async def _read(self, process: ServerProcess, incoming: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        async with incoming:
            async for line in process.lines():
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:
                    process.note(line[:4096], prefix="not MCP on stdout: ")
                    continue
                try:
                    await incoming.send(SessionMessage(message))
                except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                    break
            self._stop.set()
        await process.drain()

    async def _write(self, process: ServerProcess, leaving: MemoryObjectReceiveStream[SessionMessage]) -> None:
        async with leaving:
            async for one in leaving:
                line = one.message.model_dump_json(by_alias=True, exclude_unset=True)
                try:
                    await process.write(line.encode() + b"\n")
                except ConnectionError:
                    self._stop.set()
                    return

    async def _on_notification(
        self, context: DispatchContext[TransportContext], method: str, params: Json | None
    ) -> None:
        if method.endswith(_LIST_CHANGED):
            await self._on_change(method)
        elif client := self._only_client():
            await client.notify(method, params or {})

    async def _on_request(self, context: DispatchContext[TransportContext], method: str, params: Json | None) -> Answer:
        if method == "ping":
            return {}
        if self._questions >= MAX_QUESTIONS:
            raise MCPError(code=INTERNAL_ERROR, message=f"{MAX_QUESTIONS} questions wait for an answer")
        if len(json.dumps(params)) > MAX_QUESTION_BYTES:
            raise MCPError(code=INVALID_PARAMS, message=f"a question has at most {MAX_QUESTION_BYTES:,} bytes")
        self._questions += 1
        try:
            with anyio.fail_after(_ANSWER_SECONDS):
                client = self._only_client() or (None if self._clients else await self._between_calls())
                if client:
                    return await client.request(method, params or {})
        except TimeoutError:
            raise MCPError(code=INTERNAL_ERROR, message=f"{method}: no answer in {_ANSWER_SECONDS:g} s") from None
        finally:
            self._questions -= 1
        raise MCPError(code=METHOD_NOT_FOUND, message=f"{method}: no client to ask")

    def _only_client(self) -> Client | None:
        """Whom a message is for that names no call: the last who called, unless it may be meant for another client."""
        if len({client.connection for client in self._clients}) != 1:
            return None
        return self._clients[-1]
