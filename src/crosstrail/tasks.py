"""Tasks that go on when whoever waited for them has left."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")


def outlive_waiters(task: asyncio.Task[T]) -> asyncio.Task[T]:
    """The task, whose failure asyncio does not report where every waiter left before hearing of it."""
    task.add_done_callback(_take_outcome)
    return task


def _take_outcome(task: asyncio.Task[T]) -> None:
    if not task.cancelled():
        task.exception()
