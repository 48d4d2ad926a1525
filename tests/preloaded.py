"""`crosstrail` as processes of their own that find its libraries loaded: each is a fork of one process that has loaded them.

Python with all that crosstrail needs takes a processor one to two seconds to start, a fork hundredths. A fork has what every
process has of its own: arguments, environment, folder, open files, signals, memory, exit status. It runs what
`python -m crosstrail` runs, as `__main__`. `PYTHON` is for those who start Python themselves: clients, and crosstrail itself.

What is read once, when Python starts or a library is loaded, a fork cannot be told: it is started anew then, and so do tests
of starting itself, with sys.executable. The libraries are loaded once for a run of pytest, at the first use.
"""

from __future__ import annotations

import marshal
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_PLACE = "PRELOADED_TESTS"
"""The variable that tells a worker of pytest where the process is that has loaded the libraries."""
REAL_CHILDREN = {_PLACE: ""}
"""In the environment of a fork that is to start Python itself where it starts one: for tests that look at those processes."""
_FORKS = sys.platform.startswith("linux")
"""Else each is started anew: libraries of macOS do not bear a fork."""


def begin() -> Callable[[], None]:
    """Start the process to fork from, which loads nothing yet, for this process and its children; what ends it comes back."""
    if not _FORKS:
        return lambda: None
    folder = tempfile.TemporaryDirectory(prefix="crosstrail-forks-")
    place = Path(folder.name, "socket")
    python = Path(folder.name, "python")
    tests = Path(__file__).parent
    python.write_text(
        f"#!{sys.executable} -IS\nimport sys\n\nsys.path[:0] = [{str(tests)!r}]\nimport fork_client\n\n"
        f"fork_client.main({sys.executable!r}, {str(place)!r}, sys.argv[1:])\n"
    )
    python.chmod(0o755)
    watched, lifeline = os.pipe()
    # Arrow's allocator cleans up in a thread, and a process with threads had better not fork.
    env = {**os.environ, "JE_ARROW_MALLOC_CONF": "background_thread:false", "HOME": folder.name}
    process = subprocess.Popen(
        [sys.executable, str(tests / "fork_server.py"), str(place), str(watched), str(python)],
        env=env,
        cwd=folder.name,
        pass_fds=[watched],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # no terminal of whoever runs the tests is a fork's
    )
    os.close(watched)
    assert process.stdout
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
    os.environ[_PLACE] = folder.name

    def end() -> None:
        os.environ.pop(_PLACE, None)
        os.close(lifeline)
        process.wait(timeout=60)
        folder.cleanup()

    return end


def python() -> str:
    """A program that runs `-m crosstrail ...` as a fork, and all else as this Python does."""
    return str(Path(os.environ[_PLACE], "python")) if os.environ.get(_PLACE) else sys.executable


class Process:
    """A fork that runs, or has ended; as subprocess.Popen of text. `stdin` and `stdout` are None unless they are pipes."""

    def __init__(self, connection: socket.socket, pid: int, files: Sequence[int]) -> None:
        self.stdin: IO[str] | None = os.fdopen(files[0], "w") if files[0] >= 0 else None
        self.stdout: IO[str] | None = os.fdopen(files[1]) if files[1] >= 0 else None
        self.stderr: IO[str] = os.fdopen(files[2])
        self.returncode: int | None = None
        self.pid = pid
        self._reports = connection

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, -N of signal N. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._reports, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0)
            self.returncode = int(self._reports.recv(32))
            self._reports.close()
        return self.returncode

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # its end may be on its way to us
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Running = Process | subprocess.Popen[str]


def start(
    *arguments: str | Path,
    environ: Mapping[str, str] | None = None,
    stdin: bool = False,
    stdout: bool = False,
    program: Sequence[str] = ("-m", "crosstrail"),
) -> Running:
    """`python -m crosstrail ARGUMENTS...`, or another `program`, with `environ` beside the environment: a fork where it can be.

    Its errors are a pipe always; its input and output are /dev/null unless they are asked for.
    """
    words, env = [*program, *map(str, arguments)], {**os.environ, **(environ or {})}
    if os.environ.get(_PLACE) and (forked := _forked(words, env, stdin=stdin, stdout=stdout)):
        return forked
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    fed, printed = pipe if stdin else null, pipe if stdout else null
    return subprocess.Popen([sys.executable, *words], env=env, stdin=fed, stdout=printed, stderr=pipe, text=True)


def _forked(words: list[str], env: dict[str, str], *, stdin: bool, stdout: bool) -> Process | None:
    """None where it has to be started anew."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
    connection.connect(str(Path(os.environ[_PLACE], "socket")))
    null = os.open(os.devnull, os.O_RDWR)
    fed, reading = (os.pipe() if stdin else (null, -1)), (os.pipe() if stdout else (-1, null))
    failing = os.pipe()
    os.umask(mask := os.umask(0))
    request = {"words": words, "env": env, "folder": os.getcwd(), "mask": mask, "handles": [0, 1, 2], "deaf": False}
    socket.send_fds(connection, [marshal.dumps(request)], [fed[0], reading[1], failing[1]])
    for handle in {null, fed[0], reading[1], failing[1]}:
        os.close(handle)
    ours = (fed[1], reading[0], failing[0])
    if pid := int(connection.recv(32)):
        return Process(connection, pid, ours)
    connection.close()
    for handle in ours:
        if handle >= 0:
            os.close(handle)
    return None


def run(
    *arguments: str | Path,
    stdin: str = "",
    environ: Mapping[str, str] | None = None,
    timeout: float = 300,
    program: Sequence[str] = ("-m", "crosstrail"),
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run of `python -m crosstrail ARGUMENTS...`: exit status, output and errors, once it has ended."""
    process = start(*arguments, environ=environ, stdin=True, stdout=True, program=program)
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
