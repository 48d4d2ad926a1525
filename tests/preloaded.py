"""`crosstrail` as processes of their own that find its libraries loaded: each is a fork of one process that has loaded them.

Python with all that crosstrail needs takes a processor one to two seconds to start, a fork hundredths. A fork has what every
process has of its own: arguments, environment, folder, open files, signals, memory, exit status. It runs what
`python -m crosstrail` runs, as `__main__`, and ends as Python ends.

What is read once, when Python starts or a library is loaded, a fork cannot be told: who sets one of `AT_START` starts a Python
of its own, and so do tests of starting itself. The libraries are loaded once for each process of pytest, at the first use.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

AT_START = ("COVERAGE_", "FASTMCP_", "LANG", "LC_", "LD_", "OTEL_", "PYICEBERG_", "PYTHON", "TZ")
"""How variables begin that Python or a library reads at its start."""
LIBRARIES = (
    *("crosstrail.cli", "pyiceberg.catalog.sql", "pyiceberg.io.pyarrow", "sqlglot", "msgspec", "orjson"),
    *("botocore.session", "aiohttp", "rich.console", "rich.table", "mcp", "mcp.server", "uvicorn", "starlette"),
    *("starlette.applications", "httpx2", "jwt", "sse_starlette", "cryptography.fernet"),
)
"""What commands load. Of crosstrail itself little: when it loads what is a part of what it does. Not duckdb: its bindings count
their objects at the end, and tell of those that no garbage collection has looked at."""
_FORKS = sys.platform.startswith("linux") and "COVERAGE_PROCESS_CONFIG" not in os.environ
"""Else each is started anew: libraries of macOS do not bear a fork, and coverage does not follow one."""
_MOST = 1 << 18
"""Bytes of a request: arguments and environment."""


class Process:
    """A fork that runs, or has ended; as subprocess.Popen of text. `stdin` and `stdout` are None unless they are pipes."""

    def __init__(
        self, arguments: Sequence[str], env: Mapping[str, str], *, stdin: bool = False, stdout: bool = False
    ) -> None:
        """Its errors are a pipe always; its input and output are /dev/null unless they are asked for."""
        null = os.open(os.devnull, os.O_RDWR)
        fed, reading = (os.pipe() if stdin else (null, -1)), (os.pipe() if stdout else (-1, null))
        failing, reported = os.pipe(), os.pipe()
        theirs = [fed[0], reading[1], failing[1], reported[1]]
        _ask({"arguments": list(arguments), "env": dict(env), "folder": os.getcwd()}, theirs)
        for handle in {null, *theirs}:
            os.close(handle)
        self.stdin: IO[str] | None = os.fdopen(fed[1], "w") if stdin else None
        self.stdout: IO[str] | None = os.fdopen(reading[0]) if stdout else None
        self.stderr: IO[str] = os.fdopen(failing[0])
        self.returncode: int | None = None
        self._reports = os.fdopen(reported[0])
        self.pid = int(self._reports.readline())

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, -N of signal N. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._reports, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0)
            self.returncode = int(self._reports.readline())
            self._reports.close()
        return self.returncode

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Running = Process | subprocess.Popen[str]


def start(
    *arguments: str | Path, environ: Mapping[str, str] | None = None, stdin: bool = False, stdout: bool = False
) -> Running:
    """`python -m crosstrail ARGUMENTS...`, with `environ` beside the environment: a fork wherever it can have that."""
    env = {**os.environ, **(environ or {})}
    words = [str(one) for one in arguments]
    if _FORKS and _at_start(env) == _at_start(_ENVIRONMENT):
        return Process(words, env, stdin=stdin, stdout=stdout)
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    command = [sys.executable, "-m", "crosstrail", *words]
    fed, printed = pipe if stdin else null, pipe if stdout else null
    return subprocess.Popen(command, env=env, stdin=fed, stdout=printed, stderr=pipe, text=True)


def run(
    *arguments: str | Path, stdin: str = "", environ: Mapping[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run of `python -m crosstrail ARGUMENTS...`: exit status, output and errors, once it has ended."""
    process = start(*arguments, environ=environ, stdin=True, stdout=True)
    texts: dict[str, str] = {}

    def read(name: str, stream: IO[str]) -> None:
        with stream:
            texts[name] = stream.read()

    def write(stream: IO[str]) -> None:
        with suppress(BrokenPipeError), stream:
            stream.write(stdin)

    assert process.stdin
    assert process.stdout
    assert process.stderr
    threads = [
        threading.Thread(target=read, args=("output", process.stdout)),
        threading.Thread(target=read, args=("errors", process.stderr)),
        threading.Thread(target=write, args=(process.stdin,)),
    ]
    for thread in threads:
        thread.start()
    try:
        status = process.wait(timeout)
    finally:
        process.kill()
        process.wait()
        for thread in threads:  # a child of its own may have its errors open still, for a moment
            thread.join()
    return subprocess.CompletedProcess([str(one) for one in arguments], status, texts["output"], texts["errors"])


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(AT_START)}


