"""One table shared: by any catalog, with its files in a bucket too, by several collectors, some of them killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from audit_logs import ACCOUNT, log, record, write
from conftest import CommandLine
from crosstrail.lake.collector import collect
from crosstrail.lake.sharding import Shard
from crosstrail.lake.table import LakeTable
from crosstrail.settings.config import Settings, load_settings
from crosstrail.workspace.lake_catalog import opened_catalog
from moto_server import Moto
from postgres_server import PostgresServer

ACCOUNTS = [f"{number:012d}" for number in range(1, 9)]
IN_S3 = "s3://lake/of the team"


@dataclass(frozen=True)
class Shared:
    """A lake by its settings, for one machine: `folder` is that machine's."""

    folder: Path
    catalog: str
    warehouse: str = ""
    cache: str = "20GB"

    def elsewhere(self, name: str) -> Shared:
        """The same lake for another machine."""
        return replace(self, folder=self.folder.with_name(name))

    @property
    def config(self) -> str:
        lake = {"path": str(self.folder), "catalog": self.catalog, "warehouse": self.warehouse, "cache": self.cache}
        path = self.folder.with_suffix(".yaml")
        path.write_text(json.dumps({"lake": lake, "accounts": [{"id": one} for one in (ACCOUNT, *ACCOUNTS)]}))
        return str(path)

    @property
    def settings(self) -> Settings:
        return load_settings(self.config, {})

    def rows(self) -> list[tuple[str, str]]:
        """(account, event id) of every row, repeats included."""
        import duckdb

        with opened_catalog(self.settings) as catalog, closing(LakeTable.open(self.folder, catalog=catalog)) as table:
            files = list(table.plan(None))
        sql = "SELECT account, eventid FROM read_parquet(?, hive_partitioning = false) ORDER BY ALL"
        return duckdb.execute(sql, [files]).fetchall() if files else []


Make = Callable[[str], Shared]


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Make:
    """By its kind, a lake that is not there yet."""

    def made(kind: str) -> Shared:
        catalog, _, place = kind.partition(" in ")
        if catalog == "PostgreSQL":
            server: PostgresServer = request.getfixturevalue("postgres")
            catalog = server.empty_url("postgresql+psycopg")
        if place:
            moto: Moto = request.getfixturevalue("moto")
            moto.bucket("lake")
        return Shared(tmp_path / "one", "" if catalog == "SQLite" else catalog, IN_S3 if place else "")

    return made


def _keys(moto: Moto) -> set[str]:
    pages = moto.s3.get_paginator("list_objects_v2").paginate(Bucket="lake")
    return {one["Key"] for page in pages for one in page.get("Contents", ())}


def _many(folder: Path, files: int, events: int = 20) -> set[tuple[str, str]]:
    """Log files of all accounts, neighbours with events in common; what they hold."""
    held = set()
    for number in range(files):
        numbers = range(number * events, (number + 1) * events + 5)
        records = [record(one, recipientAccountId=ACCOUNTS[one % len(ACCOUNTS)]) for one in numbers]
        write(folder / f"{number:03d}.json.gz", {"Records": records})
        held |= {(one["recipientAccountId"], one["eventID"]) for one in records}
    return held


@pytest.mark.parametrize("kind", ["SQLite in S3", "PostgreSQL in S3", "glue in S3"])
def test_every_catalog_keeps_the_same_promises(kind: str, make: Make, tmp_path: Path, crosstrail: CommandLine) -> None:
    lake = make(kind)
    conflicting = {"Records": [record(5, eventName="Other", errorCode="AccessDenied")]}
    files = [log(tmp_path / "1.json", range(30)), log(tmp_path / "2.json", range(20, 50))]
    with opened_catalog(lake.settings) as catalog:
        reports = [collect([file], lake.folder, catalog=catalog) for file in files]
        assert [(one.new, one.known) for one in reports] == [(30, 0), (20, 10)]
        report = collect([write(tmp_path / "3.json", conflicting)], lake.folder, catalog=catalog)
        assert (report.new, report.conflicting) == (0, 1)
    other = (lake if kind.startswith("SQLite") else lake.elsewhere("two")).config
    asked = crosstrail(
        "query", "SELECT count(*), count(DISTINCT eventid) FROM events", "--format", "csv", "--config", other
    )
    assert asked.stdout.split() == ["_col0,_col1", "50,50"], asked.stderr
    found = crosstrail("lookup", "--account", "*", "--json", "--limit", "1", "--config", other)
    assert "event-00000049" in found.stdout, found.stderr
    assert len(lake.rows()) == 50


