"""How fast a bucket is listed, read and collected, from a small S3 on loopback (s3_server.py) that takes one of the processors.

    python bench/s3.py --runs 3

Prints medians beside their aims: keys and objects a second, a collection of objects of 1.8 KB, one over 10,000 objects that are
all listed and known, and one of nothing new over 850 folders at 50 ms latency. Processor time is of crosstrail's processes alone.
What a collection takes whatever it finds (starting, opening a table) is told apart, from one of a tenth of the objects.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from crosstrail.clouds.aws.log_layout import LAYOUT
from crosstrail.lake.sources.base import LogObject
from crosstrail.lake.sources.buckets import BucketSource
from crosstrail.settings.config import Settings
from crosstrail.workspace.buckets import opened_buckets
from processes import child_cpu, compile_all
from s3_server import running

BUCKET = "bench-logs"
ALL = 1_700_000
KNOWN = 10_000
EVENTS = 6
"""Of one object: 1.8 KB gzipped."""


def key(account: int, region: int, number: int) -> str:
    id_, name = f"{100_000_000_000 + account}", f"us-east-{region}"
    day, minute = 1 + number // 288 % 28, number % 1440
    time_ = f"202611{day:02d}T{minute // 60:02d}{minute % 60:02d}Z"
    return f"AWSLogs/{id_}/CloudTrail/{name}/2026/11/{day:02d}/{id_}_CloudTrail_{name}_{time_}_{number:016d}.json.gz"


def packed(account: int, number: int) -> bytes:
    records = [
        {
            "eventVersion": "1.09",
            "eventID": f"{account:08d}-{os.urandom(6).hex()}-{number:012d}-{each}",
            "eventTime": f"2026-11-{1 + number // 288 % 28:02d}T10:00:0{each}Z",
            "eventSource": "ec2.amazonaws.com",
            "eventName": "DescribeInstances",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "203.0.113.7",
            "userAgent": os.urandom(95).hex(),
            "requestParameters": {"filter": os.urandom(95).hex()},
            "responseElements": None,
            "userIdentity": {"type": "AssumedRole", "accountId": f"{100_000_000_000 + account}"},
            "readOnly": True,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": f"{100_000_000_000 + account}",
        }
        for each in range(EVENTS)
    ]
    return gzip.compress(json.dumps({"Records": records}).encode(), 6)


def environment(url: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": "AKIABENCH", "AWS_SECRET_ACCESS_KEY": "bench"}


def listing(objects: Mapping[str, bytes]) -> tuple[float, float]:
    """(keys a second, processor ms for 1,000)."""
    with running(objects) as url, opened_buckets(Settings()) as buckets:
        os.environ.update(environment(url))
        bucket = buckets.open(f"s3://{BUCKET}")
        next(bucket.pages())
        began, cpu = time.perf_counter(), time.process_time()
        count = sum(map(len, bucket.pages()))
        return count / (time.perf_counter() - began), 1e6 * (time.process_time() - cpu) / count


def getting(objects: Mapping[str, bytes]) -> tuple[float, float]:
    """(objects a second, processor ms for each)."""
    with running(objects) as url, opened_buckets(Settings()) as buckets, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment(url))
        bucket = buckets.open(f"s3://{BUCKET}")
        source = BucketSource(bucket, [("aws", LAYOUT)])
        logs = [LogObject("", len(data), "", False, uri=bucket.name(name)) for name, data in objects.items()]
        began, cpu = time.perf_counter(), time.process_time()
        for start in range(0, len(logs), 1_000):
            fetched = source.fetch(logs[start : start + 1_000], Path(folder, str(start)))
            assert not fetched.failed, fetched.failed[:1]
        return len(logs) / (time.perf_counter() - began), 1e3 * (time.process_time() - cpu) / len(logs)


def collect(url: str, lake: Path, *more: str) -> tuple[float, float, dict[str, int]]:
    """(seconds, processor seconds, report) of the whole command."""
    began, cpu = time.perf_counter(), child_cpu()
    command = [sys.executable, "-m", "crosstrail", "collect", f"s3://{BUCKET}", "--lake", str(lake), "--json", *more]
    done = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment(url)})
    report = json.loads(done.stdout)
    return time.perf_counter() - began, child_cpu() - cpu, {**report, **report["cost"]}


def collecting(objects: Mapping[str, bytes], lake: Path) -> tuple[float, float, float, float]:
    """(seconds of a first collection, its processor seconds, both of a collection of a tenth)."""
    found: list[float] = []
    for some in (objects, dict(list(objects.items())[::10])):
        shutil.rmtree(lake, ignore_errors=True)
        with running(some) as url:
            seconds, cpu, report = collect(url, lake)
            assert report["new"] == EVENTS * len(some), report
        found += [seconds, cpu]
    return found[0], found[1], found[2], found[3]


def knowing(objects: Mapping[str, bytes], lake: Path) -> tuple[float, float]:
    """(seconds, processor seconds) of a collection that lists every object and knows all of them."""
    shutil.rmtree(lake, ignore_errors=True)
    with running(objects) as url:
        collect(url, lake)
        seconds, cpu, report = collect(url, lake, "--since", "2026-11-01")
        assert (report["objects_known"], report["gets"]) == (len(objects), 0), report
        return seconds, cpu


def idle(lake: Path) -> tuple[float, float]:
    """(seconds, LIST requests) of a collection of nothing new, over 50 accounts in 17 regions, at 50 ms."""
    shutil.rmtree(lake, ignore_errors=True)
    objects = {key(account, region, 1): packed(account, region) for account in range(50) for region in range(17)}
    with running(objects) as url:
        collect(url, lake)
    with running(objects, latency=0.05) as url:
        seconds, _, report = collect(url, lake)
        return seconds, float(report["lists"])


def medians(runs: int, measure: Callable[[], tuple[float, ...]]) -> list[float]:
    return [statistics.median(values) for values in zip(*(measure() for _ in range(runs)), strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description="A bucket listed, read and collected.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keys", type=int, default=200_000)
    parser.add_argument("--objects", type=int, default=20_000)
    arguments = parser.parse_args()
    compile_all()
    small = b"x"
    many = {key(n % 4, n % 3, n): small for n in range(arguments.keys)}
    objects = {key(n % 4, n % 3, n): packed(n % 4, n) for n in range(arguments.objects)}
    print(
        f"{len(objects):,} objects of {sum(map(len, objects.values())) / len(objects):,.0f} bytes, {EVENTS} events each"
    )
    rate, cost = medians(arguments.runs, lambda: listing(many))
    print(f"LIST     {rate:,.0f} keys/s, {cost:.1f} ms of processor time for 1,000 (aims: 50,000; 5)")
    rate, cost = medians(arguments.runs, lambda: getting(objects))
    print(f"GET      {rate:,.0f} objects/s, {cost:.2f} ms of processor time each (aim: 2,000)")
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as folder:
        lake = Path(folder, "lake")
        seconds, cpu, few_seconds, few_cpu = medians(arguments.runs, lambda: collecting(objects, lake))
        more = 0.9 * len(objects)
        rate, each = more / (seconds - few_seconds), 1e3 * (cpu - few_cpu) / more
        start, start_cpu = few_seconds - len(objects) / 10 / rate, few_cpu - len(objects) / 10 * each / 1e3
        print(
            f"collect  {len(objects) / seconds:,.0f} objects/s as a whole; {start:.1f} s ({start_cpu:.1f} s of processor time) to start, "
            f"then {rate:,.0f} objects/s, {each:.2f} ms of processor time each: {ALL:,} take {(start + ALL / rate) / 60:.0f} min (aim: 20)"
        )
        known = dict(list(objects.items())[:KNOWN])
        seconds, cpu = medians(arguments.runs, lambda: knowing(known, lake))
        print(f"re-run   {seconds:.1f} s, {cpu:.1f} of processor time, over {len(known):,} known objects (aim: 3)")
        seconds, lists = medians(arguments.runs, lambda: idle(lake))
        print(f"idle     {seconds:.1f} s, {lists:,.0f} LISTs over 850 folders at 50 ms (aims: 15, 1,700)")


if __name__ == "__main__":
    main()
