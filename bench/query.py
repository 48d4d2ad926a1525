"""How fast questions are answered over a big lake: one lookup and two SQL queries, several runs each.

    python bench/query.py --events 2000000 --runs 5 [--folder FOLDER]

Makes generated events and collects them once (not counted; with --folder they are kept for the next run), then asks
through LakeTrail and through the SQL engine. Prints every median beside its aim (0.5 s).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.lake.lake_trail import LakeTrail
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account, AttributeKey, EventQuery, Filter, Target
from generate import ACCOUNTS, access_key, generate

AIM_SECONDS = 0.5
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
        (lake / "done").touch()
    return lake


async def measure(lake: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of every run of every question."""
    table = LakeTable.open(lake)
    trail, engine = LakeTrail(table), LakeEngine(lake)
    accounts = tuple(Account(id=number) for number in ACCOUNTS)
    scope = QueryScope(accounts)

    async def lookup() -> None:
        query = EventQuery(filters=(Filter(AttributeKey.ACCESS_KEY_ID, access_key(ACCOUNTS[0], 3)),), limit=50)
        page = await trail.lookup_events(Target(accounts[0]), query)
        assert page.events

    def question(sql: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            page = await run(engine, sql, scope, limit=100, wait_seconds=60)
            assert page.rows

        return ask

    questions: dict[str, Callable[[], Awaitable[None]]] = {
        "lookup by access key, all time": lookup,
        "count by event name and error": question(BY_NAME_AND_ERROR),
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
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="kept; without it a temporary folder is used")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as temporary:
        lake = build(chosen.folder or Path(temporary), chosen.events)
        seconds = anyio.run(measure, lake, chosen.runs)
    print(f"{chosen.events:,} events, {chosen.runs} runs each; aim: median at most {AIM_SECONDS} s")
    for name, each in seconds.items():
        median = statistics.median(each)
        verdict = "met" if median <= AIM_SECONDS else "missed"
        print(f"{name:32} median {median:6.3f} s   {' '.join(f'{value:.3f}' for value in each)}   {verdict}")


if __name__ == "__main__":
    main()
