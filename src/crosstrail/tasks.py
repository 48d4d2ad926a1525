"""Tasks that go on when whoever waited for them has left, and the one task that all who ask for the same thing wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
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
        """What the work of whoever asked first gives, or raises: the same error object for all.

        Whoever asked first may be cancelled, the work goes on for the others: as a task of the loop's own, because shielding
        alone would not outlive the caller's task group.
        """
        task = self._running.get(key)
        if task is None or task.done():
            task = self._running[key] = outlive_waiters(asyncio.get_running_loop().create_task(work()))
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)

    def _ended(self, key: K, task: asyncio.Task[T]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
