"""How fast questions are answered over a big lake: two lookups and two SQL queries, several runs each.

    python bench/query.py [--large] [--events 1000000] [--runs 5] [--folder FOLDER]

Makes generated events and collects them once (not counted; with --folder they are kept for the next run), then asks
through LakeTrail and through the SQL engine. Prints every median beside its aim, which is one for 10,000,000 events (`--large`), compacted, and the
bytes of the lake beside those of the log files.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import anyio

from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.lake.lake_trail import LakeTrail
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account, AttributeKey, EventQuery, Filter, Target
from crosstrail.timerange import TimeRange
from generate import ACCOUNTS, access_key, generate, size

AIMS = {
    "lookup by access key": 0.3,
    "lookup by event id": 0.3,
    "top principals of a day": 0.3,
    "count by name and error": 2.0,
}
AIM_BYTES = 150
"""An event in the lake, beyond the log files' own."""
BY_NAME_AND_ERROR = (
    "SELECT eventname, errorcode, count(*) AS calls FROM events GROUP BY eventname, errorcode ORDER BY calls DESC"
)
PRINCIPALS_OF_A_DAY = """SELECT userIdentity.arn, count(*) AS calls FROM events
    WHERE eventtime >= '2026-10-15 00:00:00' AND eventtime < '2026-10-16 00:00:00'
    GROUP BY userIdentity.arn ORDER BY calls DESC LIMIT 20"""


def build(folder: Path, events: int) -> Path:
    """The lake of that many events, made unless it is there."""
    logs, lake = folder / f"logs-{events}", folder / f"lake-{events}"
    if not (lake / "done").exists():
        generate(logs, events)
        command = [sys.executable, "-m", "crosstrail", "collect", str(logs), "--lake", str(lake)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*command[:3], "lake", "compact", "--lake", str(lake)], check=True, stdout=subprocess.DEVNULL)
        (lake / "done").touch()
    return lake


def _size(lake: Path) -> int:
    """Bytes of a lake but for the data files that a compaction replaced, which are kept for a day."""
    with closing(LakeTable.open(lake)) as table:
        files = sum(file.bytes for file in table.snapshot().files)
        return files + size(lake) - size(table.data_folder)


async def _oldest_id(trail: LakeTrail, account: Account) -> str:
    """Of an event in the first hours of what is held."""
    held = (await trail.lookup_events(Target(account), EventQuery(limit=1))).held
    assert held
    assert held.start
    span = TimeRange(held.start, held.start + timedelta(hours=1))
    return (await trail.lookup_events(Target(account), EventQuery(span=span, limit=1))).events[0].id


async def measure(lake: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of every run of every question."""
    table = LakeTable.open(lake)
    trail, engine = LakeTrail(table), LakeEngine(lake)
    accounts = tuple(Account(id=number) for number in ACCOUNTS)
    scope = QueryScope(accounts)

    def lookup(key: AttributeKey, value: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            query = EventQuery(filters=(Filter(key, value),), limit=50)
            page = await trail.lookup_events(Target(accounts[0]), query)
            assert page.events

        return ask

    def question(sql: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            page = await run(engine, sql, scope, limit=100, wait_seconds=60)
            assert page.rows

        return ask

    questions: dict[str, Callable[[], Awaitable[None]]] = {
        "lookup by access key": lookup(AttributeKey.ACCESS_KEY_ID, access_key(ACCOUNTS[0], 3)),
        "lookup by event id": lookup(AttributeKey.EVENT_ID, await _oldest_id(trail, accounts[0])),
        "count by name and error": question(BY_NAME_AND_ERROR),
        "top principals of a day": question(PRINCIPALS_OF_A_DAY),
    }
    seconds: dict[str, list[float]] = {name: [] for name in questions}
    try:
        for _ in range(runs):
            for name, ask in questions.items():
                began = time.perf_counter()
                await ask()
                seconds[name].append(time.perf_counter() - began)
    finally:
        await engine.aclose()
        table.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="kept; without it a temporary folder is used")
    chosen = parser.parse_args()
    events = chosen.events or (10_000_000 if chosen.large else 1_000_000)
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as temporary:
        folder = chosen.folder or Path(temporary)
        lake = build(folder, events)
        seconds = anyio.run(measure, lake, chosen.runs)
        packed, table = size(folder / f"logs-{events}"), _size(lake)
    print(f"{events:,} events, {chosen.runs} runs each")
    for name, each in seconds.items():
        median, aim = statistics.median(each), AIMS[name]
        verdict = "met" if median <= aim else "missed"
        print(
            f"{name:24} median {median:6.3f} s (aim {aim} s)   {' '.join(f'{value:.3f}' for value in each)}   {verdict}"
        )
    beyond = (table - packed) / events
    print(
        f"the lake has {table / events:.0f} bytes an event, {beyond:.0f} more than the log files (aim {AIM_BYTES})   "
        f"{'met' if beyond <= AIM_BYTES else 'missed'}"
    )


if __name__ == "__main__":
    main()
