"""crosstrail as process 1 of a pid namespace, as a container has it: told to stop it ends, whatever it does, and no zombie stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ports import free_port
from running_server import PATIENCE, write_config
from wrap_workspace import WrapWorkspace

_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]


def _why_not() -> str:
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("unshare"):
        return "needs root and unshare, for a pid namespace"
    done = subprocess.run([*_NAMESPACE, "true"], capture_output=True, text=True, check=False, timeout=PATIENCE)
    return f"no pid namespace here: {done.stderr[-200:]}" if done.returncode else ""


pytestmark = pytest.mark.skipif(bool(why := _why_not()), reason=why)


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _first(process: subprocess.Popen[str]) -> int:
    """Process 1 of the namespace, by the id that it has out here."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        for pid in _children(process.pid):
            if _children(pid):  # it has started the program: from then on no signal is lost
                return pid
        assert process.poll() is None
    raise AssertionError("process 1 never began to wait")


@contextmanager
def started(command: Sequence[str], environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*_NAMESPACE, sys.executable, *command],
        env={**os.environ, **(environ or {})},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def stopped(process: subprocess.Popen[str]) -> int:
    """The status with which it ends."""
    os.kill(_first(process), signal.SIGTERM)
    return process.wait(timeout=PATIENCE)


def says(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr
    said = []
    for line in process.stderr:
        said.append(line)
        if words in line:
            return
    raise AssertionError("".join(said))


@pytest.fixture
def http(tmp_path: Path) -> list[str]:
    config = write_config(tmp_path, lake={"path": "lake"})
    return ["-m", "crosstrail", "serve", "--config", str(config), "--transport", "http", "--audit", "off"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_is_told_to_stop_ends(http: list[str], workers: str) -> None:
    with started([*http, "--workers", workers, "--port", str(free_port())]) as process:
        says(process, "serves http")
        assert stopped(process) in (0, 128 + signal.SIGTERM)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_is_told_to_stop_while_it_starts_ends(http: list[str], workers: str) -> None:
    with started([*http, "--workers", workers, "--port", str(free_port())]) as process:
        assert stopped(process) in (0, 128 + signal.SIGTERM)


def test_a_server_over_stdio_ends(tmp_path: Path) -> None:
    config = write_config(tmp_path, lake={"path": "lake"})
    with started(["-m", "crosstrail", "serve", "--config", str(config)]) as process:
        assert stopped(process) in (0, 128 + signal.SIGTERM)


def test_a_server_with_wrapped_servers_ends(workspace: WrapWorkspace, tmp_path: Path) -> None:
    config = workspace.config(tmp_path, wrap={"servers": {"plain": workspace.plain()}})
    arguments = ["wrap", "--config", str(config), "--transport", "http", "--port", "0", "--audit", "off"]
    with started(["-m", "crosstrail", *arguments]) as process:
        says(process, "serves http")
        assert stopped(process) in (0, 128 + signal.SIGTERM)


def test_the_drop_in_ends() -> None:
    environ = {
        "MCP_SERVER_MODE": "http",
        "MCP_SERVER_PORT": "0",
        "VOLCENGINE_ACCESS_KEY": "a",
        "VOLCENGINE_SECRET_KEY": "b",
    }
    with started(["-c", "from crosstrail.launch.drop_in import main; main()"], environ) as process:
        says(process, "serves http")
        assert stopped(process) in (0, 128 + signal.SIGTERM)


_BELOW = "from crosstrail.first_process import start_below; start_below()\n"


def test_one_that_does_not_hear_is_ended() -> None:
    deaf = "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', file=sys.stderr, flush=True)\nwhile True: pass"
    with started(["-c", _BELOW + deaf]) as process:
        says(process, "ready")
        assert stopped(process) == 128 + signal.SIGTERM


def test_its_status_is_that_of_what_it_started(tmp_path: Path) -> None:
    with started(["-c", _BELOW + "import sys; sys.exit(7)"]) as process:
        assert process.wait(timeout=PATIENCE) == 7
    with started(["-m", "crosstrail", "serve", "--config", str(tmp_path / "none.yaml")]) as process:
        assert process.wait(timeout=PATIENCE) == 1


def test_orphans_that_end_are_no_zombies() -> None:
    """A child of a child, as a wrapped server's helper is: it ends when this test closes its input."""
    orphan = "import subprocess, sys\nsubprocess.run(['sh', '-c', 'cat <&0 >/dev/null 2>&1 & :'])\nsubprocess.run(['sh', '-c', 'exec 3<&0; (cat <&3 >/dev/null &)'])\n"
    waiting = "print('ready', file=sys.stderr, flush=True)\nimport signal\nsignal.pause()"
    with started(["-c", _BELOW + orphan + waiting]) as process:
        says(process, "ready")
        first = _first(process)
        [program, *orphans] = _children(first)
        assert orphans, "an orphan is the first process's"
        assert process.stdin
        process.stdin.close()
        began = time.monotonic()
        while (left := _children(first)) != [program]:
            assert time.monotonic() - began < PATIENCE, left
        assert stopped(process) == 128 + signal.SIGTERM