def test_a_bucket_is_mirrored_within_a_bound(make: Make, tmp_path: Path, moto: Moto, crosstrail: CommandLine) -> None:
    lake = make("glue in S3")
    moved = {"recipientAccountId": ACCOUNTS[0]}
    for number in range(3):
        noise = {"requestParameters": {"noise": "".join(map(str, range(number * 99_999, number * 99_999 + 99_999)))}}
        write(tmp_path / f"{number}.json", {"Records": [record(1440 * number, **moved, **noise)]})
    assert crosstrail("collect", *tmp_path.glob("?.json"), "--config", lake.config).returncode == 0
    two = replace(lake.elsewhere("two"), cache="1MB")
    data = two.folder / "events/data"
    sizes = [
        one["Size"] for one in moto.s3.list_objects_v2(Bucket="lake")["Contents"] if one["Key"].endswith("parquet")
    ]
    assert len(sizes) == 3
    assert max(sizes) < 1_000_000 < sum(sizes)
    for number in range(3):
        day = f"2026-03-0{number + 1}"
        sql = f"SELECT count(eventjson) FROM events WHERE eventtime BETWEEN '{day} 00:00:00' AND '{day} 23:00:00'"
        asked = crosstrail("query", sql, "--format", "csv", "--config", two.config)
        assert asked.stdout.split()[-1:] == ["1"], asked.stderr
        assert sum(path.stat().st_size for path in data.rglob("*.parquet")) <= 1_000_000
    refused = crosstrail("query", "SELECT count(eventjson) FROM events", "--config", two.config)
    assert refused.returncode == 1
    assert "lake.cache" in refused.stderr


def _spawned(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "crosstrail", "collect", *words], stdout=subprocess.DEVNULL)


def test_what_a_killed_collector_left_in_the_bucket_goes(
    make: Make, tmp_path: Path, moto: Moto, crosstrail: CommandLine
) -> None:
    lake = make("SQLite in S3")
    held = _many(tmp_path / "logs", 30)
    process = _spawned(str(tmp_path / "logs"), "--config", lake.config)
    while process.poll() is None and not any(key.endswith(".parquet") for key in _keys(moto)):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert crosstrail("collect", tmp_path / "logs", "--config", lake.config).returncode == 0
    assert lake.rows() == sorted(held)
    with opened_catalog(lake.settings) as catalog, closing(LakeTable.open(lake.folder, catalog=catalog)) as table:
        named = {path.rpartition("/")[2] for path in table.referenced()}
    assert {key.rpartition("/")[2] for key in _keys(moto) if key.endswith(".parquet")} == named


@pytest.mark.parametrize("kind", ["PostgreSQL", "glue in S3"])
def test_collectors_of_several_machines_share_one_table(
    kind: str, make: Make, tmp_path: Path, crosstrail: CommandLine
) -> None:
    lake = make(kind)
    held, logs = _many(tmp_path / "logs", 24), str(tmp_path / "logs")
    running = [
        _spawned(logs, "--config", lake.elsewhere(name).config, *shard)
        for name, shard in (("a", ("--shard", "1/2")), ("b", ("--shard", "2/2")), ("all", ()))
    ]
    killed = running[0]
    while killed.poll() is None and not list((tmp_path / "a/events/data").rglob("*.parquet")):
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert [process.wait(timeout=300) for process in running[1:]] == [0, 0]
    assert crosstrail("collect", logs, "--config", lake.elsewhere("a").config, "--shard", "1/2").returncode == 0
    assert lake.rows() == sorted(held)


def test_shards_divide_accounts(make: Make, tmp_path: Path, crosstrail: CommandLine) -> None:
    lake = make("PostgreSQL")
    held = _many(tmp_path / "logs", 2)
    for number in (1, 2, 3):
        shard, config = Shard(number, 3), lake.elsewhere(str(number)).config
        before = lake.rows() if number > 1 else []
        assert crosstrail("collect", tmp_path / "logs", "--config", config, "--shard", f"{number}/3").returncode == 0
        new = {row for row in lake.rows() if row not in set(before)}
        assert new == {row for row in held if shard.takes("aws", row[0])}
    assert lake.rows() == sorted(held)
    for wrong in ("0/3", "4/3", "1/0", "x", "1/1001"):
        refused = crosstrail("collect", tmp_path / "logs", "--config", lake.config, "--shard", wrong)
        assert (refused.returncode, "the second of eight" in refused.stderr) == (2, True)
