"""What detections add to a collection: processor time of `collect` and of `collect --detect`, over the same log files.

    python bench/collect_detect.py [--large] [--events 600000]

Prints both, and the share beside its aim (5 % where little is found), for rules that find nothing in generated events and for those that
find something in every twelfth. Processor time is counted of all processes, the query's worker among them. `--large`: 5,000,000 events.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from generate import generate
from processes import child_cpu, compile_all

AIM = 0.05
_PR_SET_CHILD_SUBREAPER = 36


def cost(logs: Path, lake: Path, *more: str) -> tuple[float, float, int]:
    """(processor seconds, seconds, findings) of one collection."""
    before, began = child_cpu(), time.perf_counter()
    command = [sys.executable, "-m", "crosstrail", "collect", str(logs), "--lake", str(lake), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    with suppress(ChildProcessError):  # workers end a moment after it, and are this process's then
        while True:
            os.wait()
    return child_cpu() - before, seconds, done.stdout.count("DRL")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    compile_all()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        logs, events = Path(folder, "logs"), 5_000_000 if given.large else given.events
        generate(logs, events)
        plain, seconds, _ = cost(logs, Path(folder, "plain"))
        print(f"collect            {plain:7.1f} s of processors, {seconds:7.1f} s, {events:,} events")
        for level in ("high", "medium"):
            os.environ["CROSSTRAIL_DETECT_LEVEL"] = level
            cpu, seconds, found = cost(logs, Path(folder, level), "--detect")
            share = (cpu - plain) / plain
            print(
                f"--detect, {level:<7}  {cpu:7.1f} s of processors, {seconds:7.1f} s, {found:,} findings: {share:+.1%} (aim {AIM:.0%})"
            )


if __name__ == "__main__":
    main()
