"""Trails with digests as CloudTrail writes and signs them, made here: objects of a bucket, and the keys that prove them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

START = datetime(2026, 3, 1, 0, 13, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
ACCOUNTS = ("111111111111", "222222222222", "333333333333")
REGIONS = ("us-east-1", "eu-west-1")
BUCKET = "the-trail"
TRAIL, HOME = "audit", "us-east-1"
HOURS = 48
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Stored:
    """One object of a bucket."""

    body: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SigningKey:
    private: RSAPrivateKey
    fingerprint: str
    start: datetime
    end: datetime

    def sign(self, text: str) -> str:
        return self.private.sign(text.encode(), PKCS1v15(), SHA256()).hex()

    @property
    def value(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)

    def listed(self) -> dict[str, Any]:
        """As `aws cloudtrail list-public-keys` prints it."""
        return {
            "Value": base64.b64encode(self.value).decode(),
            "ValidityStartTime": self.start.timestamp(),
            "ValidityEndTime": self.end.timestamp(),
            "Fingerprint": self.fingerprint,
        }


@cache
def signing_key(name: str, start: datetime = START - 24 * HOUR, end: datetime = START + 9_000 * HOUR) -> SigningKey:
    """The same all through a run: making one takes a tenth of a second."""
    private = generate_private_key(65537, 2048)
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return SigningKey(private, hashlib.md5(der, usedforsecurity=False).hexdigest(), start, end)


def region_keys(region: str) -> tuple[SigningKey, SigningKey]:
    """Two, of which the second takes over in the middle."""
    middle = START + HOURS // 2 * HOUR
    return signing_key(f"{region}/1", START - 24 * HOUR, middle + HOUR), signing_key(f"{region}/2", middle - HOUR)


def packed(value: object) -> bytes:
    return gzip.compress(value if isinstance(value, bytes) else json.dumps(value).encode(), 1, mtime=0)


def event(account: str, region: str, time: datetime, number: int, **more: Any) -> dict[str, Any]:
    name = hashlib.sha256(f"{account}{region}{time}{number}".encode()).hexdigest()
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/ci", "accountId": account},
        "eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets",
        "awsRegion": region,
        "sourceIPAddress": "203.0.113.9",
        "requestParameters": None,
        "eventID": f"{name[:8]}-{name[8:12]}-4{name[13:16]}-8{name[17:20]}-{name[20:32]}",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "recipientAccountId": account,
        "managementEvent": True,
        "eventCategory": "Management",
        **more,
    }


@dataclass(slots=True)
class Chain:
    """One chain of digests of a trail in one account and region. It remembers its last digest."""

    trail: SignedTrail
    account: str
    region: str
    late: bool = False
    keys: list[str] = field(default_factory=list)
    """Of its digests, oldest first."""
    logs: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    """Of its digests those after which it began anew."""
    previous: dict[str, Any] = field(default_factory=dict)
    signer: SigningKey | None = None
    """Else the region's own of that time."""

    def log(self, time: datetime, records: Iterable[dict[str, Any]], name: str = "") -> str:
        """A log file, delivered then; its key."""
        unique = name or hashlib.sha256(f"{self.account}{self.region}{time}{len(self.logs)}".encode()).hexdigest()[:16]
        key = (
            f"{self.trail.top(self.account)}/CloudTrail/{self.region}/{time:%Y/%m/%d}/"
            f"{self.account}_CloudTrail_{self.region}_{time:%Y%m%dT%H%MZ}_{unique}.json.gz"
        )
        self.trail.objects[key] = Stored(packed({"Records": list(records)}))
        self.logs.append(key)
        return key

    def digest(
        self, start: datetime, end: datetime, logs: Iterable[str], *, first: bool = False, **elsewhere: str
    ) -> str:
        """The next digest of the chain; with `first`, one that says there is none before it. Its key.

        `elsewhere`: the bucket and key that it names each log file by, if not its own.
        """
        key = self.key(end)
        previous = {} if first else self.previous
        self.ends += [self.previous["key"]] if first and self.previous else []
        signer = self.signer or next(one for one in reversed(region_keys(self.region)) if one.start <= end)
        said = {
            "awsAccountId": self.account,
            "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "digestS3Bucket": self.trail.bucket,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": signer.fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": None,
            "oldestEventTime": None,
            "previousDigestS3Bucket": previous.get("bucket"),
            "previousDigestS3Object": previous.get("key"),
            "previousDigestHashValue": previous.get("hash"),
            "previousDigestHashAlgorithm": "SHA-256" if previous else None,
            "previousDigestSignature": previous.get("signature"),
            "logFiles": [self._named(log, **elsewhere) for log in logs],
        }
        content = json.dumps(said).encode()
        signature = signer.sign(signed_text(said, content))
        metadata = {"signature": signature, "signature-algorithm": "SHA256withRSA"}
        if self.late:
            metadata["backfill-generation-timestamp"] = f"{end + HOUR:%Y-%m-%dT%H:%M:%SZ}"
        self.trail.objects[key] = Stored(packed(content), metadata)
        self.keys.append(key)
        self.previous = {
            "bucket": self.trail.bucket, "key": key, "hash": hashlib.sha256(content).hexdigest(), "signature": signature
        }  # fmt: skip
        return key

    def key(self, end: datetime) -> str:
        late = "_backfill" if self.late else ""
        return (
            f"{self.trail.top(self.account)}/CloudTrail-Digest/{self.region}/{end:%Y/%m/%d}/"
            f"{self.account}_CloudTrail-Digest_{self.region}_{TRAIL}_{HOME}_{end.strftime(_STAMP)}{late}.json.gz"
        )

    def _named(self, log: str, bucket: str = "", key: str = "") -> dict[str, Any]:
        content = gzip.decompress(self.trail.objects[log].body)
        return {
            "s3Bucket": bucket or self.trail.bucket,
            "s3Object": key or log,
            "hashValue": hashlib.sha256(content).hexdigest(),
            "hashAlgorithm": "SHA-256",
            "newestEventTime": None,
            "oldestEventTime": None,
        }


