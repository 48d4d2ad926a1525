"""How fast log files become committed Iceberg files: generated .json.gz, the real command, several runs.

    python bench/ingest.py --events 500000 --runs 5

Prints each run, and the median beside its aim (50,000 events/s on 2 cores). Making the events is not counted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generate import generate
from processes import child_cpu, compile_all

AIM = 50_000
FEW = 1_000
"""Events of a collection that is little else than its start and its commit."""


def collect(logs: Path, lake: Path) -> tuple[float, dict[str, float]]:
    """(seconds from start of the process to its end, its report)."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "crosstrail", "collect", str(logs), "--lake", str(lake), "--json"]
    done = subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began, json.loads(done.stdout)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description="Events a second into the lake.")
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    compile_all()
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as folder:
        logs, lake = Path(folder, "logs"), Path(folder, "lake")
        bytes_ = generate(logs, arguments.events)
        print(
            f"{arguments.events:,} events, {bytes_ / arguments.events:,.0f} bytes each, {size(logs) / 1e6:,.0f} MB gzipped"
        )
        few = Path(folder, "few")
        generate(few, FEW)
        rates, costs, starts = [], [], []
        for number in range(1, arguments.runs + 1):
            shutil.rmtree(lake, ignore_errors=True)
            cpu = child_cpu()
            seconds, report = collect(logs, lake)
            costs.append(child_cpu() - cpu)
            assert report["new"] == arguments.events, report
            rates.append(arguments.events / seconds)
            print(
                f"run {number}: {seconds:5.1f} s  {rates[-1]:8,.0f} events/s  {bytes_ / seconds / 1e6:6.0f} MB/s  "
                f"{costs[-1]:5.1f} s of processor time"
            )
            cpu = child_cpu()
            collect(few, Path(folder, f"few-{number}"))
            starts.append(child_cpu() - cpu)
        again, report = collect(logs, lake)
        assert report["new"] == 0, report
        cost, start = statistics.median(costs), statistics.median(starts)
        each = (cost - start) / (arguments.events - FEW) * 1e6
        print(
            f"processor time: median {cost:.1f} s, of which {start:.1f} s for {FEW:,} events; {each:.0f} µs for each one more"
        )
        files = list(lake.rglob("*.parquet"))
        print(f"median {statistics.median(rates):,.0f} events/s (aim {AIM:,}); again, all known: {again:.2f} s")
        print(
            f"table: {size(lake) / 1e6:,.0f} MB in {len(files)} data files, {size(lake) / arguments.events:,.0f} bytes an event"
        )


if __name__ == "__main__":
    main()
