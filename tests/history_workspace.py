"""Live accounts of a fake AWS, listed in a crosstrail.yaml with a lake beside it: for what the command line does with both."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import preloaded
from fakes.aws import FakeAws, Key, Recorded, World
from listed_accounts import moment
from live_aws import AwsAccounts, base_identity

AGE = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class HistoryWorkspace(AwsAccounts):
    """`more` settings stand in the file beside the accounts."""

    folder: Path
    started: ExitStack = field(default_factory=ExitStack)

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def write(self, **more: Any) -> Path:
        config = self.folder / "crosstrail.yaml"
        settings = {"accounts": self.listed, **more, "lake": {"path": str(self.lake), **more.get("lake", {})}}
        config.write_text(yaml.safe_dump(settings))
        return config

    def log(
        self, account: str, count: int, *, region: str = "us-east-1", age: timedelta = AGE, apart: float = 60
    ) -> list[str]:
        """Events of the account, `apart` seconds, the newest `age` ago; their ids."""
        own = self.world.account(account)
        return [
            own.log("DescribeInstances", moment(age) - timedelta(seconds=apart * number), region=region)
            for number in range(count)
        ]

    def collect(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """The report of `crosstrail collect --api`."""
        done = preloaded.run("collect", "--api", "--config", self.write(), "--json", *arguments)
        assert done.returncode == status, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def start(self, *arguments: str) -> preloaded.Running:
        """The same command as a process that goes on beside the test."""
        process = preloaded.start("collect", "--api", "--config", self.write(), *arguments)
        self.started.callback(process.stderr.close if process.stderr else int)
        return process

    def rows(self, sql: str = "SELECT account, eventid FROM events") -> list[dict[str, Any]]:
        done = preloaded.run("query", sql, "--config", self.write(), "--format", "jsonl")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def lookups(self, account: str = "", since: int = 0) -> list[Recorded]:
        """The requests of LookupEvents, but for so many of the first."""
        return self.world.asked("LookupEvents", account)[since:]


@contextmanager
def history_workspace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryWorkspace]:
    with FakeAws() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        world: World = fake.world
        base: Key = base_identity(world, monkeypatch)
        with ExitStack() as started:
            yield HistoryWorkspace(world, base, folder=folder, started=started)


def windows(lake: Path) -> list[tuple[str, str, datetime, datetime]]:
    """(account, region, start, end) of what the lake's ledger calls collected."""
    with closing(sqlite3.connect(lake / "ledger.sqlite")) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'windows'").fetchone():
            return []
        rows = db.execute('SELECT account, region, start, "end" FROM windows ORDER BY 1, 2, 3').fetchall()
    return [
        (account, region, EPOCH + timedelta(microseconds=start), EPOCH + timedelta(microseconds=end))
        for account, region, start, end in rows
    ]
