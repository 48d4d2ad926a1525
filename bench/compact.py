"""What one busy account-day costs: its log files collected and compacted, then one more file, then a compaction again.

    python bench/compact.py [--large] [--events 500000]

Prints the seconds and the peak of resident memory of the whole process tree, each beside its aim (1 GB, of 3,000,000 events: `--large`).
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from multiprocessing import Pool
from pathlib import Path

from generate import ACCOUNTS, EVENTS_A_FILE, START, event
from processes import tree_memory

AIM_MB = 1_000


def _write(job: tuple[Path, int, int]) -> None:
    folder, number, files = job
    source = random.Random(number)  # noqa: S311 - the same every time is the point
    begin = START + timedelta(seconds=86_000 * number / files)
    times = sorted(begin + timedelta(seconds=source.randrange(300)) for _ in range(EVENTS_A_FILE))
    records = [event(source, ACCOUNTS[0], "us-east-1", moment) for moment in times]
    (folder / f"{number:06d}.json.gz").write_bytes(gzip.compress(json.dumps({"Records": records}).encode(), 1))


def collect(logs: Path, lake: Path) -> None:
    command = [sys.executable, "-m", "crosstrail", "collect", str(logs), "--lake", str(lake), "--json"]
    began, peak = time.perf_counter(), 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, tree_memory(process.pid))
            time.sleep(0.05)
        assert process.stdout
        report = json.loads(process.stdout.read())
    assert process.returncode == 0, report
    assert not report["not_compacted"], report
    print(
        f"{report['new']:>9,} new events  {time.perf_counter() - began:6.1f} s  peak {peak:6,.0f} MB (aim {AIM_MB:,})  "
        f"{len(list(lake.rglob('*.parquet'))):>4} files with those replaced"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int)
    parser.add_argument("--large", action="store_true")
    chosen = parser.parse_args()
    events = chosen.events or (3_000_000 if chosen.large else 500_000)
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as folder:
        logs, lake = Path(folder, "logs"), Path(folder, "lake")
        logs.mkdir()
        files = events // EVENTS_A_FILE
        with Pool() as pool:
            pool.map(_write, [(logs, number, files + 20) for number in range(files)], chunksize=8)
        collect(logs, lake)
        for number in range(files, files + 2):
            _write((logs, number, files + 20))
            collect(logs, lake)


if __name__ == "__main__":
    main()
