"""The first process of a container, whose process id is 1: it starts the program below itself, and ends with it.

Decides what the kernel leaves to process 1 alone: a signal that it has no handler for is dropped, so that a container told to stop
while it starts would run on, and it inherits every orphan, which stays a zombie until somebody asks for it. It knows nothing of the
program, and imports next to nothing: until it runs, a signal is lost.
"""

from __future__ import annotations

import os
import signal
import sys
import time

_LAST_SECONDS = 9.5
"""One that was told to stop has ended by then: container platforms wait for 10 s."""


def start_below() -> None:
    """Where this is process 1, it returns in a child of it, and nowhere else."""
    if sys.platform != "linux" or os.getpid() != 1:
        return
    handed_on = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
    waited = {*handed_on, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)  # a blocked signal waits, one without a handler does not
    child = os.fork()
    if child:
        os._exit(_status(child, waited))
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _status(child: int, waited: set[signal.Signals]) -> int:
    """The child's exit status, once it has ended or had the time to; a shell's for a signal: 128 and its number."""
    told, until = 0, float("inf")
    while True:
        left = until - time.monotonic()
        received = signal.sigtimedwait(waited, max(0.0, left)) if told else signal.sigwaitinfo(waited)
        if received is None:
            return 128 + told  # the kernel ends all others with this process
        if received.si_signo == signal.SIGCHLD:
            if (status := _collected(child)) is not None:
                return status
            continue
        if received.si_signo in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT) and not told:
            told, until = received.si_signo, time.monotonic() + _LAST_SECONDS
        os.kill(child, received.si_signo)


def _collected(child: int) -> int | None:
    """All that have ended are collected; the status of the child, if it is among them."""
    status = None
    while True:
        try:
            ended, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if not ended:
            return status
        if ended == child:
            code = os.waitstatus_to_exitcode(how)
            status = code if code >= 0 else 128 - code
