"""The process that has loaded crosstrail's libraries and is forked for each that preloaded.py or fork_client.py asks for.

Decides how a fork becomes `python -m MODULE ...`, or `python -c TEXT ...`: what it has of its own, and how it ends. It loads
at the first request, so that tests that start no process do not wait for it, and it never outlives the pytest that started
it. It must know nothing of the tests.

A request is one message on a connection of its own: `words` (what follows `python`), `env`, `folder`, `mask`, `handles`
(the numbers of the open files that come with it) and `deaf` (to SIGINT), marshalled. Two messages come back: the fork's id,
and its exit status, -N of signal N. An id of 0 is a refusal: this process cannot be told what Python reads at its start. A
connection that closes before the end kills the fork.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import gc
import importlib
import marshal
import multiprocessing.spawn
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

AT_START = ("COVERAGE_", "FASTMCP_", "LANG", "LC_", "LD_", "OTEL_", "PYICEBERG_", "PYTHON", "TZ")
"""How variables begin that Python or a library reads at its start; they mean nothing to a Python that is told -I."""
LIBRARIES = (
    *("crosstrail.cli", "pyiceberg.catalog.sql", "pyiceberg.io.pyarrow", "sqlglot", "msgspec", "orjson", "duckdb"),
    *("botocore.session", "aiohttp", "rich.console", "rich.table", "mcp", "mcp.server", "mcp.client.stdio", "uvicorn"),
    *(
        "starlette",
        "starlette.applications",
        "httpx2",
        "jwt",
        "sse_starlette",
        "cryptography.fernet",
        "pyarrow.parquet",
    ),
)
"""What commands load, beside crosstrail's own modules."""
_LATE = ("crosstrail.cli.accounts", "crosstrail.cli.import_accounts")
"""How modules begin that ask at their load which clouds are installed: a fork may have a cloud of its own."""
LARGEST = 1 << 18
"""Bytes of a request: arguments and environment."""


class Server:
    """Forks until nobody holds the lifeline; `serve` returns in a fork, with what is asked of it."""

    def __init__(self, listener: socket.socket, lifeline: int) -> None:
        self._listener = listener
        self._lifeline = lifeline
        self._forks: dict[int, socket.socket] = {}
        """By the ids of those that run."""
        self._wakes, self._woken = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._loaded = False

    def serve(self) -> tuple[dict[str, Any], list[int]] | None:
        """None once the lifeline is cut."""
        os.set_blocking(self._woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for one in (self._listener, self._lifeline, self._wakes):
            self._selector.register(one, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._lifeline:
                    for pid in self._forks:
                        os.kill(pid, signal.SIGKILL)
                    return None
                if key.fd == self._wakes:
                    os.read(self._wakes, 4096)
                    self._report()
                elif key.fileobj is self._listener:
                    self._selector.register(self._listener.accept()[0], selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket) and (asked := self._hear(key.fileobj)):
                    return asked

    def _hear(self, connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
        """What is asked of this process, if it is the fork."""
        try:
            data, handles, _, _ = socket.recv_fds(connection, LARGEST, 64)
        except ConnectionError:
            data, handles = b"", []
        if not data:
            self._selector.unregister(connection)
            connection.close()
            for pid in [pid for pid, its in self._forks.items() if its is connection]:
                os.kill(pid, signal.SIGKILL)  # nobody waits for it: whoever did was killed
            return None
        request: dict[str, Any] = marshal.loads(data)  # noqa: S302 - of these tests' own
        if request["words"][0] != "-I" and _at_start(request["env"]) != _at_start(os.environ):
            connection.send(b"0")
            for handle in handles:
                os.close(handle)
            return None
        if not self._loaded:
            _load()
            self._loaded = True
        if (pid := os.fork()) == 0:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            for one in (self._listener, connection, *self._forks.values()):
                one.close()
            for handle in (self._lifeline, self._wakes, self._woken):
                os.close(handle)
            return request, handles
        self._forks[pid] = connection
        with suppress(OSError):
            connection.send(b"%d" % pid)
        for handle in handles:
            os.close(handle)
        return None

    def _report(self) -> None:
        """The exit statuses of those that have ended."""
        for pid in tuple(self._forks):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with suppress(OSError):  # nobody waits for it
                    self._forks.pop(pid).send(b"%d" % os.waitstatus_to_exitcode(status))


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    """Without what Python takes where nothing is said of languages, and tells its children, and what a fork does itself."""
    found = {name: value for name, value in env.items() if name.startswith(AT_START) and value != "C.UTF-8"}
    return {name: value for name, value in found.items() if name != "PYTHONPATH"}


def _load() -> None:
    import crosstrail

    for name in LIBRARIES:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(crosstrail.__path__, "crosstrail."):
        if not module.name.endswith("__main__") and not module.name.startswith(_LATE):
            importlib.import_module(module.name)
    for one in gc.get_objects():  # which clouds are installed, and the like, each fork looks up as any process does
        if isinstance(one, functools._lru_cache_wrapper) and str(one.__module__).startswith("crosstrail"):
            one.cache_clear()
    gc.collect()
    gc.freeze()  # else each fork would go through all this, and copy it


def _become(request: dict[str, Any], handles: Sequence[int], python: str) -> None:
    """`python WORDS...` in that folder with that environment. Does not return."""
    above = [fcntl.fcntl(handle, fcntl.F_DUPFD, 256) for handle in handles]
    for number, handle, first in zip(request["handles"], above, handles, strict=True):
        if first not in request["handles"]:
            os.close(first)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = open(0, closefd=False)  # as Python opens them: it looks once what kind of file each is
    sys.stdout = open(1, "w", closefd=False)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if not request["deaf"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    os.umask(request["mask"])
    if request["env"].get("PRELOADED_TESTS"):
        sys.executable = python  # so its children are forks, too
        multiprocessing.spawn.set_executable(python)
    tempfile.tempdir = None
    _end(_run(request["words"], request["folder"]))


def _run(words: list[str], folder: str) -> int:
    """The exit status of `-m MODULE ARGUMENTS...` or `-c TEXT ARGUMENTS...`, perhaps behind -I; its traceback is printed."""
    isolated = words[0] == "-I"
    how, what, *arguments = words[1:] if isolated else words
    searched = [] if isolated else [folder, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[0:1] = searched
    importlib.invalidate_caches()
    try:
        if how == "-m":
            sys.argv = [what, *arguments]
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.argv = ["-c", *arguments]
            names = {"__name__": "__main__", "__builtins__": __builtins__}
            exec(compile(what, "<string>", "exec"), names)  # noqa: S102 - as `python -c` does
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return (left.code or 0) & 0xFF
        print(left.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 - as Python says what ends it
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _end(status: int) -> None:
    """As Python ends, but for taking every module apart: that alone takes longer than most commands."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        status = 120
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(status)


def _main(place: str, lifeline: int, python: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest and for the forks
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(place)
        listener.listen(128)
        os.write(1, b"ready\n")
        os.dup2(0, 1)  # nobody reads on
        asked = Server(listener, lifeline).serve()
    if asked:
        _become(*asked, python)
    atexit._run_exitfuncs()
    os._exit(0)  # as its forks end


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
