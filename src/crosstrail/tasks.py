"""Tasks and threads that go on when whoever waited for them has left, and the one task that all who ask for the same wait for."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def outlive_waiters(task: asyncio.Task[T]) -> asyncio.Task[T]:
    """The task, whose failure asyncio does not report where every waiter left before hearing of it."""
    task.add_done_callback(_take_outcome)
    return task


def _take_outcome(task: asyncio.Task[T]) -> None:
    if not task.cancelled():
        task.exception()


class SingleFlight(Generic[K, T]):
    """One task a key at a time, for all who ask meanwhile. Nothing is kept of how it ended. For one event loop."""

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, key: K) -> bool:
        return key in self._running

    async def run(self, key: K, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """What the work of whoever asked first gives, or raises: the same error object for all."""
        return await asyncio.shield(self.start(key, work))

    def start(self, key: K, work: Callable[[], Coroutine[object, object, T]]) -> asyncio.Task[T]:
        """The task of whoever asked first, for who does not wait for it.

        Whoever asked first may be cancelled, the work goes on for the others: as a task of the loop's own, because shielding
        alone would not outlive the caller's task group.
        """
        task = self._running.get(key)
        if task is None or task.done():
            task = self._running[key] = outlive_waiters(asyncio.get_running_loop().create_task(work()))
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: K, task: asyncio.Task[T]) -> None:
        if self._running.get(key) is task:
            del self._running[key]


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """What blocking work gives, or raises. Whoever is cancelled leaves the thread to end by itself, and so does the program at its
    end: for work that others can keep waiting, such as programs, files and servers that are not ours."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.cancelled():
            return
        if error is None:
            outcome.set_result(result)  # type: ignore[arg-type]  # T may well be None
        else:
            outcome.set_exception(error)

    def run() -> None:
        try:
            done = partial(settle, work(), None)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            done = partial(settle, None, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(done)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    return await outcome


def within(seconds: float, work: Callable[[], T]) -> T:
    """The same for a thread that may wait: what the work gives, or raises; TimeoutError where it takes longer."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome.set_exception(error)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    return outcome.result(seconds)
