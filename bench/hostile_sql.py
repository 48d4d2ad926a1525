"""What one caller's hostile SQL costs, and what a second caller waits meanwhile: a real server over HTTP, one case after another.

    python bench/hostile_sql.py [--source SRC] [--seconds 30] [CASE ...]

For each case one caller sends the statement and hangs up after `--seconds`, while a second one asks SELECT 1 again and again; three
queries at once have been answered before.
Prints seconds until the answer, the peak of resident memory of the server and all processes below it, the second caller's
median and longest wait, and the processor time that is still used in the three seconds after the hang-up. `--source` measures
another checkout's `src`. A server whose processes take more than 6 GB is killed. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from processes import cpu, memory, serving

MAX_MB = 6_000


def _nested(template: str, depth: int) -> str:
    sql = "SELECT 1"
    for _ in range(depth):
        sql = template.replace("QUERY", sql)
    return sql


CASES = {
    "SELECT 1": "SELECT 1",
    "ORDER BY alias, 20 deep": _nested("SELECT (QUERY) AS a ORDER BY a", 20),
    "GROUP BY 1, 18 deep": _nested("SELECT (QUERY) AS a GROUP BY 1", 18),
    "reduce, 20 deep": "SELECT " + "reduce(ARRAY[1], 0, (s, x) -> " * 20 + "1" + ", s -> s)" * 20,
    "lambdas for the planner": "SELECT " + "transform(ARRAY[1], x -> " * 30 + "1" + ")" * 30,
    "texts in one vector": "SELECT sum(length(array_join(transform(sequence(1, 3000), n -> replace(rpad('x', 10000, 'x'), 'x',"
    " rpad('y', 100, 'y'))), '')))",
    "endless join": "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y),"
    " UNNEST(sequence(1, 10000)) c(z) WHERE x + y * z = -1",
}


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _sum(pid: int, of: Callable[[int], float]) -> float:
    total = 0.0
    for one in _tree(pid):
        try:
            total += of(one)
        except OSError:
            continue
    return total


def ask(url: str, sql: str, seconds: float) -> tuple[float, str]:
    """Seconds and the answer's first words."""
    params = {"name": "lake_query", "arguments": {"sql": sql}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=seconds) as answer:  # noqa: S310
            text = answer.read().decode()
    except (TimeoutError, urllib.error.URLError, ConnectionError) as error:
        return time.perf_counter() - began, f"no answer ({type(error).__name__})"
    words = text.partition('"text":"')[2][:70].replace("\\n", " ")
    return time.perf_counter() - began, words


def case(sql: str, seconds: float, environment: dict[str, str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "crosstrail.yaml")
        Path(folder, "logs").mkdir()
        accounts = [{"id": "111111111111", "archive": "logs"}]
        limits = {"calls_per_minute": 100_000}
        config.write_text(json.dumps({"accounts": accounts, "lake": {"path": "lake"}, "limits": limits}))
        command = [
            sys.executable,
            "-m",
            "crosstrail",
            "serve",
            "--config",
            str(config),
            "--transport",
            "http",
            "--port",
            "0",
        ]
        with serving([*command, "--audit", "off"], environment) as (url, pid):
            return _measured(url, pid, sql, seconds)


def _measured(url: str, pid: int, sql: str, seconds: float) -> str:
    first, _ = ask(url, "SELECT 1", 120)
    warm = [threading.Thread(target=ask, args=(url, "SELECT 1", 120)) for _ in range(3)]
    for one in warm:
        one.start()
    for one in warm:
        one.join()
    peak, waits, over = [0.0], [], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], _sum(pid, memory))
            if peak[0] > MAX_MB:
                for one in _tree(pid):
                    os.kill(one, signal.SIGKILL)
                return

    def second() -> None:
        while not over.is_set():
            waits.append(ask(url, "SELECT 1", 60)[0])

    helpers = [threading.Thread(target=watch, daemon=True), threading.Thread(target=second, daemon=True)]
    for helper in helpers:
        helper.start()
    took, words = ask(url, sql, seconds)
    over.set()
    for helper in helpers:
        helper.join()
    time.sleep(2)
    before = _sum(pid, cpu)
    time.sleep(3)
    after = _sum(pid, cpu) - before
    waited = f"{statistics.median(waits):.2f} / {max(waits):.2f} s"
    return f"{first:.2f} s | {took:.2f} s | {peak[0]:.0f} MB | {waited} | {after:.1f} s | {words}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--source", type=Path, default=Path(__file__).resolve().parent.parent / "src")
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(given.source)}
    where = subprocess.run(
        ["git", "-C", str(given.source), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    print(
        f"{where.stdout.strip()}\ncase | first query | answer | peak memory | second caller: median / longest | CPU after | answer"
    )
    for name, sql in CASES.items():
        if not given.cases or name in given.cases:
            print(f"{name} | {case(sql, given.seconds, environment)}", flush=True)


if __name__ == "__main__":
    main()
