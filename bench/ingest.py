"""How fast log files become committed Iceberg files: generated .json.gz, the real command, several runs.

    python bench/ingest.py [--large] [--events 300000] [--runs 3]

Prints each run, the median beside its aim (100,000 events/s on 2 free cores, 16 µs of processor time an event), the memory of
all its processes together, the cost of as many events again into the lake that holds them, and where the time of staging goes.
Making the events is not counted. `--large`: once, 5,000,000 events and as many again, so the lake then holds 10,000,000. Processor time is the figure to compare: others use the machine too.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from pathlib import Path

from crosstrail.lake.collector import MAX_BYTES
from crosstrail.lake.containers import entries
from crosstrail.lake.logs import LogContent, read_log
from crosstrail.lake.rows import Row, to_table
from crosstrail.lake.schema import ARROW_SCHEMA
from crosstrail.lake.sources.base import LogObject
from crosstrail.lake.sources.files import find
from crosstrail.lake.stage import Job, Terms, stage
from generate import generate, size
from processes import child_cpu, compile_all, tree_memory

AIM = 100_000
AIM_MICROS = 16
FEW = 1_000
"""Events of a collection that is little else than its start and its commit."""


@dataclass(frozen=True)
class Run:
    seconds: float
    """From the start of the process to its end."""
    cpu: float
    """Of the process and its workers, in seconds."""
    memory: float
    """The most that they held at once, in MB."""
    report: dict[str, float]


CPU, SECONDS = attrgetter("cpu"), attrgetter("seconds")


def collect(logs: Path, lake: Path) -> Run:
    before, began = child_cpu(), time.perf_counter()
    command = [sys.executable, "-m", "crosstrail", "collect", str(logs), "--lake", str(lake), "--json"]
    most = 0.0
    with tempfile.TemporaryFile() as said, subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL) as running:
        while running.poll() is None:
            most = max(most, tree_memory(running.pid))
            time.sleep(0.1)
        said.seek(0)
        report = json.load(said)
    return Run(time.perf_counter() - began, child_cpu() - before, most, report)


def phases(logs: Path, folder: Path, objects: int = 40) -> Iterator[tuple[str, float]]:
    """(what is done, µs of processor time an event) of some of the files, each phase with those before it: least of three."""
    gc.disable()
    gc.freeze()
    found = [one for batch in find([logs], folder).batches for one in batch][:objects]
    schema = ARROW_SCHEMA.serialize().to_pybytes()

    def rows_of(log: LogObject) -> Iterator[Row]:
        for entry in entries(log, MAX_BYTES):
            yield from read_log(entry.name, entry.head, entry.chunks, "", LogContent())

    def tables() -> Iterator[object]:
        for log in found:
            rows = rows_of(log)
            while some := list(islice(rows, 2_048)):
                yield to_table(some, ARROW_SCHEMA)

    def stage_all() -> None:
        terms = Terms("", None, MAX_BYTES, (str(logs),))
        stage(Job(tuple(found), str(folder / f"phase-{time.time_ns()}"), "x", schema, terms))

    steps: dict[str, Callable[[], object]] = {
        "unpacked": lambda: deque(
            (one for log in found for entry in entries(log, MAX_BYTES) for one in entry.chunks), 0
        ),
        "rows": lambda: deque((row for log in found for row in rows_of(log)), 0),
        "columns": lambda: deque(tables(), 0),
        "Parquet files": stage_all,
    }
    events = sum(1 for log in found for _ in rows_of(log))
    for name, step in steps.items():
        costs = []
        for _ in range(3):
            began = time.process_time()
            step()
            costs.append(time.process_time() - began)
        yield name, min(costs) / events * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description="Events a second into the lake.")
    parser.add_argument("--events", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    arguments.events = arguments.events or (5_000_000 if arguments.large else 300_000)
    arguments.runs = arguments.runs or (1 if arguments.large else 3)
    compile_all()
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as folder:
        logs, lake = Path(folder, "logs"), Path(folder, "lake")
        bytes_ = generate(logs, arguments.events)
        print(
            f"{arguments.events:,} events, {bytes_ / arguments.events:,.0f} bytes each, {size(logs) / 1e6:,.0f} MB gzipped"
        )
        few = Path(folder, "few")
        generate(few, FEW)
        more = Path(folder, "more")
        generate(more, arguments.events, seed=2)
        runs, starts = [], []
        for number in range(1, arguments.runs + 1):
            shutil.rmtree(lake, ignore_errors=True)
            runs.append(run := collect(logs, lake))
            assert run.report["new"] == arguments.events, run.report
            print(
                f"run {number}: {run.seconds:5.1f} s  {arguments.events / run.seconds:8,.0f} events/s  "
                f"{bytes_ / run.seconds / 1e6:6.0f} MB/s  {run.cpu:5.1f} s of processor time  {run.memory:,.0f} MB"
            )
            starts.append(collect(few, Path(folder, f"few-{number}")).cpu)
        again = collect(logs, lake)
        assert again.report["new"] == 0, again.report
        files = list(lake.rglob("*.parquet"))
        table = size(lake)
        grown = collect(more, lake)
        assert grown.report["new"] == arguments.events, grown.report
        start = statistics.median(starts)
        first, last = ((cpu - start) / (arguments.events - FEW) * 1e6 for cpu in (median(runs, CPU), grown.cpu))
        print(
            f"processor time: median {median(runs, CPU):.1f} s, of which {start:.1f} s for {FEW:,} events; {first:.1f} µs "
            f"for each one more (aim {AIM_MICROS}), {last:.1f} µs into the lake that holds as many ({last / first - 1:+.0%})"
        )
        rate = arguments.events / median(runs, SECONDS)
        print(f"median {rate:,.0f} events/s (aim {AIM:,}); again, all known: {again.seconds:.2f} s")
        print(f"memory of all processes: {max(one.memory for one in (*runs, grown)):,.0f} MB at most")
        print(
            f"table: {table / 1e6:,.0f} MB in {len(files)} data files, {table / arguments.events:,.0f} bytes an event"
        )
        before = 0.0
        for name, micros in phases(logs, Path(folder)):
            print(f"  {name:15} {micros - before:5.1f} µs an event, {micros:5.1f} with those above")
            before = micros


def median(runs: list[Run], value_of: Callable[[Run], float]) -> float:
    return statistics.median(map(value_of, runs))


if __name__ == "__main__":
    main()
