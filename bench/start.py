"""Start of the server and of commands that ask a small lake.

    python bench/start.py [RUNS]

Of the server: time to the first tools/list over stdio, and memory then, beside a bare MCPServer in the same run. Bytecode
is compiled first. Time runs from the start of the process to the answer's last byte; memory is the resident set at that
moment (Linux). The goal: at most 0.8 s and 90 MB, with no heavy library loaded; with 5,000 accounts in crosstrail.yaml at
most a second more. Of commands: time to their end, for which the goal is 0.5 s, and processor time without that of a
query's worker. Of the help of every command, and of the first that a command says (what is wrong with its options or settings):
at most 0.35 s, beside `python -c 'import click'`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from generate import ACCOUNTS as LAKE_ACCOUNTS
from generate import DAYS, START, generate
from processes import child_cpu, compile_all, memory

SOURCE = Path(__file__).resolve().parent.parent / "src"
HEAVY = ("boto3", "botocore", "duckdb", "pyarrow", "pyiceberg", "sqlglot", "fastmcp", "pandas", "numpy", "sqlalchemy")
ACCOUNTS = 5000
BARE = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("bare", log_level="WARNING")
@server.tool()
def nothing() -> str:
    return ""
server.run("stdio")
"""
MESSAGES = (
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
)


def start(arguments: list[str], folder: str) -> tuple[float, float, str]:
    """Seconds to the answer, resident MB then, and what the process wrote to stderr."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=environment,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in MESSAGES))
        process.stdin.flush()
        answers = [process.stdout.readline(), process.stdout.readline()]
        seconds = time.perf_counter() - began
        resident = memory(process.pid)
        process.stdin.close()
        process.wait(20)
        errors.seek(0)
        logged = errors.read()
    if b'"tools"' not in answers[1]:
        raise SystemExit(f"no tools: {answers[1][:200]!r}\n{logged}")
    return seconds, resident, logged


def account(number: int) -> str:
    """One entry of crosstrail.yaml."""
    role = f"{{type: role, role_arn: 'arn:aws:iam::{10**11 + number}:role/Audit'}}"
    return (
        f"- id: '{10**11 + number}'\n  alias: team-{number:04d}\n  region: eu-west-1\n"
        f"  regions: [eu-west-1, us-east-1]\n  tags: {{env: prod}}\n  auth: {role}\n"
    )


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    compile_all()
    with tempfile.TemporaryDirectory() as folder:
        served = ["-m", "crosstrail", "serve", "--lake", str(Path(folder) / "lake")]
        many = Path(folder) / "many.yaml"
        many.write_text("accounts:\n" + "".join(map(account, range(ACCOUNTS))))
        commands = {
            "crosstrail serve": served,
            f"the same with {ACCOUNTS:,} accounts": [*served, "--config", str(many)],
            "bare MCPServer": ["-c", BARE],
        }
        figures: dict[str, list[tuple[float, float, str]]] = {name: [] for name in commands}
        for _ in range(runs + 1):  # the first run of each warms the disk cache and is not counted
            for name, command in commands.items():
                figures[name].append(start(command, folder))
        for name, measured in figures.items():
            seconds = sorted(one[0] for one in measured[1:])
            resident = statistics.median(one[1] for one in measured[1:])
            print(
                f"{name}: median {statistics.median(seconds):.3f} s (best {seconds[0]:.3f}, worst {seconds[-1]:.3f}) "
                f"to tools/list, {resident:.1f} MB, {runs} runs"
            )
        _, _, imports = start(["-X", "importtime", *served], folder)
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in imports.splitlines() if "|" in line}
    print(f"heavy libraries loaded: {', '.join(sorted(loaded & set(HEAVY))) or 'none'}")
    with tempfile.TemporaryDirectory() as folder:
        ask_a_lake(Path(folder), runs)
    say_something(runs)


def ask_a_lake(folder: Path, runs: int) -> None:
    """The two commands that read a lake, one after the other so that both meet the same noise."""
    generate(folder / "logs", 1_000)
    crosstrail = [sys.executable, "-m", "crosstrail"]
    lake = ["--lake", str(folder / "lake")]
    subprocess.run([*crosstrail, "collect", str(folder / "logs"), *lake], check=True, capture_output=True, cwd=folder)
    span = ["--since", f"{START:%Y-%m-%dT%H:%M:%SZ}", "--until", f"{START + timedelta(days=DAYS):%Y-%m-%dT%H:%M:%SZ}"]
    commands = {
        'crosstrail query "SELECT 1"': ["query", "SELECT 1", *lake],
        "crosstrail lookup": ["lookup", "--account", LAKE_ACCOUNTS[0], *span, *lake],
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(runs + 1):
        for name, command in commands.items():
            began, cpu = time.perf_counter(), child_cpu()
            subprocess.run([*crosstrail, *command], check=True, capture_output=True, cwd=folder)
            figures[name].append((time.perf_counter() - began, child_cpu() - cpu))
    for name, measured in figures.items():
        walls, cpus = zip(*measured[1:], strict=True)
        print(
            f"{name}: median {statistics.median(walls):.3f} s (best {min(walls):.3f}), "
            f"{statistics.median(cpus):.3f} s of processor time (best {min(cpus):.3f}), {runs} runs"
        )


SAID = 0.35
"""Seconds until a command can say something."""


def say_something(runs: int) -> None:
    """The help of every command, and what settings that cannot be read make of some; the slowest first."""
    sys.path.insert(0, str(SOURCE.parent / "tests"))
    from command_tree import entries

    crosstrail = ["-m", "crosstrail"]
    commands = {"python -c 'import click'": ["-c", "import click"], "crosstrail --version": [*crosstrail, "--version"]}
    for entry in entries():
        commands[f"crosstrail {entry.path} --help".replace("  ", " ")] = [*crosstrail, *entry.path.split(), "--help"]
        if entry.path in ("lookup", "query", "accounts list", "collect", "detect"):
            words = [*entry.path.split(), *(["SELECT 1"] if entry.path == "query" else [])]
            commands[f"crosstrail {entry.path}, without its settings"] = [*crosstrail, *words, "--config", "/nowhere"]
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": ""}
    for _ in range(runs + 1):
        for name, command in commands.items():
            began, cpu = time.perf_counter(), child_cpu()
            subprocess.run([sys.executable, *command], capture_output=True, env=environment, check=False)
            figures[name].append((time.perf_counter() - began, child_cpu() - cpu))
    medians = {
        name: [statistics.median(column) for column in zip(*measured[1:], strict=True)]
        for name, measured in figures.items()
    }
    for name, (wall, cpu) in sorted(medians.items(), key=lambda one: -one[1][0]):
        print(f"{name}: median {wall:.3f} s, {cpu:.3f} s of processor time{', TOO SLOW' * (wall > SAID)}")
    late = [name for name, (wall, _) in medians.items() if wall > SAID]
    print(f"{len(medians) - len(late)} of {len(medians)} say something within {SAID} s, {runs} runs")


if __name__ == "__main__":
    main()
