"""`crosstrail lake` over a warehouse in a bucket: what is verified, repaired and deleted there is the bucket's own."""

from __future__ import annotations

import json
import os
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_logs import ACCOUNT
from conftest import CommandLine
from crosstrail.lake.table import LakeTable
from crosstrail.settings.config import load_settings
from crosstrail.workspace.lake_catalog import opened_catalog
from lake_workspace import PROD
from moto_server import Moto
from trail_bucket import NOON, event, key, put

DAYS = 4


@dataclass
class Kept:
    """A lake in a bucket, filled from another one."""

    folder: Path
    moto: Moto
    command: CommandLine
    retention: str = ""

    @property
    def config(self) -> Path:
        path = self.folder / "one.yaml"
        lake = {"path": str(self.folder / "one"), "warehouse": "s3://lake/team", "retention": self.retention}
        path.write_text(json.dumps({"lake": lake, "accounts": [{"id": ACCOUNT}, {"id": PROD}]}))
        return path

    def ran(self, *words: object, status: int = 0) -> dict[str, Any]:
        done = self.command(*words, "--json", "--config", self.config)
        assert done.returncode == status, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def ids(self) -> list[str]:
        asked = self.command(
            "query",
            "SELECT eventid FROM events ORDER BY 1",
            "--format",
            "csv",
            "--limit",
            "1000",
            "--config",
            self.config,
        )
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.split()

    def data(self) -> list[str]:
        """Keys of the data files in the bucket, the oldest day first."""
        listed = self.moto.s3.list_objects_v2(Bucket="lake", Prefix="team/crosstrail/events/data/").get("Contents", ())
        return sorted(one["Key"] for one in listed)

    def here(self, key: str) -> Path:
        """Its copy on the machine."""
        return self.folder / "one/events" / key.removeprefix("team/crosstrail/events/")


@pytest.fixture
def kept(tmp_path: Path, moto: Moto, crosstrail: CommandLine) -> Kept:
    """Four days of five events, a data file and a log object each."""
    moto.bucket("lake")
    moto.bucket("trail-logs")
    for day in range(DAYS):
        time = NOON + timedelta(days=day)
        put(moto, "trail-logs", key(f"day{day}", time), [event(day * 10 + number, time=time) for number in range(5)])
    lake = Kept(tmp_path, moto, crosstrail)
    assert lake.ran("collect", "s3://trail-logs")["new"] == DAYS * 5
    return lake


def _flipped(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 0x10
    return bytes(changed)


def test_damage_in_the_bucket_is_found_and_repaired_from_the_bucket_of_logs(kept: Kept) -> None:
    before, (flipped, gone, copied, _) = kept.ids(), kept.data()
    assert len(before) == DAYS * 5 + 1
    found = kept.moto.s3.get_object(Bucket="lake", Key=flipped)["Body"].read()
    kept.moto.s3.put_object(Bucket="lake", Key=flipped, Body=_flipped(found))
    kept.moto.s3.delete_object(Bucket="lake", Key=gone)
    copy = kept.here(copied)
    copy.chmod(0o600)
    copy.write_bytes(_flipped(copy.read_bytes()))
    copy.chmod(0o400)

    verified = kept.ran("lake", "verify", status=1)
    assert {one["path"].rpartition("/")[2]: one["reason"].partition(":")[0] for one in verified["damaged"]} == {
        flipped.rpartition("/")[2]: "is not as it was written",
        gone.rpartition("/")[2]: "is missing",
    }
    assert verified["copies_dropped"] == 1
    assert not copy.exists()

    repaired = kept.ran("lake", "repair")
    assert (len(repaired["taken_out"]), repaired["collected_again"], repaired["lacking"]) == (2, 10, [])
    assert kept.ids() == before
    assert kept.ran("lake", "verify")["sound"] is True


def test_a_file_that_is_not_as_it_was_written_is_never_read_from_a_bucket(kept: Kept) -> None:
    damaged = kept.data()[0]
    found = kept.moto.s3.get_object(Bucket="lake", Key=damaged)["Body"].read()
    kept.moto.s3.put_object(Bucket="lake", Key=damaged, Body=_flipped(found))
    kept.here(damaged).unlink()
    asked = kept.command("query", "SELECT count(*) FROM events", "--config", kept.config)
    assert asked.returncode == 1
    assert "not in the bucket as it was written" in asked.stderr
    assert "lake repair" in asked.stderr
    assert not kept.here(damaged).exists()


def test_what_a_killed_download_left_goes(kept: Kept) -> None:
    for name in kept.data():
        kept.here(name).unlink()
    left = [kept.folder / "one/events/data/0.partial", kept.here(kept.data()[0]).with_suffix(".partial")]
    for path in left:
        path.write_bytes(b"some")
    os.utime(left[0], (0, 0))
    assert len(kept.ids()) == DAYS * 5 + 1
    assert [path.exists() for path in left] == [False, True]


def test_compaction_and_expiry_delete_in_the_bucket(kept: Kept) -> None:
    put(kept.moto, "trail-logs", key("late", NOON), [event(100)])
    assert kept.ran("collect", "s3://trail-logs", "--since", "2026-11-01")["new"] == 1
    status = kept.ran("lake", "status")
    assert (status["files"], status["events"], status["partitions"]) == (DAYS + 1, DAYS * 5 + 1, DAYS)
    assert kept.ran("lake", "compact")["replaced"] == 2
    kept.retention = f"{(datetime.now(UTC) - NOON).days - 2}d"
    dropped = kept.ran("lake", "expire")["dropped"]
    assert sum(one["events"] for one in dropped) > 0
    left = len(kept.ids()) - 1
    assert left == DAYS * 5 + 1 - sum(one["events"] for one in dropped)
    settings = load_settings(str(kept.config), {})
    with (
        opened_catalog(settings) as catalog,
        closing(LakeTable.open(settings.lake.folder, catalog=catalog, create=True)) as table,
    ):
        table.expire(datetime.now(UTC))
        named = {path.rpartition("/")[2] for path in table.plan(None)}
    assert {name.rpartition("/")[2] for name in kept.data()} == named
