"""Generated audit logs for benchmarks: S3-shaped .json.gz files with events of about 1.2 KB, the same for the same seed.

python bench/generate.py FOLDER --events 500000
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing import Pool
from pathlib import Path
from typing import Any

ACCOUNTS = ("012345678901", "111122223333", "444455556666")
REGIONS = ("us-east-1", "eu-west-1")
DAYS = 30
START = datetime(2026, 10, 1, tzinfo=UTC)
EVENTS_A_FILE = 1_000
CALLS = (
    ("ec2", "DescribeInstances", True), ("s3", "GetBucketAcl", True), ("sts", "AssumeRole", True),
    ("kms", "Decrypt", True), ("iam", "GetUser", True), ("iam", "CreateAccessKey", False),
    ("ssm", "GetParameter", True), ("logs", "CreateLogStream", False), ("ec2", "RunInstances", False),
    ("cloudtrail", "LookupEvents", True), ("secretsmanager", "GetSecretValue", True), ("rds", "DescribeDBInstances", True),
)  # fmt: skip
ERRORS = ("AccessDenied", "Client.UnauthorizedOperation", "ThrottlingException")
AGENTS = tuple(
    f"aws-sdk-java/1.12.{number} Linux/5.10.184 OpenJDK_64-Bit_Server_VM/25.372-b08 vendor/Oracle cfg/retry-mode/standard"
    for number in range(400, 420)
)
KEYS_AN_ACCOUNT = 2_000


def access_key(account: str, number: int) -> str:
    """One of the access keys that an account's events carry."""
    return f"ASIA{account[:6]}{number:010d}"


def event(source: random.Random, account: str, region: str, moment: datetime) -> dict[str, Any]:
    """One event of an assumed role, about 1.2 KB as compact JSON."""
    service, name, read_only = source.choice(CALLS)
    role, session = f"role-{source.randrange(40)}", f"session-{source.randrange(300)}"
    key = access_key(account, int(KEYS_AN_ACCOUNT * source.random() ** 3))
    issuer = f"arn:aws:iam::{account}:role/{role}"
    time = moment.isoformat().replace("+00:00", "Z")
    made: dict[str, Any] = {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROA{role.upper()}:{session}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
            "accountId": account,
            "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "principalId": f"AROA{role.upper()}", "arn": issuer, "accountId": account, "userName": role,
                },
                "webIdFederationData": {},
                "attributes": {"creationDate": time, "mfaAuthenticated": "false"},
            },
        },
        "eventTime": time,
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": f"198.51.{source.randrange(100)}.{source.randrange(256)}",
        "userAgent": source.choice(AGENTS),
        "requestParameters": {
            "instanceId": f"i-{source.getrandbits(64):016x}", "maxResults": source.randrange(1000), "filterSet": {"items": []},
        },
        "responseElements": None if read_only else {"requestId": str(uuid.UUID(int=source.getrandbits(128))), "return": True},
        "requestID": str(uuid.UUID(int=source.getrandbits(128))),
        "eventID": str(uuid.UUID(int=source.getrandbits(128))),
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{service}.{region}.amazonaws.com",
        },
    }  # fmt: skip
    if source.random() < 0.06:
        made["errorCode"] = source.choice(ERRORS)
        made["errorMessage"] = f"User {issuer} is not authorized to perform {service}:{name}"
    return made


def _write(job: tuple[Path, int, int, int]) -> int:
    """One file of an account, a region and part of a day; returns its uncompressed size."""
    folder, number, count, seed = job
    source = random.Random(seed * 1_000_003 + number)  # noqa: S311 - the same every time is the point
    account, region = ACCOUNTS[number % 3], REGIONS[number // 3 % 2]
    part = number // 6
    moment = START + timedelta(days=part % DAYS, minutes=5 * (part // DAYS % 288))
    times = sorted(moment + timedelta(seconds=source.randrange(300)) for _ in range(count))
    text = json.dumps({"Records": [event(source, account, region, time) for time in times]}, separators=(",", ":"))
    day = moment.strftime("%Y/%m/%d")
    path = folder / f"AWSLogs/{account}/CloudTrail/{region}/{day}"
    path.mkdir(parents=True, exist_ok=True)
    name = f"{account}_CloudTrail_{region}_{moment:%Y%m%dT%H%MZ}_{number:016d}.json.gz"
    (path / name).write_bytes(gzip.compress(text.encode(), 6, mtime=0))
    return len(text)


def jobs(folder: Path, events: int, seed: int) -> Iterator[tuple[Path, int, int, int]]:
    for number in range(-(-events // EVENTS_A_FILE)):
        yield folder, number, min(EVENTS_A_FILE, events - number * EVENTS_A_FILE), seed


def generate(folder: Path, events: int, seed: int = 1) -> int:
    """Writes the files; returns their uncompressed size in bytes."""
    with Pool() as pool:
        return sum(pool.imap_unordered(_write, jobs(folder, events, seed), chunksize=4))


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=500_000)
    arguments = parser.parse_args()
    written = generate(arguments.folder, arguments.events)
    print(f"{arguments.events:,} events, {written / arguments.events:,.0f} bytes each uncompressed")
