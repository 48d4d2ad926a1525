"""What a lake of many accounts and days costs: 5,000 partitions by default, with `--large` 50,000, a few events in each.

    python bench/lake_size.py [--large] [--accounts 20] [--days 250] [--runs 3] [--folder FOLDER]

Makes the lake once (not counted; with --folder it is kept for the next run), by copies of a few collected events under other
accounts and days. Prints the median of whole commands beside its aim for 50,000: a count, one week of one account, one new log file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from multiprocessing import Pool
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.lake.collector import collect
from crosstrail.lake.data_files import sealed
from crosstrail.lake.partition import partition_path
from crosstrail.lake.runs import Run
from crosstrail.lake.schema import ARROW_SCHEMA
from crosstrail.lake.stage import write_parquet
from crosstrail.lake.table import LakeTable
from generate import START, event, generate
from processes import child_cpu, compile_all

if TYPE_CHECKING:
    import pyarrow as pa

EVENTS_A_DAY = 20
FIRST_ACCOUNT = 200_000_000_000
REGIONS = tuple(
    f"{area}-{number}"
    for area in ("us-east", "us-west", "eu-west", "eu-central", "ap-south", "ap-north")
    for number in (1, 2, 3)
)[:17]
AIMS = {"count": 3.0, "one week": 1.0, "one new file": 1.0}


@cache
def _read(template: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(template, schema=ARROW_SCHEMA, partitioning=None)


def _write(template: Path, data: Path, prefix: str, place: tuple[int, date]) -> str:
    """The template's events as those of another account and day."""
    import pyarrow as pa

    account, day = f"{FIRST_ACCOUNT + place[0]}", place[1]
    table = _read(template)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    micros = int(midnight.timestamp()) * 1_000_000
    times = [micros + 4_000_000_000 * number for number in range(len(table))]
    values = {
        "account": [account] * len(table),
        "awsregion": [REGIONS[number % len(REGIONS)] for number in range(len(table))],
        "recipientaccountid": [account] * len(table),
        "eventtime": times,
        "eventid": [f"{account}-{day:%Y%m%d}-{number:04d}" for number in range(len(table))],
    }
    for name, column in values.items():
        index = table.schema.get_field_index(name)
        field = ARROW_SCHEMA.field(index)
        array = pa.array(column, pa.int64()).cast(field.type) if name == "eventtime" else pa.array(column, field.type)
        table = table.set_column(index, field, array)
    path = data / partition_path("aws", account, day.isoformat()) / f"{prefix}-{place[0]:06d}-0000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet([table], path, ARROW_SCHEMA)
    return str(sealed(path))


def _places(accounts: int, days: int) -> Iterator[tuple[int, date]]:
    for account in range(accounts):
        for day in range(days):
            yield account, START.date() - timedelta(days=day + 10)


def build(folder: Path, accounts: int, days: int) -> Path:
    """The lake, made unless it is there."""
    lake = folder / f"lake-{accounts}-{days}"
    if (lake / "done").exists():
        return lake
    generate(folder / "seed", EVENTS_A_DAY)
    collect([folder / "seed"], lake)
    with closing(LakeTable.open(lake)) as table, Run(table) as run, Pool() as pool:
        [template] = table.plan(None)
        write = partial(_write, Path(template), table.data_folder, run.name)
        made = pool.map(write, _places(accounts, days), chunksize=100)
        table.commit(table.snapshot(), [Path(name) for name in made])
    (lake / "done").touch()
    return lake


def _command(*arguments: object) -> tuple[float, float, str]:
    """(seconds, seconds of processor time, output)."""
    began, cpu = time.perf_counter(), child_cpu()
    command = [sys.executable, "-m", "crosstrail", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, child_cpu() - cpu, done.stdout


def _new_file(folder: Path, number: int) -> Path:
    import random

    source = random.Random(time.time_ns())  # noqa: S311 - events that are in no lake
    path = folder / f"new-{time.time_ns()}-{number}.json.gz"
    record = event(source, f"{FIRST_ACCOUNT + number}", "us-east-1", START)
    path.write_bytes(gzip.compress(json.dumps({"Records": [record]}).encode()))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="kept; without it a temporary folder is used")
    chosen = parser.parse_args()
    chosen.accounts = chosen.accounts or (200 if chosen.large else 20)
    compile_all()
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as temporary:
        lake = build(chosen.folder or Path(temporary), chosen.accounts, chosen.days)
        week = START - timedelta(days=20)
        account = f"{FIRST_ACCOUNT + 3}"
        span = f"eventtime >= '{week:%Y-%m-%d} 00:00:00' AND eventtime < '{week + timedelta(days=7):%Y-%m-%d} 00:00:00'"
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in AIMS}
        for number in range(chosen.runs):
            asked = {
                "count": ("query", "SELECT count(*) AS events FROM events", "--lake", lake),
                "one week": ("query", f"SELECT eventname, count(*) AS calls FROM events WHERE {span} GROUP BY eventname", "--account", account, "--lake", lake),
                "one new file": ("collect", _new_file(Path(temporary), number), "--lake", lake),
            }  # fmt: skip
            for name, arguments in asked.items():
                seconds, cpu, _ = _command(*arguments)
                taken[name].append((seconds, cpu))
    print(f"{chosen.accounts * chosen.days:,} partitions, {chosen.runs} runs each, whole commands")
    for name, each in taken.items():
        median, cpu = (statistics.median(values) for values in zip(*each, strict=True))
        verdict = "met" if median <= AIMS[name] else "missed"
        print(f"{name:14} median {median:6.2f} s, {cpu:6.2f} s of processor time (aim {AIMS[name]:.0f} s)   {verdict}")


if __name__ == "__main__":
    main()
