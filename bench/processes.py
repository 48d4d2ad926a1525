"""The processes that benchmarks measure or lean on: the tests' fake clouds, servers over HTTP, and what these have used."""

from __future__ import annotations

import compileall
import json
import os
import re
import resource
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Cloud:
    """A fake cloud in a process of its own; `accounts` are as crosstrail.yaml has them, `base` is who assumes their roles."""

    url: str
    base: dict[str, str]
    accounts: list[dict[str, Any]]

    @property
    def environment(self) -> dict[str, str]:
        """What leads AWS clients to it, and nowhere else."""
        return without_aws(
            AWS_ENDPOINT_URL=self.url,
            AWS_EC2_METADATA_DISABLED="true",
            AWS_ACCESS_KEY_ID=self.base["access_key_id"],
            AWS_SECRET_ACCESS_KEY=self.base["secret_access_key"],
        )

    def set(self, **values: float) -> None:
        self._post("set", json.dumps(values).encode())

    def clear(self) -> None:
        """Forget what was asked."""
        self._post("clear")

    def times(self, action: str) -> list[float]:
        """When each request for the action came since `clear`, in seconds."""
        return sorted(one["at"] for one in json.loads(self._post("requests")) if one["action"] == action)

    def _post(self, name: str, body: bytes = b"{}") -> bytes:
        with urllib.request.urlopen(f"{self.url}/_fake/{name}", body) as answer:  # noqa: S310 - our own loopback server
            read: bytes = answer.read()
            return read


@contextmanager
def fake(cloud: str, **options: object) -> Iterator[Cloud]:
    """A fake of tests/fakes (`aws`, `volcengine`) until the block ends; `options` are those of its command line."""
    told = [f"--{name}={value}" for name, value in options.items()]
    with subprocess.Popen(
        [sys.executable, "-m", f"fakes.{cloud}", *told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Cloud(**json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()


@contextmanager
def serving(command: list[str], environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """A server that says on stderr where it serves: its address and process id."""
    with subprocess.Popen(
        command, env=dict(environment), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr
        found = None
        while not found and (line := running.stderr.readline()):
            found = re.search(r"serves (http\S+/mcp)", line)
        if not found:
            raise SystemExit("the server does not start")
        try:
            yield found[1], running.pid
        finally:
            running.terminate()


def compile_all() -> None:
    """Bytecode of crosstrail and of what it imports, where it is missing or old: else each process measured compiles its own."""
    compileall.compile_dir(ROOT / "src", quiet=1)
    compileall.compile_dir(sysconfig.get_paths()["purelib"], quiet=2, workers=0)


def cpu(pid: int) -> float:
    """Seconds of processor time of one process that runs, in steps of 10 ms. Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def child_cpu() -> float:
    """Seconds of processor time of all child processes that have ended: says what a run cost on a machine that others use too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def without_aws(**values: str) -> dict[str, str]:
    """This machine's environment without its AWS configuration, and with these variables."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**clean, **values}


def memory(pid: int) -> float:
    """MB of resident memory. Linux."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def tree_memory(pid: int) -> float:
    """MB of resident memory of a process and all below it; what they share is counted once for each. Linux."""
    total = 0.0
    for one in (pid, *_below(pid)):
        try:
            total += memory(one)
        except FileNotFoundError:  # it ended meanwhile
            continue
    return total


def _below(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in map(int, children):
            yield child
            yield from _below(child)
