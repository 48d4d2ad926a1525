"""Objects fetched from a bucket as local files, in which order they are read, and what is said of those that are not there whole."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from crosstrail.clouds.aws.log_layout import LAYOUT
from crosstrail.lake.ledger import Ledger
from crosstrail.lake.sources.base import LogObject
from crosstrail.lake.sources.buckets import BucketSource
from crosstrail.lake.sources.spool import MAX_TOGETHER, Spool, opened
from crosstrail.settings.config import Settings
from crosstrail.workspace.buckets import opened_buckets
from lake_workspace import DEV, PROD
from moto_server import Moto
from trail_bucket import NOON, key


def _log(name: str) -> LogObject:
    return LogObject("", 1, "old", False, uri=f"s3://b/{name}")


def test_small_objects_share_a_file_and_big_ones_have_their_own(tmp_path: Path) -> None:
    contents = [b"one", b"", b"x" * (MAX_TOGETHER + 1), b"three"]
    with Spool(tmp_path / "job") as spool:
        logs = [
            spool.add(_log(str(number)), [data[:2], data[2:]], len(data), "new") for number, data in enumerate(contents)
        ]
    assert len({log.path for log in logs}) == 2
    assert len(list((tmp_path / "job").iterdir())) == 2
    for log, data in zip(logs, contents, strict=True):
        assert (log.bytes, log.stamp, log.sha256) == (len(data), "new", sha256(data).hexdigest())
        with opened(log) as file:
            assert file.read() == data
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "job").iterdir())


def test_a_big_object_that_cannot_be_had_whole_leaves_no_file(tmp_path: Path) -> None:
    def pieces() -> list[bytes]:
        raise ConnectionError("gone")

    with Spool(tmp_path) as spool, pytest.raises(ConnectionError):
        spool.add(_log("a"), (piece for _ in range(2) for piece in pieces()), MAX_TOGETHER + 1, "new")
    assert list(tmp_path.iterdir()) == []


def test_an_object_of_a_shared_file_that_was_cut_is_no_shorter_object(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        first, last = (spool.add(_log(name), [b"0123456789"], 10, "new") for name in "ab")
    with open(last.path, "r+b") as file:
        file.truncate(15)
    with opened(first) as file:
        assert file.read() == b"0123456789"
    with pytest.raises(OSError, match="not there whole"):
        opened(last)


def test_a_days_objects_of_all_regions_of_an_account_are_read_together(moto: Moto, tmp_path: Path) -> None:
    days = [NOON + timedelta(days=day) for day in (0, 1, 30)]
    names = [
        key(f"{number}", day, account=account, region=region)
        for account in (DEV, PROD)
        for region in ("ap-south-1", "eu-west-1", "us-east-1")
        for day in days
        for number in range(2)
    ]
    bucket = moto.bucket(objects=dict.fromkeys(names, b"x"))
    with opened_buckets(Settings()) as buckets, closing(Ledger(tmp_path)) as ledger:
        source = BucketSource(buckets.open(f"s3://{bucket}"), [("aws", LAYOUT)])
        found = [log for batch in source.find(tmp_path, ledger, "").batches for log in batch]
        listed = source.listed()
    assert sorted(log.uri for log in found) == sorted(f"s3://{bucket}/{name}" for name in names)
    order = [(account, day) for _, account, _, day in (log.placed for log in found)]
    assert order == sorted(order)
    assert len(listed) == 6
    assert {one.newest for one in listed} <= {f"{day:%Y-%m-%d}" for day in days} | {""}