_ENVIRONMENT = dict(os.environ)
"""As pytest was started with it, and as the libraries are loaded with."""


@cache
def _loaded() -> socket.socket:
    """Where to ask the process that has loaded the libraries."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _MOST)
    # Arrow's allocator cleans up in a thread, and a process with threads had better not fork.
    env = {**_ENVIRONMENT, "JE_ARROW_MALLOC_CONF": "background_thread:false"}
    with theirs, tempfile.TemporaryDirectory() as home:  # what is read of a home at load is of an empty one
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            env={**env, "HOME": home},
            cwd=home,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        assert ours.recv(16) == b"ready"

    def end() -> None:
        ours.close()
        process.wait(timeout=60)

    atexit.register(end)
    return ours


def _ask(request: dict[str, Any], handles: Sequence[int]) -> None:
    socket.send_fds(_loaded(), [json.dumps(request).encode()], handles)


def _serve(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Forks for each request, and reports to each one's pipe its id, then its exit status, until nobody asks any more.

    Returns None then; and in a fork what is asked of it.
    """
    wakes, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    reports: dict[int, int] = {}
    with control, selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wakes, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if wakes in ready:
                os.read(wakes, 4096)
                _report(reports)
            if control.fileno() in ready:
                data, handles, _, _ = socket.recv_fds(control, _MOST, 4)
                if not data:
                    return None
                if (pid := os.fork()) == 0:
                    signal.set_wakeup_fd(-1)
                    for handle in (wakes, woken, handles.pop(), *reports.values()):
                        os.close(handle)
                    return json.loads(data), handles
                reports[pid] = handles.pop()
                os.write(reports[pid], b"%d\n" % pid)
                for handle in handles:
                    os.close(handle)


def _report(reports: dict[int, int]) -> None:
    """The exit statuses of those that have ended."""
    for pid in tuple(reports):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with suppress(BrokenPipeError):  # nobody waits for it
                os.write(reports[pid], b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(reports.pop(pid))


def _become(request: Mapping[str, Any], handles: Sequence[int]) -> None:
    """`python -m crosstrail ARGUMENTS...` in that folder with that environment; it leaves as that does."""
    for number, handle in enumerate(handles):
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = open(0, closefd=False)  # as Python opens them: it looks once what kind of file each is
    sys.stdout = open(1, "w", closefd=False)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    sys.argv = ["crosstrail", *request["arguments"]]
    tempfile.tempdir = None
    runpy.run_module("crosstrail", run_name="__main__", alter_sys=True)


def _main() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest and for the forks
    gc.collect()
    gc.freeze()  # else each fork would go through all this at its end, and copy it
    control = socket.socket(fileno=int(sys.argv[1]))
    control.send(b"ready")
    if asked := _serve(control):
        _become(*asked)


if __name__ == "__main__":
    _main()
