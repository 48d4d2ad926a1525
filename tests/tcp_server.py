"""A server of TCP on loopback in a thread of its own, for proxies of tests."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class TcpServer(ABC):
    """`with` a subclass: it answers each connection by `_connected`, and at the end of the block cancels what goes on."""

    def __init__(self, port: int = 0) -> None:
        """`port`: 0 takes a free one; `port` is the one that was taken."""
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._answering: set[asyncio.Task[None]] = set()
        """asyncio itself holds no task, and a transport only while it reads: of a client that has said its last word and still
        waits for an answer, nothing else would hold anything, and a collection of garbage would end it."""
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    @abstractmethod
    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connected(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        await task

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        await asyncio.sleep(0)  # what was accepted in this turn of the loop becomes a task
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # accepting one ends in the task of its answer
            for one in others:
                one.cancel()
            await asyncio.gather(*others, return_exceptions=True)
