"""The processes that read log files for a collection.

Decides how they start (never by fork, which would copy locks of this process's threads), that they end with their parent
and that Ctrl-C is the parent's affair. What they do is `stage`.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from crosstrail.errors import LakeError

if TYPE_CHECKING:
    from crosstrail.lake.stage import Job, Staged


class Workers:
    """A context: inside, `count` processes are starting or waiting for jobs."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._others = frozenset(multiprocessing.active_children())
        self._pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_prepare)

    def __enter__(self) -> Workers:
        with suppress(BrokenProcessPool):  # `staged` will say so
            for _ in range(self._count):
                self._pool.submit(os.getpid)  # a process starts when something is submitted: let it start now
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Returns when no process writes any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for process in multiprocessing.active_children():  # a pool that broke while it started forgets the last one
            if process not in self._others:
                process.kill()

    def staged(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Staged]]:
        """Each job with what came of it, as they end; few are under way at once. Raises LakeError when a process dies."""
        left = iter(jobs)
        waiting: dict[Future[Staged], Job] = {}
        try:
            while True:
                for job in islice(left, 2 * self._count - len(waiting)):
                    waiting[self._pool.submit(_work, job)] = job
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool as error:
            raise LakeError(
                "a process that read log files died, perhaps for want of memory",
                hint="Collect again, with fewer --workers: what is committed stays.",
            ) from error


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _prepare() -> None:
    """Called once in each process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import crosstrail.lake.stage  # noqa: F401 - loads Arrow while the parent opens the table

    gc.disable()  # parsed records are a tree of a million objects without a cycle: searching it takes 40 % of the time


def _work(job: Job) -> Staged:
    from crosstrail.lake.stage import stage

    try:
        return stage(job)
    finally:
        gc.collect()


def _end_with_parent() -> None:
    """A worker holds both ends of its queue, so it would wait for a killed parent for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
