"""What it costs that an event goes in once: a commit's ids compared with all that the lake holds of their account.

    python bench/deduplication.py --events 20000000 --commit 250000 --runs 3 [--folder FOLDER]

Makes a lake of one account whose events have nothing but ids and times (not counted; with --folder it is kept), then compares
the ids of new files of as many events as one commit brings. Prints the median, and what that is of the time of a commit at
100,000,000, as the comparison grows with the lake.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from crosstrail.lake import append
from crosstrail.lake.commit_pace import MOST_ROWS
from crosstrail.lake.data_files import sealed
from crosstrail.lake.partition import partition_path
from crosstrail.lake.schema import ARROW_SCHEMA
from crosstrail.lake.stage import write_parquet
from crosstrail.lake.table import LakeTable

ACCOUNT = "111111111111"
EVENTS_A_FILE = 100_000
FILES_A_DAY = 4
INGEST_MICROSECONDS = 16
"""The aim of everything that an event takes."""
AIM = 0.20
LARGEST = 100_000_000


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--commit", type=int, default=250_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="kept; without it a temporary folder is used")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as temporary:
        lake = build(chosen.folder or Path(temporary), chosen.events)
        new = [_write(Path(temporary), number, chosen.commit // 5, "new") for number in range(5)]
        walls, cpus = [], []
        with closing(LakeTable.open(lake)) as table:
            base = table.snapshot()
            for _ in range(chosen.runs):
                began, cpu = time.perf_counter(), time.process_time()
                assert not append._repeats(table, new, base)
                walls.append(time.perf_counter() - began)
                cpus.append(time.process_time() - cpu)
    wall, cpu = statistics.median(walls), statistics.median(cpus)
    print(f"{chosen.events:,} events of one account, a commit of {chosen.commit:,}, {chosen.runs} runs")
    print(f"median {wall:.2f} s, {cpu:.2f} s of processor time: {cpu / chosen.events * 1e9:.0f} ns for each event held")
    there = cpu * LARGEST / chosen.events
    for rows in (chosen.commit, MOST_ROWS):
        share = there / (there + rows * INGEST_MICROSECONDS / 1e6)
        verdict = "met" if share <= AIM else "missed"
        print(f"at {LARGEST:,}: {there:.1f} s, {share:.0%} of a commit of {rows:,} (aim {AIM:.0%})   {verdict}")
    print("commit_pace.py makes a commit as large as that takes, up to the last")
    print(f"peak of memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
