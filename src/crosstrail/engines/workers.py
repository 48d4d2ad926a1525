"""The worker processes of an engine: started when first needed, kept warm, killed when a request is late or given up.

Decides how many there are and what the end of one means. A request never outlives who asked for it: `Ticket.stop` kills
the worker that holds it, and a worker ends with the process that started it (worker.py). It never looks into a request.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import IO

from crosstrail.engines.messages import Reply, Request
from crosstrail.errors import LakeError

IDLE_SECONDS = 60.0
RUNS_AT_ONCE = 4
COMPILES_AT_ONCE = 2
"""Workers beside those that run queries: a statement is compiled while as many queries run as may."""
ANALYSES_AT_ONCE = 2
"""And beside both: analyses take neither the place of a query nor that of its compilation."""
PROCESSES = RUNS_AT_ONCE + COMPILES_AT_ONCE + ANALYSES_AT_ONCE
"""Of an engine with the usual limits."""
_START_SECONDS = 120.0
_ATTEMPTS = 5
_LARGEST_REPLY = 64 * 2**20
_ENVIRONMENT = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",  # each arena takes 64 MB of address space, which is limited
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""All of it: a worker has no use for credentials."""
_PROGRAM = "import json, runpy, sys; sys.path[:0] = json.loads(sys.argv.pop(1)); runpy.run_module('crosstrail.engines.worker', run_name='__main__')"


class WorkerLate(Exception):
    """The request took longer than it may; its worker was killed."""


class WorkerStopped(Exception):
    """The request was given up; its worker, if it had one, was killed."""


class WorkerDied(Exception):
    """The worker ended by itself: `memory` says whether for want of it."""

    def __init__(self, *, memory: bool, status: int) -> None:
        super().__init__(f"a worker ended with status {status}")
        self.memory = memory
        self.status = status


@cache
def shared(max_processes: int) -> QueryWorkers:
    """The workers of this process, for any number of engines one after the other: they stay warm when an engine is closed."""
    return QueryWorkers(max_processes)


def start_early() -> None:
    """Start a worker of an engine with the usual limits, for a process that will have one request and has much to load first."""
    with suppress(LakeError):  # then the request says so
        shared(PROCESSES).start_early()


def keep_warm() -> None:
    """The same where no worker is left, for a process that will have another request soon."""
    with suppress(LakeError):
        shared(PROCESSES).keep_warm()