@dataclass(slots=True)
class SignedTrail:
    """A bucket that nobody tampered with, or a copy that somebody did."""

    bucket: str = BUCKET
    prefix: str = ""
    organization: str = ""
    objects: dict[str, Stored] = field(default_factory=dict)
    chains: dict[tuple[str, str], Chain] = field(default_factory=dict)
    backfill: list[Chain] = field(default_factory=list)

    def top(self, account: str) -> str:
        return "/".join(one for one in (self.prefix, "AWSLogs", self.organization, account) if one)

    def copy(self) -> SignedTrail:
        return replace(self, objects=dict(self.objects))

    def key_file(self, path: Path, signatures: Iterable[str] = ()) -> Path:
        """Public keys as AWS prints them, and the signatures of these digests beside them."""
        listed = [key.listed() for region in REGIONS for key in region_keys(region)]
        said = {f"s3://{self.bucket}/{key}": self.objects[key].metadata["signature"] for key in signatures}
        path.write_text(json.dumps({"PublicKeyList": listed} | ({"DigestSignatures": said} if said else {})))
        return path

    def newest(self) -> list[str]:
        """The last digest of each chain, and before each gap: nothing in a folder has its signature."""
        ends = (key for chain in [*self.chains.values(), *self.backfill] for key in (chain.keys[-1], *chain.ends))
        return [key for key in ends if key in self.objects]


def signed_text(said: Mapping[str, Any], content: bytes) -> str:
    before = said["previousDigestSignature"]
    name = f"{said['digestS3Bucket']}/{said['digestS3Object']}"
    return f"{said['digestEndTime']}\n{name}\n{hashlib.sha256(content).hexdigest()}\n{'null' if before is None else before}"


def signed_trail(
    *,
    accounts: Iterable[str] = ACCOUNTS,
    regions: Iterable[str] = REGIONS,
    hours: int = HOURS,
    prefix: str = "",
    organization: str = "",
    bucket: str = BUCKET,
    gap: range = range(0),
    logs_an_hour: int = 2,
) -> SignedTrail:
    """Digests of every hour, the third of which names no log file; none in the hours of `gap`, which a StopLogging made.

    The first account has a backfill chain of three digests in its first region.
    """
    trail = SignedTrail(bucket=bucket, prefix=prefix, organization=organization)
    for account in accounts:
        for region in regions:
            chain = trail.chains[account, region] = Chain(trail, account, region)
            for hour in range(hours):
                if hour not in gap:
                    _hour(chain, hour, gap, logs_an_hour)
    account, region = next(iter(trail.chains))
    late = Chain(trail, account, region, late=True)
    for hour in (5, 9, 10):
        end = START + (hour + 1) * HOUR
        log = late.log(end - 20 * timedelta(minutes=1), [event(account, region, end - HOUR, 900)], f"late{hour:012d}")
        late.digest(end - HOUR, end, [log], first=hour == 5)
    trail.backfill = [late]
    return trail


def _hour(chain: Chain, hour: int, gap: range, logs_an_hour: int) -> None:
    start = START + hour * HOUR
    logs = []
    for number in range(0 if hour == 2 else logs_an_hour):
        time = start + timedelta(minutes=5 + 25 * number // max(logs_an_hour - 1, 1))
        records = [event(chain.account, chain.region, time, one) for one in range(3)]
        if gap and hour == gap[0] - 1 and number == logs_an_hour - 1:
            asked = {"name": f"arn:aws:cloudtrail:{HOME}:{chain.account}:trail/{TRAIL}"}
            stop = {"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging", "requestParameters": asked}
            records.append(event(chain.account, chain.region, time, 9, **stop))
        logs.append(chain.log(time, records))
    chain.digest(start, start + HOUR, logs, first=hour in (0, gap[-1] + 1 if gap else 0))


def write_folder(trail: SignedTrail, folder: Path) -> Path:
    """The objects as files, as `aws s3 sync` would bring them."""
    for key, stored in trail.objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored.body)
    return folder


def overlay(base: SignedTrail, folder: Path, tampered: SignedTrail, place: Path) -> Path:
    """A copy of the folder in which what was tampered with differs: the rest are the same files."""
    for key, stored in tampered.objects.items():
        path = place / key
        path.parent.mkdir(parents=True, exist_ok=True)
        if base.objects.get(key) is stored:
            os.link(folder / key, path)
        else:
            path.write_bytes(stored.body)
    return place


Tamper = Callable[[SignedTrail], Mapping[str, str]]
"""Changes the trail; gives object key -> the verdict that it must get. Everything else must be valid, or unproved."""
