"""The processes that read log files for a collection.

Decides how they start (never by fork, which would copy locks of this process's threads), that the death of one is an
error whenever it comes, that they end with their parent and that Ctrl-C is the parent's affair. What they do is `stage`.

Not the standard library's pool of processes: one that loses a process while it starts can wait for ever.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import TYPE_CHECKING

from crosstrail.errors import LakeError

if TYPE_CHECKING:
    from crosstrail.lake.stage import Job, Staged


class ReadingProcesses:
    """A context: inside, `count` processes are starting or waiting for jobs. Raises LakeError when one does not start.

    Each job is a thread's, which waits at the pipe of one idle process: a pipe whose process dies ends the wait.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[BaseProcess] = []
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._threads = ThreadPoolExecutor(count, "reader")

    def __enter__(self) -> ReadingProcesses:
        context = multiprocessing.get_context("spawn")
        try:
            for _ in range(self._count):
                ours, theirs = context.Pipe()
                with theirs, _deaf_to_ctrl_c():  # held by the process alone, so that its death is the end of the pipe
                    process = context.Process(target=_serve, args=(theirs,), daemon=True)
                    process.start()
                self._processes.append(process)
                self._idle.put(ours)
        except OSError as error:
            self.stop()
            raise _died() from error
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Returns when no process writes any more; what was under way is lost."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()

    def staged(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Staged]]:
        """Each job with what came of it, as they end; few are under way at once.

        Raises LakeError when a process dies, and what `stage` raises.
        """
        left = iter(jobs)
        waiting: dict[Future[Staged], Job] = {}
        while True:
            for job in islice(left, 2 * self._count - len(waiting)):
                waiting[self._threads.submit(self._stage, job)] = job
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()

    def _stage(self, job: Job) -> Staged:
        process = self._idle.get()
        try:
            process.send(job)
            result: Staged | Exception = process.recv()
        except (EOFError, OSError) as error:
            raise _died() from error
        finally:
            self._idle.put(process)
        if isinstance(result, Exception):
            raise result
        return result


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """What starts inside does not hear Ctrl-C, not even while it imports; here it is heard afterwards."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # started with the first process, it would undo the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _died() -> LakeError:
    return LakeError(
        "a process that read log files died, perhaps for want of memory",
        hint="Collect again, with fewer --workers: what is committed stays.",
    )


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _serve(jobs: Connection) -> None:
    """A process's whole life: a job in, what came of it out, until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from crosstrail.lake.stage import stage  # loads Arrow while the parent opens the table

    gc.disable()  # parsed records are a tree of a million objects without a cycle: searching it takes 40 % of the time
    gc.freeze()  # what the libraries made stays: searching it after every job would take a tenth of the time
    while True:
        try:
            job: Job = jobs.recv()
        except EOFError:
            return
        try:
            result: Staged | Exception = stage(job)
        except Exception as error:  # noqa: BLE001 - the parent raises it
            result = error
        jobs.send(result)
        gc.collect()


def _end_with_parent() -> None:
    """In the middle of a job nothing reads the pipe whose end would tell of a killed parent."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
