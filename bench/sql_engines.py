"""The same questions to the embedded engine and to a real Trino, over one lake, in one run.

    python bench/sql_engines.py [--events 2000000] [--runs 5] [--folder FOLDER]

Makes generated events and collects them once, compacted (not counted; with --folder they are kept for the next run), and starts
the Trino that `make trino-test` brought, 4 GB, on the same table through a catalog in PostgreSQL. Prints the warm median of each
question on both, their ratio and the processor time. Aims: a median ratio of at most 0.25, and no question slower than on Trino.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import anyio
from pyiceberg.catalog.sql import SqlCatalog

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.engines.trino_view import create_view, relation
from crosstrail.lake.catalog import metadata_location
from crosstrail.models import Account
from generate import ACCOUNTS, access_key
from postgres_server import running_server, server_folder
from processes import child_cpu
from query import build
from trino_client import TrinoClient
from trino_lake import catalog_properties
from trino_server import running_trino

AIM, SLOWEST = 0.25, 1.0
DAY = "eventtime >= TIMESTAMP '2026-10-15 00:00:00' AND eventtime < TIMESTAMP '2026-10-16 00:00:00'"
QUESTIONS = {
    "events": "SELECT count(*), min(eventtime), max(eventtime) FROM {}",
    "by name and error": "SELECT eventname, errorcode, count(*) AS calls FROM {} GROUP BY 1, 2 ORDER BY calls DESC, 1, 2 LIMIT 100",
    "principals of a day": f"SELECT useridentity.arn, count(*) AS calls FROM {{}} WHERE {DAY} GROUP BY 1 ORDER BY calls DESC, 1 LIMIT 20",
    "one access key": "SELECT eventtime, eventname, eventid FROM {} WHERE useridentity.accesskeyid = '"
    + access_key(ACCOUNTS[0], 3)
    + "' ORDER BY eventtime DESC, eventid LIMIT 100",
    "JSON of one day": f"SELECT json_extract_scalar(eventjson, '$.userIdentity.type'), count(*) FROM {{}} WHERE {DAY} GROUP BY 1 ORDER BY 1",
    "addresses of a principal": "SELECT useridentity.arn, count(DISTINCT sourceipaddress) AS ips FROM {} GROUP BY 1 ORDER BY ips DESC, 1 LIMIT 20",
    "denied by hour": "SELECT date_trunc('hour', eventtime), count(*) FROM {} WHERE errorcode LIKE '%Unauthorized%' OR errorcode = 'AccessDenied' GROUP BY 1 ORDER BY 1 LIMIT 100",
    "keys of parameters": f"SELECT k, count(*) FROM {{}} CROSS JOIN UNNEST(requestparameters) AS t(k, v) WHERE {DAY} GROUP BY k ORDER BY 2 DESC, 1 LIMIT 100",
    "first call of each": "SELECT arn, eventname, eventtime FROM (SELECT useridentity.arn AS arn, eventname, eventtime, row_number() OVER (PARTITION BY useridentity.arn ORDER BY eventtime, eventid) AS n FROM {}) WHERE n = 1 ORDER BY 1 LIMIT 100",
    "agents that match": "SELECT useragent, count(*) FROM {} WHERE regexp_like(useragent, 'java/1\\.12\\.4(0|1)\\d') GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100",
}
VIEW = ("memory", "default", "audit_events")


async def embedded(lake: Path, runs: int) -> tuple[dict[str, list[float]], dict[str, list[list[str | None]]]]:
    """Seconds of each run of each question, the first of which warms up; and the answers."""
    engine = LakeEngine(lake)
    scope = QueryScope(tuple(Account(id=number) for number in ACCOUNTS))
    seconds: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    answers = {}
    try:
        for name, sql in QUESTIONS.items():
            for _ in range(runs + 1):
                began = time.perf_counter()
                page = await run(engine, sql.format("events"), scope, limit=100, wait_seconds=600)
                seconds[name].append(time.perf_counter() - began)
            answers[name] = [list(row) for row in page.rows]
    finally:
        await engine.aclose()
    return seconds, answers


def on_trino(trino: TrinoClient, runs: int) -> tuple[dict[str, list[float]], dict[str, list[list[str | None]]]]:
    """The same of Trino."""
    seconds: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    answers = {}
    for name, sql in QUESTIONS.items():
        for _ in range(runs + 1):
            began = time.perf_counter()
            answer = trino.ask(sql.format(relation(VIEW)))
            seconds[name].append(time.perf_counter() - began)
            assert not answer.error, answer.error
        answers[name] = [list(row) for row in answer.rows]
    return seconds, answers


def measure(lake: Path, folder: Path, runs: int) -> None:
    programs = server_folder()
    assert programs, "needs PostgreSQL's programs"
    metadata = metadata_location(lake)
    with running_server(programs) as postgres:
        address = postgres.empty_url("postgresql+psycopg")
        SqlCatalog("crosstrail", uri=address).close()  # makes its tables, which Trino does not
        catalog = {**catalog_properties(address), "iceberg.register-table-procedure.enabled": "true"}
        catalogs = {"lake": catalog, "memory": {"connector.name": "memory"}}
        with (
            running_trino(catalogs, folder / "trino.log", memory="4G") as server,
            closing(TrinoClient(server.port)) as trino,
        ):
            place, _, file = metadata.rpartition("/metadata/")
            for sql in (
                "CREATE SCHEMA lake.crosstrail",
                f"CALL lake.system.register_table('crosstrail', 'events', '{place}', '{file}')",
                create_view(VIEW, ("lake", "crosstrail", "events")),
            ):
                made = trino.ask(sql)
                assert not made.error, made.error
            before = server.cpu_seconds
            theirs, trino_answers = on_trino(trino, runs)
            trino_cpu = server.cpu_seconds - before
    before = child_cpu()
    ours, answers = anyio.run(embedded, lake, runs)
    own_cpu = child_cpu() - before
    different = [name for name in QUESTIONS if answers[name] != trino_answers[name]]
    report(ours, theirs, different)
    print(f"processor time of all: embedded {own_cpu:.1f} s, Trino {trino_cpu:.1f} s")


def report(ours: dict[str, list[float]], theirs: dict[str, list[float]], different: list[str]) -> None:
    ratios = {}
    for name in QUESTIONS:
        mine, other = statistics.median(ours[name][1:]), statistics.median(theirs[name][1:])
        ratios[name] = mine / other
        verdict = "DIFFERENT ANSWERS" if name in different else "slower" if mine > other * SLOWEST else ""
        print(f"{name:26} embedded {mine:7.3f} s   Trino {other:7.3f} s   ratio {ratios[name]:.2f}   {verdict}")
    middle = statistics.median(ratios.values())
    print(f"median ratio {middle:.2f} (aim {AIM})   {'met' if middle <= AIM else 'missed'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="kept; without it a temporary folder is used")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as temporary:
        folder = chosen.folder or Path(temporary)
        measure(build(folder, chosen.events), folder, chosen.runs)


if __name__ == "__main__":
    main()
