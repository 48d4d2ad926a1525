"""How long it takes to say what is new in a big lake (`crosstrail detect --new`), and to summarize one key of it.

    python bench/first_seen.py [--events 10000000] [--runs 3] [--folder FOLDER]

Generated events, collected once (with --folder they are kept for the next run). The last of their 30 days is compared with the 29 before.
Prints every median beside its aim, which is one for 10,000,000 events on 2 cores: measured, beside another bench, 4.1 s to say what is
new and 5.2 s for one key.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import anyio

from crosstrail.answers.detect import DetectCall, detect
from crosstrail.answers.summarize import SummaryCall, summarize
from crosstrail.settings.config import Settings
from crosstrail.timerange import iso
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from generate import ACCOUNTS, DAYS, START, access_key
from query import build

AIMS = {"what is new": 4.0, "one key summarized": 2.0}


async def measure(lake: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of every run of each."""
    workspace = Workspace(Settings.model_validate({"lake": {"path": str(lake)}}))
    visible = ScopedWorkspace(workspace)
    last_day = iso(START + timedelta(days=DAYS - 1))
    key = access_key(ACCOUNTS[0], 1_500)
    seconds: dict[str, list[float]] = {name: [] for name in AIMS}
    for _ in range(runs + 1):  # the first one warms up
        begun = time.perf_counter()
        await detect(visible, DetectCall(start=last_day, level="low", new=True))
        seconds["what is new"].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        await summarize(visible, SummaryCall(key))
        seconds["one key summarized"].append(time.perf_counter() - begun)
    await workspace.aclose()
    return {name: found[1:] for name, found in seconds.items()}


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = build(given.folder or Path(folder), given.events)
        for name, found in anyio.run(measure, lake, given.runs).items():
            median = statistics.median(found)
            print(
                f"{name:<22} {median:6.2f} s  (aim {AIMS[name]:.1f} s for 10,000,000; {min(found):.2f} to {max(found):.2f})"
            )


if __name__ == "__main__":
    main()
