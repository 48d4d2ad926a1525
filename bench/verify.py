"""What verifying costs: the rate of one core over large log files, and a year of one account and region over a network.

    python bench/verify.py [--runs 3] [--latency 50]

First `crosstrail verify` of a folder whose log files hold 500 MB, bound to one core: MB of uncompressed log a second of
processor time, without the start of the program (aim 600). Then a bucket on loopback whose answers take the latency, with
8,760 digests of an hour each, which name one log file each or none: seconds of the whole command (aim 30) and processor time.
Keys are a file's. Medians of several runs.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from generate import ACCOUNTS, event

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from signed_trail import BUCKET, HOUR, START, Chain, SignedTrail, Stored, signed_trail, signing_key, write_folder

AIM_RATE, AIM_SECONDS = 600, 30
ACCOUNT, REGION = "111111111111", "us-east-1"
YEAR = 8_760
TIME = "%Y-%m-%dT%H:%M:%SZ"
YEAR_START = START - 6_000 * HOUR
YEARS_KEY = signing_key("year", YEAR_START, YEAR_START + 9_000 * HOUR)
LOG_BYTES, LOGS = 10_000_000, 50


def large_trail() -> SignedTrail:
    """Few log files, as large as CloudTrail's may be."""
    trail = signed_trail(accounts=[ACCOUNT], regions=[REGION], hours=1, logs_an_hour=1)
    chain = trail.chains[ACCOUNT, REGION]
    source = random.Random(7)  # noqa: S311 - the same every time is the point
    records = [event(source, ACCOUNTS[0], REGION, datetime(2026, 3, 1, tzinfo=UTC)) for _ in range(2_000)]
    one = json.dumps({"Records": records}).encode()
    body = gzip.compress(one * max(LOG_BYTES // len(one), 1), 6)
    named = []
    for number in range(LOGS):
        key = chain.log(START + HOUR + timedelta(minutes=number), [], f"large{number:011d}")
        trail.objects[key] = Stored(body)
        named.append(key)
    chain.digest(START + HOUR, START + 2 * HOUR, named)
    return trail


def year_trail(logs_an_hour: int) -> SignedTrail:
    trail = SignedTrail()
    chain = trail.chains[ACCOUNT, REGION] = Chain(trail, ACCOUNT, REGION, signer=YEARS_KEY)
    for hour in range(YEAR):
        start = YEAR_START + hour * HOUR
        logs = [chain.log(start + timedelta(minutes=9), [{"eventID": f"{hour}"}]) for _ in range(logs_an_hour)]
        chain.digest(start, start + HOUR, logs, first=not hour)
    return trail


class Bucket:
    """So much of S3 as a verification asks, each answer after a while."""

    def __init__(self, trail: SignedTrail, seconds: float) -> None:
        self._objects = trail.objects
        self._keys = sorted(trail.objects)
        self._seconds = seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(self._seconds)
                writer.write(self._answer(head.split(b" ", 2)[1].decode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, target: str) -> bytes:
        url = urlsplit(target)
        key = unquote(url.path.removeprefix(f"/{BUCKET}").lstrip("/"))
        if key:
            stored = self._objects.get(key)
            if stored is None:
                return _http(404, b"<Error><Code>NoSuchKey</Code></Error>", {})
            more = {f"x-amz-meta-{name}": value for name, value in stored.metadata.items()}
            return _http(200, stored.body, {"ETag": '"1"', "Last-Modified": "Sun, 01 Mar 2026 00:00:00 GMT", **more})
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        return _http(200, self._listing(asked).encode(), {"Content-Type": "application/xml"})

    def _listing(self, asked: dict[str, str]) -> str:
        prefix, after = asked.get("prefix", ""), asked.get("continuation-token") or asked.get("start-after", "")
        names = [key for key in self._keys if key.startswith(prefix) and key > after]
        if "delimiter" in asked:
            folders = sorted(
                {prefix + key[len(prefix) :].split("/")[0] + "/" for key in names if "/" in key[len(prefix) :]}
            )
            inner = "".join(f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in folders)
            return f"<ListBucketResult><IsTruncated>false</IsTruncated>{inner}</ListBucketResult>"
        page = names[:1000]
        more = len(names) > 1000
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        inner = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>1</Size><ETag>1</ETag>"
            "<LastModified>2026-03-01T00:00:00.000Z</LastModified></Contents>"
            for key in page
        )
        return f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{inner}</ListBucketResult>"


def _http(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} OK",
        f"Content-Length: {len(body)}",
        *(f"{name}: {text}" for name, text in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextmanager
def served(trail: SignedTrail, seconds: float) -> Iterator[str]:
    """In a process of its own; the address."""
    gate, told = os.pipe()
    if (child := os.fork()) == 0:

        async def run() -> None:
            server = await asyncio.start_server(Bucket(trail, seconds).serve, "127.0.0.1", 0, limit=2**20)
            os.write(told, str(server.sockets[0].getsockname()[1]).encode())
            await server.serve_forever()

        try:
            asyncio.run(run())
        finally:
            os._exit(0)
    try:
        yield f"http://127.0.0.1:{os.read(gate, 16).decode()}"
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def verify(*arguments: str, environ: dict[str, str] | None = None, one_core: bool = False) -> tuple[float, float]:
    """(seconds, seconds of processor time) of a verification that proves everything."""
    command = [sys.executable, "-m", "crosstrail", "verify", *arguments]
    core = min(os.sched_getaffinity(0))
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        ["taskset", "-c", str(core), *command] if one_core else command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environ or {})},
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(figures: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(one for one, _ in figures), statistics.median(one for _, one in figures)


def rate(place: Path, keys: Path, runs: int) -> None:
    trail = large_trail()
    until = ("--until", f"{START + 2 * HOUR:{TIME}}")
    folder = write_folder(trail, place / "large")
    trail.key_file(keys, trail.newest())
    megabytes = sum(len(gzip.decompress(one.body)) for key, one in trail.objects.items() if "/CloudTrail/" in key) / 1e6
    base = signed_trail(accounts=[ACCOUNT], regions=[REGION], hours=2)
    small = write_folder(base, place / "small")
    base.key_file(place / "small.json", base.newest())
    start = median(
        [verify(str(small), "--keys", str(place / "small.json"), *until, one_core=True) for _ in range(runs)]
    )[1]
    figures = median([verify(str(folder), "--keys", str(keys), *until, one_core=True) for _ in range(runs)])
    print(
        f"{megabytes:6,.0f} MB of log, one core  {figures[0]:5.2f} s  {figures[1]:5.2f} s of processor time  "
        f"{megabytes / (figures[1] - start):6,.0f} MB/s (aim {AIM_RATE})"
    )


def year(keys: Path, runs: int, latency: float) -> None:
    for logs in (0, 1):
        trail = year_trail(logs)
        keys.write_text(json.dumps({"PublicKeyList": [YEARS_KEY.listed()]}))
        span = ("--since", f"{YEAR_START:{TIME}}", "--until", f"{YEAR_START + YEAR * HOUR:{TIME}}")
        with served(trail, latency) as url:
            environ = {
                "AWS_ENDPOINT_URL_S3": url,
                "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "none",
            }
            figures = median(
                [verify(f"s3://{BUCKET}", "--keys", str(keys), *span, environ=environ) for _ in range(runs)]
            )
        print(
            f"{YEAR:,} digests, {YEAR * logs:,} log files, {latency * 1000:.0f} ms  {figures[0]:5.1f} s (aim {AIM_SECONDS})  "
            f"{figures[1]:5.1f} s of processor time"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--latency", type=float, default=50, help="milliseconds of one answer")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        rate(Path(place), Path(place) / "keys.json", given.runs)
        year(Path(place) / "keys.json", given.runs, given.latency / 1000)


if __name__ == "__main__":
    main()
