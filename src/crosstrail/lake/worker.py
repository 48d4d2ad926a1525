"""What runs in a collecting process beside `stage`: it ends with its parent, and leaves Ctrl-C to it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading

from crosstrail.lake.stage import Job, Staged, stage


def prepare() -> None:
    """Called once in each worker."""
    gc.disable()  # parsed records are a tree of a million objects without a cycle: searching it takes 40 % of the time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def work(job: Job) -> Staged:
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
