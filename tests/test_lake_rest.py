"""A lake whose catalog is an Iceberg REST catalog: with a bearer token, and like S3 Tables, signed with an account's own keys."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit_logs import ACCOUNT, log, record, write
from conftest import CommandLine
from crosstrail.lake.collector import collect
from crosstrail.lake.table import LakeTable
from crosstrail.settings.config import Settings, load_settings
from crosstrail.workspace.lake_catalog import opened_catalog
from fakes.aws import FakeAws
from live_aws import base_identity
from moto_server import Moto
from rest_catalog import RestCatalog, table_buckets, table_location

TOKEN = "a-token-of-the-catalog"
LAKE_ACCOUNT = "777777777777"
ARN = "arn:aws:s3tables:us-east-1:777777777777:bucket/audit"


@dataclass
class Served:
    """A catalog at its address, and the settings of the machines that use it."""

    catalog: RestCatalog
    folder: Path
    lake: dict[str, str]
    accounts: list[dict[str, object]]
    s3: list[tuple[str, str]]
    """(method, access key) of each request to a bucket of S3 Tables."""
    aws: FakeAws | None = None

    def config(self, machine: str, **more: str) -> Path:
        path = self.folder / f"{machine}.yaml"
        lake = {"path": str(self.folder / machine), **self.lake, **more}
        path.write_text(json.dumps({"lake": lake, "accounts": self.accounts}))
        return path

    def settings(self, machine: str) -> Settings:
        return load_settings(str(self.config(machine)), {})

    def rows(self) -> list[str]:
        import duckdb

        settings = self.settings("reader")
        with (
            opened_catalog(settings) as catalog,
            closing(LakeTable.open(settings.lake.folder, catalog=catalog)) as table,
        ):
            files = list(table.plan(None))
        sql = "SELECT eventid FROM read_parquet(?, hive_partitioning = false) ORDER BY ALL"
        return [row for (row,) in duckdb.execute(sql, [files]).fetchall()]


def _bearer(folder: Path, moto: Moto) -> Iterator[Served]:
    moto.bucket("warehouse")
    io = {
        "s3.endpoint": moto.url,
        "s3.access-key-id": "AKIAMOTO000000000001",
        "s3.secret-access-key": "x",
        "s3.region": "us-east-1",
    }
    catalog = RestCatalog(folder, "s3://warehouse/of the team", io, {TOKEN})
    with catalog.serving() as url:
        lake = {"catalog": url, "warehouse": "team", "catalog_token": TOKEN}
        yield Served(catalog, folder, lake, [{"id": ACCOUNT}], [])


def _s3_tables(folder: Path, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    def made() -> str:
        location = table_location()
        moto.bucket(location.removeprefix("s3://"))
        return location

    io = {
        "s3.endpoint": moto.url,
        "s3.access-key-id": "AKIAMOTO000000000001",
        "s3.secret-access-key": "x",
        "s3.region": "us-east-1",
    }
    asked: list[tuple[str, str]] = []
    with FakeAws() as aws, table_buckets(moto.url, asked) as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
        base = base_identity(aws.world, monkeypatch)
        role = aws.world.add_role(LAKE_ACCOUNT, "Lake", trusts=base)
        catalog = RestCatalog(folder, "s3://unused", io, world=aws.world, bucket_arn=ARN, made_in=made)
        with catalog.serving() as url:
            lake = {"catalog": url, "warehouse": ARN, "signing_name": "s3tables", "account": "logs"}
            accounts: list[dict[str, object]] = [
                {"id": ACCOUNT},
                {"id": LAKE_ACCOUNT, "alias": "logs", "auth": role.auth},
            ]
            yield Served(catalog, folder, lake, accounts, asked, aws)


@pytest.fixture(params=["bearer", "S3 Tables"])
def served(
    request: pytest.FixtureRequest, tmp_path: Path, moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    kind = _bearer(tmp_path, moto) if request.param == "bearer" else _s3_tables(tmp_path, moto, monkeypatch)
    yield from kind


@pytest.fixture
def bearer(tmp_path: Path, moto: Moto) -> Iterator[Served]:
    yield from _bearer(tmp_path, moto)


@pytest.fixture
def s3_tables(tmp_path: Path, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    yield from _s3_tables(tmp_path, moto, monkeypatch)


def test_what_one_machine_collects_another_asks(served: Served, tmp_path: Path, crosstrail: CommandLine) -> None:
    conflicting = {"Records": [record(5, eventName="Other", errorCode="AccessDenied")]}
    files = [
        log(tmp_path / "1.json", range(30)),
        log(tmp_path / "2.json", range(20, 50)),
        write(tmp_path / "3.json", conflicting),
    ]
    settings, two = served.settings("one"), served.config("two")
    with opened_catalog(settings) as catalog:
        reports = [collect([file], settings.lake.folder, catalog=catalog) for file in files]
    assert [(one.new, one.known, one.conflicting) for one in reports] == [(30, 0, 0), (20, 10, 0), (0, 1, 1)]
    sql = "SELECT count(*), count(DISTINCT eventid) FROM events"
    asked = crosstrail("query", sql, "--format", "csv", "--config", two)
    assert asked.stdout.split() == ["_col0,_col1", "50,50"], asked.stderr
    compacted = crosstrail("lake", "compact", "--config", two)
    assert compacted.returncode == 0, compacted.stderr
    whose = {TOKEN} if served.aws is None else {LAKE_ACCOUNT}
    assert {who for _, who in served.catalog.asked} == whose
    if served.aws:
        keys = {key for _, key in served.s3}
        assert {served.aws.world.keys[key].account for key in keys} == {LAKE_ACCOUNT}
        assert {method for method, _ in served.s3} <= {"GET", "PUT", "HEAD"}


def test_two_collectors_of_which_one_is_killed(s3_tables: Served, tmp_path: Path, crosstrail: CommandLine) -> None:
    served = s3_tables
    for number in range(16):
        log(tmp_path / f"logs/{number:02d}.json", range(number * 20, number * 20 + 25))
    words = [sys.executable, "-m", "crosstrail", "collect", str(tmp_path / "logs"), "--config"]
    running = [subprocess.Popen([*words, str(served.config(name))], stdout=subprocess.DEVNULL) for name in "ab"]
    data = tmp_path / "a/events/data"
    while running[0].poll() is None and not list(data.rglob("*.parquet")):
        time.sleep(0.002)
    running[0].send_signal(signal.SIGKILL)
    running[0].wait()
    assert running[1].wait(timeout=300) == 0
    assert crosstrail("collect", tmp_path / "logs", "--config", served.config("a")).returncode == 0
    assert served.rows() == [f"event-{number:08d}" for number in range(16 * 20 + 5)]


def test_a_commit_is_compared_anew_after_a_conflict_and_after_an_answer_that_was_lost(
    bearer: Served, tmp_path: Path
) -> None:
    """Events 20 to 29 come twice, the second time with others: the file is written anew, and named by a commit that got a 504."""
    settings = bearer.settings("one")
    with opened_catalog(settings) as catalog:
        collect([log(tmp_path / "1.json", range(30))], settings.lake.folder, catalog=catalog)
        bearer.catalog.lost_answers = 1
        report = collect([log(tmp_path / "2.json", range(20, 50))], settings.lake.folder, catalog=catalog)
    assert (report.new, report.known, bearer.catalog.lost_answers) == (20, 10, 0)
    assert Counter(bearer.rows()) == Counter(f"event-{number:08d}" for number in range(50))


def test_credentials_of_the_lakes_account_are_renewed(s3_tables: Served, tmp_path: Path) -> None:
    """Sessions of three seconds, and a collection that lasts longer."""
    assert s3_tables.aws
    world = s3_tables.aws.world
    world.session_seconds = 3
    settings = s3_tables.settings("one")
    with opened_catalog(settings) as catalog:
        began = time.monotonic()
        for number in range(3):
            file = log(tmp_path / f"{number}.json", range(number * 10, number * 10 + 10))
            assert collect([file], settings.lake.folder, catalog=catalog).new == 10
            while time.monotonic() < began + 2 * (number + 1):
                time.sleep(0.05)
    asked = {one.access_key_id for one in world.requests if one.action == "AssumeRole"}
    sessions = [key for key in world.keys.values() if key.account == LAKE_ACCOUNT]
    assert len(asked) == 1
    assert len(sessions) >= 2
    assert all(one.code == "" for one in world.requests)
    world.session_seconds = 0
    assert len(s3_tables.rows()) == 30


@pytest.mark.parametrize(
    ("action", "status", "words"),
    [
        ("config", 403, "the lake's catalog denies access"),
        ("load", 403, "the lake's catalog denies access"),
        ("commit", 403, "the lake's catalog denies access"),
        ("load", 419, "the credentials have expired"),
        ("commit", 503, "the lake's catalog is not available"),
        ("load", 500, "the lake's catalog failed"),
    ],
)
def test_a_refusal_is_told_with_words(
    action: str, status: int, words: str, bearer: Served, tmp_path: Path, crosstrail: CommandLine
) -> None:
    log(tmp_path / "logs/1.json", range(3))
    bearer.catalog.refused[action] = status
    done = crosstrail("collect", tmp_path / "logs", "--config", bearer.config("one"))
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "damaged" not in done.stderr


def test_a_wrong_token_and_a_role_that_is_not_given_are_told(
    served: Served, tmp_path: Path, crosstrail: CommandLine
) -> None:
    log(tmp_path / "logs/1.json", range(3))
    if served.aws:
        for role in served.aws.world.accounts[LAKE_ACCOUNT].roles.values():
            role.trusted.clear()
        words = "AssumeRole"
    else:
        served.lake["catalog_token"] = "another"
        words = "does not accept the credentials"
    done = crosstrail("collect", tmp_path / "logs", "--config", served.config("one"))
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
