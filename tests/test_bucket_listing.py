"""How few requests and how little memory a bucket of many keys takes, and what is asked of one without a trail's folders."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from crosstrail.clouds.aws.log_layout import LAYOUT
from crosstrail.lake.ledger import Ledger
from crosstrail.lake.plan import plan
from crosstrail.lake.sources.buckets import BucketSource
from crosstrail.object_store import Bucket
from crosstrail.settings.config import Settings
from crosstrail.workspace.buckets import opened_buckets
from fakes.aws import World
from fakes.s3 import FakeS3
from lake_workspace import PROD
from live_aws import base_identity
from trail_bucket import NOON, key

BUCKET = "trail-logs"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    world = World()
    base_identity(world, monkeypatch)
    with FakeS3(world) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", made.url)
        made.buckets[BUCKET] = {}
        yield made


@pytest.fixture
def bucket(s3: FakeS3) -> Iterator[Bucket]:
    with opened_buckets(Settings()) as buckets:
        yield buckets.open(f"s3://{BUCKET}")


def _source(bucket: Bucket) -> BucketSource:
    return BucketSource(bucket, [("aws", LAYOUT)])


def _new(bucket: Bucket, lake: Path) -> list[str]:
    """The keys that a collection would read, each of which is in the ledger afterwards."""
    source = _source(bucket)
    found: list[str] = []
    with closing(Ledger(lake)) as ledger:
        for batch in source.find(lake, ledger, "").batches:
            unknown = ledger.unknown(batch)
            ledger.add((log, 1) for log in unknown)
            found += [log.uri.removeprefix(f"s3://{BUCKET}/") for log in unknown]
        ledger.listed(source.listed(), "")
    return found


def _put(s3: FakeS3, names: Iterable[str]) -> None:
    s3.buckets[BUCKET] |= dict.fromkeys(names, b"x")


def test_many_keys_are_listed_by_the_thousand_in_bounded_memory(s3: FakeS3, bucket: Bucket, tmp_path: Path) -> None:
    """Two million keys took others 45 minutes, and all memory."""
    keys = 12_000
    _put(s3, (key(f"{number:08d}", NOON - timedelta(minutes=number)) for number in range(keys)))
    source = _source(bucket)
    with closing(Ledger(tmp_path)) as ledger:
        batches = iter(source.find(tmp_path, ledger, "").batches)
        found = len(next(batches))
        tracemalloc.start()
        try:
            found += sum(len(batch) for batch in batches)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found == keys
    assert peak < 8 * 1024**2  # 12,000 objects take more; a page is a megabyte, in the server too
    assert sum(one.kind == "list" for one in s3.asked) <= keys / 1_000 + 6


@pytest.mark.parametrize("form", ["%Y/%m/%d/%H", "%Y-%m-%d-%H", "%Y%m%dT%H"])
def test_a_flat_bucket_whose_names_begin_with_dates_is_listed_from_the_last_days(
    s3: FakeS3, bucket: Bucket, tmp_path: Path, form: str
) -> None:
    names = {f"{NOON - timedelta(hours=hour):{form}}-{n}.json.gz" for hour in range(1_400) for n in range(3)}
    _put(s3, names)
    assert set(_new(bucket, tmp_path)) == names
    s3.asked.clear()
    late = [f"{NOON - timedelta(hours=25):{form}}-0a.json.gz", f"{NOON + timedelta(hours=2):{form}}-0.json.gz"]
    _put(s3, late)
    assert sorted(_new(bucket, tmp_path)) == sorted(late)
    assert (
        sum(one.kind == "list" for one in s3.asked) <= 3
    )  # of five pages: what it looks like, and from the day before on
    older = f"{NOON - timedelta(days=20):{form}}-0a.json.gz"
    _put(s3, [older])
    assert _new(bucket, tmp_path) == []
    with closing(Ledger(tmp_path)) as ledger:
        ledger.table("UPDATE listings SET swept = swept - 90000").commit()
    assert _new(bucket, tmp_path) == [older]


@pytest.mark.parametrize(
    "other", ["0-first.json", "2026-99-99.json", "last.json.gz", f"AWSLogs/{PROD}/CloudTrail/x.json"]
)
def test_a_flat_bucket_with_any_other_name_is_listed_whole_and_the_plan_says_so(
    s3: FakeS3, bucket: Bucket, tmp_path: Path, other: str
) -> None:
    days = [date(2026, 11, 19) - timedelta(days=day) for day in range(400)]
    names = {f"{day:%Y-%m-%d}-{n}.json.gz" for day in days for n in range(3)}
    _put(s3, names)
    assert not plan(_source(bucket), tmp_path).listed_whole
    _put(s3, [other])
    assert plan(_source(bucket), tmp_path).listed_whole
    assert set(_new(bucket, tmp_path)) == {*names, other}
    old = f"{days[-1]:%Y-%m-%d}-late.json.gz"
    _put(s3, [old])
    assert _new(bucket, tmp_path) == [old]


def test_a_name_of_another_form_that_comes_later_ends_it(s3: FakeS3, bucket: Bucket, tmp_path: Path) -> None:
    days = [date(2026, 11, 19) - timedelta(days=day) for day in range(400)]
    _put(s3, (f"{day:%Y-%m-%d}-{n}.json.gz" for day in days for n in range(3)))
    _new(bucket, tmp_path)
    _put(s3, ["0-first.json", "zz.json"])
    old = f"{days[-1]:%Y-%m-%d}-late.json.gz"
    _put(s3, [old])
    assert set(_new(bucket, tmp_path)) == {"0-first.json", "zz.json", old}  # the first page shows it
    assert _new(bucket, tmp_path) == []


def test_an_object_of_a_flat_bucket_that_failed_is_asked_for_although_no_listing_shows_it(
    s3: FakeS3, bucket: Bucket, tmp_path: Path
) -> None:
    days = [date(2026, 11, 19) - timedelta(days=day) for day in range(1_200)]
    names = [f"{day:%Y-%m-%d}.json.gz" for day in days]
    _put(s3, names)
    _new(bucket, tmp_path)
    assert sorted(names).index(names[100]) > 1_000  # on the second page, before the last days
    with closing(Ledger(tmp_path)) as ledger:
        ledger.forget([f"s3://{BUCKET}/{names[100]}"])
    s3.asked.clear()
    assert _new(bucket, tmp_path) == [names[100]]
    assert sum(one.kind == "list" for one in s3.asked) == 2
