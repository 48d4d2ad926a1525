"""A bucket's table after kills at any moment, two collectors, duplicates, damage, late objects and a full disk: the set of distinct
events, row for row and column for column, with verification and without."""

from __future__ import annotations

import json
import random
import resource
import signal
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import preloaded
from audit_logs import rows
from crosstrail.lake.collector import collect
from lake_workspace import DEV, PROD, record
from moto_server import Moto
from signed_trail import BUCKET, HOUR, START, Chain, SignedTrail, signing_key, write_folder

_OBJECTS, _HOURS = 200, 6
_KILLS = 15
"""That hit a running collector, with verification and without: 30 in all."""
_MAX_TRIES = 90


@dataclass
class _Archive:
    """A signed trail of two accounts and regions; 5 % of its log files repeat others, 2 % are not what was signed."""

    trail: SignedTrail
    keys: Path
    expected: list[dict[str, Any]]
    """The rows that a lake has of it which one undisturbed process collected from a folder; NULL for where they came from."""
    sources: dict[str, set[str]] = field(default_factory=dict)
    """Event id -> the log files that hold it."""
    broken: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> _Archive:
    folder = tmp_path_factory.mktemp("archive")
    trail = SignedTrail()
    signer = signing_key("kills", START - 200 * HOUR, START + 200 * HOUR)
    chains = [
        trail.chains.setdefault((account, region), Chain(trail, account, region, signer=signer))
        for account in (PROD, DEV)
        for region in ("us-east-1", "eu-west-1")
    ]
    found = _Archive(trail, folder / "keys.json", [])
    for hour in range(_HOURS):
        for chain in chains:
            some = [
                one
                for one in range(_OBJECTS)
                if (one % len(chains), one // len(chains) % _HOURS) == (chains.index(chain), hour)
            ]
            logs = [_log(found, chain, number, START + hour * HOUR + timedelta(minutes=number % 50)) for number in some]
            chain.digest(START + hour * HOUR, START + (hour + 1) * HOUR, logs, first=hour == 0)
            for key, number in zip(logs, some, strict=True):
                if number % 50 == 7:
                    found.broken.add(key)
                    trail.objects[key] = type(trail.objects[key])(trail.objects[key].body[:30])
    found.keys.write_text(json.dumps({"PublicKeyList": [signer.listed()]}))
    good = trail.copy()
    for key in found.broken:
        del good.objects[key]
    collect([write_folder(good, folder / "logs")], folder / "lake", workers=1)
    found.expected = _table(folder / "lake")
    return found


def _log(archive: _Archive, chain: Chain, number: int, delivered: Any) -> str:
    first = number - 4 * _HOURS if number % 20 == 19 and number > 4 * _HOURS else number  # of the same account and hour
    times = [START - timedelta(days=first % 5, minutes=n) for n in range(3)]
    records = [record(chain.account, first * 10 + n, time, awsRegion=chain.region) for n, time in enumerate(times)]
    key = chain.log(delivered, records, f"{number:016d}")
    if number % 50 != 7:
        for one in records:
            archive.sources.setdefault(one["eventID"], set()).add(key)
    return key


def _table(lake: Path) -> list[dict[str, Any]]:
    return sorted(rows(lake, "*"), key=lambda row: row["eventid"])


@dataclass
class _Collectors:
    lake: Path
    options: tuple[str, ...]
    hits: int = 0

    def command(self) -> tuple[str, ...]:
        return ("collect", f"s3://{BUCKET}", "--lake", str(self.lake), "--json", "--workers", "1", *self.options)

    def has_table(self) -> bool:
        return any((self.lake / "events" / "metadata").glob("*.metadata.json"))

    def kill_two(self, after: float) -> None:
        rivals = [preloaded.start(*self.command()) for _ in range(2)]
        time.sleep(after)
        for process in rivals:
            process.kill()
        for process in rivals:
            self.hits += process.wait(timeout=60) == -signal.SIGKILL
            if process.stderr:
                process.stderr.close()

    def report(self) -> dict[str, Any]:
        done = preloaded.run(*self.command())
        assert done.returncode == 3, done.stderr  # for the broken ones
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.mark.parametrize("verifies", [False, True], ids=["plain", "verified"])
def test_kills_full_disks_and_rivals_lose_nothing_and_double_nothing(
    archive: _Archive, moto: Moto, tmp_path: Path, verifies: bool
) -> None:
    collectors = _Collectors(tmp_path / "lake", ("--verify", "--keys", str(archive.keys)) if verifies else ())
    moto.bucket(BUCKET)
    order = random.Random(14)  # noqa: S311 - the same moments every time, as far as a machine has them
    logs = [key for key in archive.trail.objects if "/CloudTrail/" in key]
    order.shuffle(logs)
    for key in [*(key for key in archive.trail.objects if "Digest" in key), *logs[:100]]:
        _put(moto, archive, key)
    there, arriving = set(logs[:100]), logs[100:]  # late, in every hour: there is mostly something to do
    unfinished = 0
    for _ in range(_MAX_TRIES):
        for key in arriving[:8]:
            _put(moto, archive, key)
        there.update(arriving[:8])
        del arriving[:8]
        collectors.kill_two(order.uniform(0.05, 0.9 if verifies else 0.6))
        held = {row["eventid"] for row in rows(collectors.lake, "eventid")} if collectors.has_table() else set()
        unfinished += any(sources & there and one not in held for one, sources in archive.sources.items())
        if collectors.hits >= _KILLS:
            break
    assert collectors.hits >= _KILLS
    assert unfinished  # the kills came in the middle of it
    for key in arriving:
        _put(moto, archive, key)
    for room in (
        () if verifies else (1_000, 20_000)
    ):  # bytes that a file may have: of what is fetched, then of the table
        cramped = preloaded.start(*collectors.command())
        resource.prlimit(cramped.pid, resource.RLIMIT_FSIZE, (room, room))
        assert cramped.wait(timeout=120) != 0
        if cramped.stderr:
            cramped.stderr.close()
    collectors.report()
    table = _table(collectors.lake)
    assert [row["source_object"] in archive.sources[row["eventid"]] for row in table] == [True] * len(table)
    assert {row["verified"] for row in table} == {True if verifies else None}
    assert _without_origin(table) == _without_origin(archive.expected)
    again = collectors.report()
    assert (again["new"], again["objects_failed"]) == (0, len(archive.broken))
    assert list((collectors.lake / "spool").glob("*-*")) == []


def _put(moto: Moto, archive: _Archive, key: str) -> None:
    stored = archive.trail.objects[key]
    moto.s3.put_object(Bucket=BUCKET, Key=key, Body=stored.body, Metadata=dict(stored.metadata))


def _without_origin(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("source_object", "verified")} for row in table]
