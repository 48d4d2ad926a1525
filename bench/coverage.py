"""What the map of what is covered costs: 200 accounts of 17 regions each over 90 days by default, with digests and a hole in each.

    python bench/coverage.py --accounts 200 --days 90 --runs 3 [--folder FOLDER]

Makes the lake once (not counted; with --folder it is kept for the next run). Prints the median of whole commands, processor time and
memory: the picture, the same as JSON, and one account.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from crosstrail.lake.covered_spans import CoveredSpan, SpanKind, record_spans
from crosstrail.lake.table import LakeTable
from generate import START
from lake_size import FIRST_ACCOUNT, REGIONS, _command, build
from processes import compile_all


def _spans(accounts: int, days: int) -> Iterator[CoveredSpan]:
    """Proved, but for six hours in the middle."""
    end = datetime.combine(START.date() - timedelta(days=9), datetime.min.time(), START.tzinfo)
    begin, middle = end - timedelta(days=days), end - timedelta(days=days // 2)
    for number in range(accounts):
        for region in REGIONS:
            place = ("aws", f"{FIRST_ACCOUNT + number}", region)
            yield CoveredSpan(*place, SpanKind.PROVED, begin, middle, trail="t")
            yield CoveredSpan(*place, SpanKind.HOLE, middle, middle + timedelta(hours=6), "no digest", "t")
            yield CoveredSpan(*place, SpanKind.PROVED, middle + timedelta(hours=6), end, trail="t")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="kept; without it a temporary folder is used")
    chosen = parser.parse_args()
    compile_all()
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as temporary:
        lake = build(chosen.folder or Path(temporary), chosen.accounts, chosen.days)
        with closing(LakeTable.open(lake)) as table:
            record_spans(lake, table.uuid, _spans(chosen.accounts, chosen.days))
        print(
            f"{chosen.accounts:,} accounts, {len(REGIONS)} regions, {chosen.days} days; {chosen.runs} runs, whole commands"
        )
        asked = {"picture": (), "json": ("--json",), "one account": ("--account", f"{FIRST_ACCOUNT + 3}")}
        for name, options in asked.items():
            taken = [_command("coverage", "--lake", lake, *options)[:2] for _ in range(chosen.runs)]
            seconds, cpu = (statistics.median(values) for values in zip(*taken, strict=True))
            print(f"{name:12} median {seconds:6.2f} s, {cpu:6.2f} s of processor time")
    print(
        f"memory at most {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:,.0f} MB, making the lake included"
    )


if __name__ == "__main__":
    main()
