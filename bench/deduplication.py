"""What it costs that an event goes in once: a commit's ids compared with all that the lake holds of their account.

    python bench/deduplication.py [--events 500000] [--held 500000 20000000 100000000] [--commit 250000] [--runs 3] [--folder FOLDER]

Makes a lake of one account whose events have nothing but ids and times (not counted; with --folder it is kept), then compares the
ids of new files of as many events as one commit brings: the first time, when the ids of all data files are read and their hashes
written down, and afterwards, with the hashes of as many more events added as make each number of --held. Of those there are no
data files, which are not read either as long as a commit brings nothing that is known. Prints the medians, what they are of the
time of a commit, and what a commit takes of which the lake has every event.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from crosstrail.lake.data_files import sealed
from crosstrail.lake.event_ids import IDS_FOLDER, EventIds
from crosstrail.lake.partition import partition_path
from crosstrail.lake.repeats import find_repeats
from crosstrail.lake.schema import ARROW_SCHEMA
from crosstrail.lake.stage import write_parquet
from crosstrail.lake.table import LakeTable

ACCOUNT = "111111111111"
EVENTS_A_FILE = 100_000
FILES_A_DAY = 4
INGEST_MICROSECONDS = 16
"""The aim of everything that an event takes."""
AIM = 0.20


def _write(data: Path, number: int, events: int, prefix: str) -> Path:
    day = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number // FILES_A_DAY)
    ids = duckdb.sql(f"SELECT CAST(uuid() AS VARCHAR) AS id, md5(range::VARCHAR) AS hash FROM range({events})")
    assert ids
    made = ids.to_arrow_table()
    first = int(day.timestamp()) * 1_000_000
    moments = duckdb.sql(f"SELECT {first} + range * 100000 AS micros FROM range({events})")
    assert moments
    times = moments.to_arrow_table()
    known = {
        "cloud": pa.array(["aws"] * events, pa.string()),
        "account": pa.array([ACCOUNT] * events, pa.string()),
        "eventid": made.column("id").cast(pa.string()),
        "eventjsonchecksum": made.column("hash").cast(pa.string()),
        "eventtime": times.column("micros").cast(ARROW_SCHEMA.field("eventtime").type),
    }
    columns = [known.get(field.name, pa.nulls(events, field.type)) for field in ARROW_SCHEMA]
    path = data / partition_path("aws", ACCOUNT, f"{day:%Y-%m-%d}") / f"{prefix}-{number:06d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet([pa.Table.from_arrays(columns, schema=ARROW_SCHEMA)], path, ARROW_SCHEMA)
    return sealed(path)


def build(folder: Path, events: int) -> Path:
    lake = folder / f"ids-{events}"
    if not (lake / "done").exists():
        with closing(LakeTable.open(lake, create=True)) as table:
            files = [
                _write(table.data_folder, number, EVENTS_A_FILE, "made") for number in range(events // EVENTS_A_FILE)
            ]
            table.commit(table.snapshot(), files)
        (lake / "done").touch()
    return lake


class Comparison:
    """Of files with a lake, in seconds of processor time."""

    def __init__(self, lake: Path) -> None:
        self.table = LakeTable.open(lake)
        self.base = self.table.snapshot()
        self.ids = self.table.event_ids

    def cost(self, staged: list[Path], repeats: int) -> float:
        began = time.process_time()
        found = find_repeats(self.table, staged, self.base).repeats
        assert sum(map(len, found.values())) == repeats
        return time.process_time() - began


def _add_hashes(ids: EventIds, count: int) -> None:
    """Random ones, in order, as many at a time as a large commit brings; no data file has them."""
    while count > 0:
        some = min(count, 10_000_000)
        random = pa.Array.from_buffers(pa.uint64(), some, [None, pa.py_buffer(os.urandom(8 * some))])
        ids.add(random.take(pc.array_sort_indices(random)), [f"none-{os.urandom(32).hex()}.parquet"])
        count -= some


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--held", type=int, nargs="+", default=[500_000, 20_000_000, 100_000_000])
    parser.add_argument("--commit", type=int, default=250_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="kept; without it a temporary folder is used")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as temporary:
        lake = build(chosen.folder or Path(temporary), chosen.events)
        shutil.rmtree(lake / IDS_FOLDER, ignore_errors=True)
        new = [_write(Path(temporary), number, chosen.commit // 5, "new") for number in range(5)]
        comparison = Comparison(lake)
        first, again = comparison.cost(new, 0), comparison.cost(new, 0)
        print(f"once, to read {chosen.events:,} ids: {(first - again) / chosen.events * 1e9:,.0f} ns for each")
        held = chosen.events
        for wanted in sorted(chosen.held):
            _add_hashes(comparison.ids, wanted - held)
            held = max(held, wanted)
            cost = statistics.median(comparison.cost(new, 0) for _ in range(chosen.runs))
            share = cost / (cost + chosen.commit * INGEST_MICROSECONDS / 1e6)
            print(
                f"{held:>11,} events of one account, a commit of {chosen.commit:,}: median {cost:.2f} s of processor time, "
                f"{share:.0%} of its time (aim {AIM:.0%})   {'met' if share <= AIM else 'missed'}"
            )
        known = [Path(file.path) for file in comparison.base.files[:2]]
        cost = comparison.cost(known, 2 * EVENTS_A_FILE)
        print(f"of {2 * EVENTS_A_FILE:,} events that the lake has: {cost / 2 / EVENTS_A_FILE * 1e6:.0f} µs for each")
        comparison.table.close()
    print(f"peak of memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