@dataclass(slots=True, eq=False)
class Ticket:
    """One request from its beginning to its end, for whoever may want to stop it."""

    stopped: bool = False
    _process: subprocess.Popen[bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """From any thread, at any time, as often as wanted."""
        with self._lock:
            self.stopped = True
            if self._process is not None:
                self._process.kill()

    def hold(self, process: subprocess.Popen[bytes] | None) -> None:
        """The worker that has the request now; None gives it back. Raises WorkerStopped, with the worker killed."""
        with self._lock:
            self._process = process
            if process is not None and self.stopped:
                process.kill()
                raise WorkerStopped


class QueryWorkers:
    """At most `max_processes` processes; a request beyond that waits for one."""

    def __init__(self, max_processes: int, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._max = max_processes
        self._idle_seconds = idle_seconds
        self._idle: list[subprocess.Popen[bytes]] = []
        self._early: list[subprocess.Popen[bytes]] = []
        """Started, and perhaps not ready yet."""
        self._all: set[subprocess.Popen[bytes]] = set()
        self._free = threading.Condition()
        self._taken = 0
        self._closed = False

    def ask(self, request: Request, ticket: Ticket, *, seconds: float) -> Reply:
        """The answer; `seconds` count from when a worker takes it. Raises WorkerLate, WorkerStopped, WorkerDied, LakeError."""
        self._take(ticket)
        try:
            for attempt in range(_ATTEMPTS):
                process = self._worker(ticket)
                try:
                    reply = self._exchange(process, request, ticket, seconds)
                except WorkerDied:
                    if process.returncode or attempt == _ATTEMPTS - 1:
                        raise
                    continue  # it had been idle too long, and ended as the request came
                finally:
                    ticket.hold(None)
                with self._free:
                    self._idle.append(process)
                return reply
            raise WorkerStopped
        finally:
            with self._free:
                self._taken -= 1
                self._free.notify()

    def ask_idle(self, request: Request, *, seconds: float) -> Reply:
        """The reply of a worker that is warm and has nothing to do; an empty one where there is none, or it came to no end."""
        with self._free:
            process = self._idle.pop() if self._idle and self._taken < self._max and not self._closed else None
            if process is None:
                return {}
            self._taken += 1
        ticket = Ticket()
        try:
            ticket.hold(process)
            reply = self._exchange(process, request, ticket, seconds)
            with self._free:
                self._idle.append(process)
            return reply
        except (WorkerDied, WorkerLate, WorkerStopped):
            return {}
        finally:
            with self._free:
                self._taken -= 1
                self._free.notify()

    def start_early(self) -> None:
        """Start a process for the next request, without waiting until it is ready. Raises LakeError."""
        process = self._launched()
        with self._free:
            self._early.append(process)

    def keep_warm(self) -> None:
        """Start one unless there is one. Raises LakeError."""
        with self._free:
            if self._all:
                return
        self.start_early()

    def close(self) -> None:
        """Kills all; requests under way fail as stopped."""
        with self._free:
            self._closed = True
            for process in self._all:
                process.kill()
            self._free.notify_all()

    def _take(self, ticket: Ticket) -> None:
        with self._free:
            while self._taken >= self._max and not self._closed and not ticket.stopped:
                self._free.wait(0.5)
            if self._closed or ticket.stopped:
                raise WorkerStopped
            self._taken += 1

    def _worker(self, ticket: Ticket) -> subprocess.Popen[bytes]:
        """A process that waits for a request."""
        with self._free:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return _held(process, ticket)
                _release(process)
        return self._started(ticket)

    def _started(self, ticket: Ticket) -> subprocess.Popen[bytes]:
        with self._free:
            early = self._early.pop() if self._early else None
        if early and early.poll() is not None:
            _release(early)
            early = None
        process = _held(early or self._launched(), ticket)
        self._reply(process, ticket, _START_SECONDS)
        return process

    def _launched(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path), str(self._idle_seconds)]
        try:
            process = subprocess.Popen(  # noqa: S603 - this Python, and a program of our own
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_ENVIRONMENT,
                cwd=os.sep,
                start_new_session=True,  # a terminal's Ctrl-C is for crosstrail, which decides what stops
            )
        except OSError as error:
            raise LakeError(f"no process can be started for queries: {error.strerror}") from None
        with self._free:
            self._all.add(process)
        threading.Thread(target=self._await_end, args=(process,), name="lake-worker-end", daemon=True).start()
        return process

    def _await_end(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        with self._free:
            self._all.discard(process)
            if process in self._idle:
                self._idle.remove(process)
                _release(process)

    def _exchange(self, process: subprocess.Popen[bytes], request: Request, ticket: Ticket, seconds: float) -> Reply:
        if process.stdin is not None:
            with suppress(BrokenPipeError):  # then it has ended, which reading tells
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
        return self._reply(process, ticket, seconds)

    def _reply(self, process: subprocess.Popen[bytes], ticket: Ticket, seconds: float) -> Reply:
        line = _line(process, time.monotonic() + seconds)
        if ticket.stopped or self._closed or line is None or not line.endswith(b"\n"):
            process.kill()
            status = process.wait()
            said = _last_words(process.stderr)
            _release(process)
            if ticket.stopped or self._closed:
                raise WorkerStopped
            if line is None:
                raise WorkerLate
            raise WorkerDied(memory=b"bad_alloc" in said or b"MemoryError" in said or status == -9, status=status)
        reply: Reply = json.loads(line)
        return reply


def _line(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """The next line; without its end where the process ended, None where it is late."""
    if process.stdout is None:
        return b""
    handle, found = process.stdout.fileno(), bytearray()
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    while not found.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        part = os.read(handle, 1 << 16)
        if not part or len(found) > _LARGEST_REPLY:
            return b""
        found += part
    return bytes(found)


def _last_words(stream: IO[bytes] | None) -> bytes:
    """What an ended process wrote to stderr, at most what its pipe held."""
    if stream is None:
        return b""
    os.set_blocking(stream.fileno(), False)
    with suppress(OSError):
        return os.read(stream.fileno(), 1 << 16)
    return b""


def _held(process: subprocess.Popen[bytes], ticket: Ticket) -> subprocess.Popen[bytes]:
    """The process, held by the ticket. Raises WorkerStopped, when nothing is left of the process."""
    try:
        ticket.hold(process)
    except WorkerStopped:
        process.wait()
        _release(process)
        raise
    return process


def _release(process: subprocess.Popen[bytes]) -> None:
    """Close its pipes: whoever takes a process out of the idle ones puts it back or releases it."""
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
