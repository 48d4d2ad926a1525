"""Log files as the clouds leave them: which file an event lands in, when, and under what name.

CloudTrail delivers about five minutes late, in no order, and now and then the same event twice. Everything is drawn from
a seeded Random and gzip carries no time, so the same events give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import orjson

from crosstrail.demo.apis import Json
from crosstrail.demo.volcengine import answers

ORGANIZATION_ID = "o-exampleorg"
_SLOT_SECONDS = 300
_STRAGGLING_SHARE = 0.02
_REDELIVERED_SHARE = 0.0015


def write_cloudtrail(events: Iterable[Json], folder: Path) -> tuple[int, int]:
    """Writes the S3 tree of an organisation trail under `folder`; returns (files, records).

    There are more records than events: some are delivered twice.
    """
    rng = Random("delivery")
    files: dict[tuple[str, str, int], list[Json]] = defaultdict(list)
    delays: dict[tuple[str, str, int], float] = {}  # events of the same minutes travel together
    for event in sorted(events, key=lambda event: (event["eventTime"], event["eventID"])):
        account, region = event["recipientAccountId"], event["awsRegion"]
        happened = datetime.fromisoformat(event["eventTime"]).timestamp()
        place = (account, region, _slot(happened))
        if place not in delays:
            delays[place] = rng.triangular(60, 480, 200)
        straggling = rng.uniform(60, 900) if rng.random() < _STRAGGLING_SHARE else 0
        arrived = happened + delays[place] + straggling
        files[account, region, _slot(arrived)].append(event)
        if rng.random() < _REDELIVERED_SHARE:
            files[account, region, _slot(arrived + rng.uniform(300, 1800))].append(event)
    for (account, region, slot), records in files.items():
        rng.shuffle(records)
        path = folder / _key(account, region, slot, rng)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(orjson.dumps({"Records": records}), compresslevel=6, mtime=0))
    return len(files), sum(map(len, files.values()))


def write_lookup_answers(events: Iterable[Json], folder: Path) -> tuple[int, int]:
    """Writes a Volcengine account's events as saved LookupEvents answers, some a day; returns (files, records)."""
    by_day: dict[str, list[Json]] = defaultdict(list)
    for event in events:
        by_day[event["EventTime"][:10]].append(event)
    folder.mkdir(parents=True, exist_ok=True)
    files = 0
    for day, of_day in sorted(by_day.items()):
        for number, answer in enumerate(answers(of_day), 1):
            (folder / f"lookup-events-{day}-{number}.json").write_bytes(orjson.dumps(answer))
            files += 1
    return files, sum(map(len, by_day.values()))


def write_actiontrail(events: Iterable[Json], folder: Path) -> tuple[int, int]:
    """Writes the tree that one account's ActionTrail makes in an OSS bucket under `folder`; returns (files, records).

    Five minutes of events a file, there within ten.
    """
    rng = Random("delivery/actiontrail")
    files: dict[tuple[str, int], list[Json]] = defaultdict(list)
    for event in sorted(events, key=lambda event: (event["eventTime"], event["eventId"])):
        slot = _slot(datetime.fromisoformat(event["eventTime"]).timestamp())
        files[event["acsRegion"], slot].append(event)
    for (region, slot), records in files.items():
        delivered = datetime.fromtimestamp(slot + rng.randrange(20, _SLOT_SECONDS), UTC)
        content = orjson.dumps(records)
        unique = hashlib.md5(content, usedforsecurity=False).hexdigest()
        name = f"Actiontrail_{region}_{delivered:%Y%m%d%H%M%S}_1002_{len(records)}_{len(content)}_{unique}.gz"
        path = folder / f"AliyunLogs/Actiontrail/{region}/{delivered:%Y/%m/%d}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))
    return len(files), sum(map(len, files.values()))


def _slot(seconds: float) -> int:
    """The end of the five minutes in which it arrived: the time that file names carry."""
    return int(seconds // _SLOT_SECONDS + 1) * _SLOT_SECONDS


def _key(account: str, region: str, slot: int, rng: Random) -> str:
    moment = datetime.fromtimestamp(slot, UTC)
    unique = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=16))
    folder = f"AWSLogs/{ORGANIZATION_ID}/{account}/CloudTrail/{region}/{moment:%Y/%m/%d}"
    return f"{folder}/{account}_CloudTrail_{region}_{moment:%Y%m%dT%H%MZ}_{unique}.json.gz"
