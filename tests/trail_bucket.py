"""Buckets of moto with a trail's log files in them, as CloudTrail names them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit_logs import rows
from conftest import CommandLine
from lake_workspace import PROD, record
from moto_server import Moto

BUCKET = "trail-logs"
NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)


def event(number: int, account: str = PROD, time: datetime = NOON, **more: Any) -> dict[str, Any]:
    return record(account, number, time, **more)


def packed(records: Iterable[Mapping[str, Any]]) -> bytes:
    return gzip.compress(json.dumps({"Records": list(records)}).encode(), mtime=0)


def key(
    unique: str,
    delivered: datetime = NOON,
    *,
    account: str = PROD,
    region: str = "us-east-1",
    kind: str = "CloudTrail",
    prefix: str = "",
) -> str:
    """`unique` is what CloudTrail makes names different with."""
    name = f"{account}_{kind}_{region}_{delivered:%Y%m%dT%H%MZ}_{unique}.json.gz"
    return f"{prefix}AWSLogs/{account}/{kind}/{region}/{delivered:%Y/%m/%d}/{name}"


def put(moto: Moto, bucket: str, name: str, records: Iterable[Mapping[str, Any]], **more: Any) -> None:
    moto.s3.put_object(Bucket=bucket, Key=name, Body=packed(records), **more)


def collect_bucket(
    crosstrail: CommandLine, lake: Path, *more: str, uri: str = f"s3://{BUCKET}", status: int = 0
) -> Any:
    """`crosstrail collect` of the bucket into the lake, which leaves with that status: its report."""
    done = crosstrail("collect", uri, "--lake", lake, "--json", *more)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def numbers(lake: Path) -> list[int]:
    """Of the events in the lake that `event` made, in order."""
    return sorted(int(row["eventid"][-6:]) for row in rows(lake, "eventid"))
