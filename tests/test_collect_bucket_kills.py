"""A bucket's table after kills at any moment, two collectors, duplicates, damage, late objects and a full disk: the set of distinct
events, row for row."""

from __future__ import annotations

import json
import random
import resource
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import preloaded
from audit_logs import rows
from lake_workspace import DEV, PROD
from moto_server import Moto
from trail_bucket import NOON, event, key, packed

BUCKET = "trail-logs"
_OBJECTS, _LATE = 200, 20
_KILLS = 30


def _objects() -> tuple[dict[str, bytes], dict[int, str]]:
    """200 objects of two accounts and regions over days, 5 % of them copies, 2 % broken; and the events, by their numbers."""
    objects: dict[str, bytes] = {}
    events: dict[int, str] = {}
    for number in range(_OBJECTS):
        account, region = (PROD, DEV)[number % 2], ("us-east-1", "eu-west-1")[number // 2 % 2]
        delivered = NOON + timedelta(hours=number)
        name = key(f"{number:016d}", delivered, account=account, region=region)
        if number % 50 == 7:
            objects[name] = packed([event(0)])[:30]  # cut short before its first record
            continue
        first = number - 2 if number % 20 == 19 else number
        records = [event(first * 10 + n, account, NOON + timedelta(hours=first)) for n in range(3)]
        objects[name] = packed(records)
        events |= {int(one["eventID"][-6:]): one["eventName"] for one in records}
    return objects, events


def _table(lake: Path) -> dict[int, str]:
    found = rows(lake, "eventid, eventname")
    table = {int(row["eventid"][-6:]): row["eventname"] for row in found}
    assert len(table) == len(found)
    return table


def _start(lake: Path) -> Any:
    return preloaded.start("collect", f"s3://{BUCKET}", "--lake", lake, "--json", "--workers", "1")


def test_kills_full_disks_and_rivals_lose_nothing_and_double_nothing(moto: Moto, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    objects, expected = _objects()
    moto.bucket(BUCKET)
    names = list(objects)
    order = random.Random(14)  # noqa: S311 - the same moments every time, as far as a machine has them
    late = set(order.sample(names, _LATE))
    for name in names:
        if name not in late:
            moto.s3.put_object(Bucket=BUCKET, Key=name, Body=objects[name])
    arriving = sorted(late)
    for _ in range(_KILLS // 2):
        for name in arriving[:1]:
            moto.s3.put_object(Bucket=BUCKET, Key=name, Body=objects[name])
        del arriving[:1]
        rivals = [_start(lake), _start(lake)]
        for process in rivals:
            try:
                process.wait(timeout=order.uniform(0.05, 0.8))
            except subprocess.TimeoutExpired:
                process.kill()
        for process in rivals:
            process.kill()
            process.wait(timeout=60)
            process.stderr.close()
    for name in arriving:
        moto.s3.put_object(Bucket=BUCKET, Key=name, Body=objects[name])
    for room in (1_000, 20_000):  # bytes that a file may have: no more of what is fetched, then no more of the table
        cramped = _start(lake)
        resource.prlimit(cramped.pid, resource.RLIMIT_FSIZE, (room, room))
        assert cramped.wait(timeout=120) != 0
        cramped.stderr.close()
    full = preloaded.run("collect", f"s3://{BUCKET}", "--lake", lake, "--json", "--workers", "1")
    assert full.returncode == 3, full.stderr  # for the broken ones
    assert _table(lake) == expected
    again = json.loads(preloaded.run("collect", f"s3://{BUCKET}", "--lake", lake, "--json").stdout)
    assert (again["new"], again["objects_failed"]) == (0, 4)
    assert list((lake / "spool").glob("*-*")) == []
