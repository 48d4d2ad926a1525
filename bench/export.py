"""What an export of original records costs, and its check: seconds and processor time of whole processes, median of several.

    python bench/export.py --events 200000 --runs 3

Processor time and memory are those of the whole process tree, looked at every 50 ms.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generate import ACCOUNTS, START, event
from processes import tree_memory

_FILES = 8
_NUMBER = "{number}"


def write_logs(folder: Path, events: int) -> None:
    """Records of one account and day, alike but for their ids."""
    import random

    made = event(random.Random(1), ACCOUNTS[0], "us-east-1", START)  # noqa: S311 - the same every time is the point
    text = json.dumps({**made, "eventID": "00000000-0000-4000-8000-" + _NUMBER})
    for file in range(_FILES):
        numbers = range(file * events // _FILES, (file + 1) * events // _FILES)
        records = ",".join(text.replace(_NUMBER, f"{number:012d}") for number in numbers)
        (folder / f"{file}.json.gz").write_bytes(gzip.compress(f'{{"Records": [{records}]}}'.encode(), 1))


def processor(pid: int) -> float:
    """Seconds of processor time of the process and all below it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        below = [
            child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
        ]
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(
        processor(int(child)) for child in below
    )


def run(*arguments: object) -> tuple[float, float, float]:
    """Seconds, seconds of processor time, and MB at the peak."""
    command = [sys.executable, "-m", "crosstrail", *map(str, arguments)]
    began, used, peak = time.perf_counter(), 0.0, 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak, used = max(peak, tree_memory(process.pid)), max(used, processor(process.pid))
            time.sleep(0.05)
        assert process.returncode == 0, process.communicate()[1]
    return time.perf_counter() - began, used, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as name:
        folder = Path(name)
        (folder / "logs").mkdir()
        write_logs(folder / "logs", given.events)
        run("collect", folder / "logs", "--lake", folder / "lake")
        for end in ("jsonl", "jsonl.gz", "parquet"):
            data = folder / f"evidence.{end}"
            export = ("export", "SELECT eventid FROM events", "-o", data, "--overwrite", "--lake", folder / "lake")
            for what, arguments in (("export", export), ("check", ("export", "--check", f"{data}.manifest.json"))):
                runs = [run(*arguments) for _ in range(given.runs)]
                seconds, used, peak = (statistics.median(values) for values in zip(*runs, strict=True))
                print(
                    f"{what:<6} {end:<9} {given.events:>9,} records  {seconds:6.1f} s  {used:6.1f} s of processor time, "
                    f"{1e6 * used / given.events:5.1f} us a record  peak {peak:5,.0f} MB  {data.stat().st_size / 2**20:6,.0f} MB"
                )


if __name__ == "__main__":
    main()
