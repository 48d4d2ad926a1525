"""Starts one wrapped server and ends with it: when crosstrail is gone, in whatever way, so is everything below it.

Run as a program, `python -I -S launcher.py LIFELINE COMMAND...`, so it imports the standard library alone and little of it.
LIFELINE is the reading end of a pipe that crosstrail holds open and never writes to: its end is the order to stop. The
server has stdin, stdout and stderr; the exit status is the server's. It decides nothing about credentials or protocol.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable

_GRACE_SECONDS = 0.5
_STEP_SECONDS = 0.02
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def _prctl() -> Callable[[int, int], object]:
    """Linux alone: elsewhere the tree is the process group."""
    if not sys.platform.startswith("linux"):
        return lambda option, value: None
    import ctypes

    call = ctypes.CDLL(None).prctl
    return lambda option, value: call(option, value, 0, 0, 0)


def _start(command: list[str], prctl: Callable[[int, int], object]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - the command is the user's own
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _descendants() -> list[int]:
    """Everything below this process; orphans come to it, because it is their subreaper."""
    found = [os.getpid()]
    for pid in found:
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as listed:
                found += [int(word) for word in listed.read().split()]
        except OSError:
            continue
    return found[1:]


def _signal_all(number: int) -> None:
    for pid in _descendants():
        try:
            os.kill(pid, number)
        except OSError:
            continue
    try:  # what is left where there is no /proc; this process ignores or survives all but SIGKILL
        if number != signal.SIGKILL:
            os.killpg(0, number)
    except OSError:
        pass


def _reaped(server: int, status: int | None) -> tuple[int | None, bool]:
    """The server's exit status once it is known, and whether any process is left."""
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status, False
        if pid == 0:
            return status, True
        if pid == server:
            status = os.waitstatus_to_exitcode(ended)


def _end_tree(server: int, status: int | None) -> int | None:
    """Ask everything to end, then make it; returns when nothing is left."""
    status, left = _reaped(server, status)
    if not left:
        return status
    _signal_all(signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while left:
        time.sleep(_STEP_SECONDS)
        if time.monotonic() >= deadline:
            _signal_all(signal.SIGKILL)
        status, left = _reaped(server, status)
    return status


def main() -> int:
    lifeline, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(lifeline, False)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    prctl = _prctl()
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    server = _start(command, prctl)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):  # or the server's pipes would seem open after it ended
        os.dup2(nothing, stream)
    status: int | None = None
    while status is None:
        ready, _, _ = select.select([lifeline, wake], [], [])
        received = set(os.read(wake, 64)) if wake in ready else set()
        if lifeline in ready or received - {signal.SIGCHLD}:
            break
        status, _ = _reaped(server, status)
    status = _end_tree(server, status) or 0
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
