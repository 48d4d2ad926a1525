"""Digest files beside the made-up log files, signed as CloudTrail signs them, and the public key that proves them.

Decides which hour's digest names which log file, and where a chain ends because somebody stopped the trail. The key is made
from a seed, so the same logs give the same bytes; it signs nothing else and proves nothing about anybody's real account.
Source: "CloudTrail digest file structure" of the CloudTrail User Guide.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import orjson

from crosstrail.demo.apis import Json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BUCKET = "exampleorg-trail"
SIGNATURES, KEYS = "signatures.json", "keys.json"
"""Beside the logs: what stands in the metadata of the objects, which files have none of; and the public keys, as
`aws cloudtrail list-public-keys` prints them, with the signatures that no later digest holds."""
_HOUR = timedelta(hours=1)
_LATE = timedelta(hours=2)
"""How long after a trail was stopped its last log files come."""
_TRAIL, _HOME = "account-trail", "us-east-1"
_EXPONENT, _PRIME_BITS = 65_537, 1_024


@dataclass(frozen=True, slots=True)
class Silence:
    """One account's trails log nothing from `start` to `end`."""

    account: str
    start: datetime
    end: datetime

    def has(self, event: Json) -> bool:
        """Whether the event is one that nobody logged: that which stopped logging, and that which started it, are logged."""
        happened = datetime.fromisoformat(event["eventTime"])
        return event["recipientAccountId"] == self.account and self.start < happened < self.end


def write_digests(folder: Path, first: datetime, last: datetime, silence: Silence) -> int:
    """Writes a digest an hour, from `first` to `last`, for each account and region below `folder`/AWSLogs; how many."""
    signatures: dict[str, str] = {}
    newest: dict[str, str] = {}
    logs: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for path in sorted(folder.glob("AWSLogs/*/*/CloudTrail/*/*/*/*/*.json.gz")):
        key = path.relative_to(folder).as_posix()
        _, organization, account, _, region, *_ = key.split("/")
        logs[organization, account, region].append(key)
    for (organization, account, region), keys in logs.items():
        gap = silence if silence.account == account else None
        signed, ends = _chain(folder, (organization, account, region), keys, list(_periods(first, last, gap)))
        signatures |= signed
        newest |= {f"s3://{BUCKET}/{key}": signed[key] for key in ends}
    (folder / SIGNATURES).write_bytes(orjson.dumps(signatures))
    (folder / KEYS).write_bytes(orjson.dumps({"PublicKeyList": [_listed_key(first, last)], "DigestSignatures": newest}))
    return len(signatures)


def _periods(first: datetime, last: datetime, gap: Silence | None) -> Iterator[tuple[datetime, datetime, bool]]:
    """(start, end, whether a chain begins there) of each digest."""
    start, begins = first, True
    while start < last:
        end = min(start.replace(minute=0, second=0) + _HOUR, last)
        if gap and start < gap.start < end:
            yield start, gap.start, begins
            start, begins = gap.end, True
            continue
        yield start, end, begins
        start, begins = end, False


def _chain(
    folder: Path, place: tuple[str, str, str], keys: list[str], periods: list[tuple[datetime, datetime, bool]]
) -> tuple[dict[str, str], list[str]]:
    """Object key -> signature, of the digests of one account and region; and the keys of those that no later one names."""
    organization, account, region = place
    waiting = sorted((_delivered(key), key) for key in keys)
    signatures: dict[str, str] = {}
    ends: list[str] = []
    previous: Mapping[str, str] = {}
    for number, (start, end, begins) in enumerate(periods):
        stops = number + 1 < len(periods) and periods[number + 1][2]
        is_last = stops or number + 1 == len(periods)
        until = end + _LATE if is_last else end
        named = []
        while waiting and waiting[0][0] <= until:
            named.append(waiting.pop(0)[1])
        key = (
            f"AWSLogs/{organization}/{account}/CloudTrail-Digest/{region}/{end:%Y/%m/%d}/"
            f"{account}_CloudTrail-Digest_{region}_{_TRAIL}_{_HOME}_{end:%Y%m%dT%H%M%SZ}.json.gz"
        )
        digest = _digest(folder, account, key, (start, end), named, {} if begins else previous)
        content = orjson.dumps(digest)
        signature = _signature(digest, content)
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))
        signatures[key] = signature
        ends += [key] if is_last else []
        previous = {"key": key, "hash": hashlib.sha256(content).hexdigest(), "signature": signature}
    return signatures, ends


def _digest(
    folder: Path,
    account: str,
    key: str,
    period: tuple[datetime, datetime],
    named: list[str],
    previous: Mapping[str, str],
) -> Json:
    start, end = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in period)
    return {
        "awsAccountId": account,
        "digestStartTime": start,
        "digestEndTime": end,
        "digestS3Bucket": BUCKET,
        "digestS3Object": key,
        "digestPublicKeyFingerprint": _fingerprint(),
        "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": None,
        "oldestEventTime": None,
        "previousDigestS3Bucket": BUCKET if previous else None,
        "previousDigestS3Object": previous.get("key"),
        "previousDigestHashValue": previous.get("hash"),
        "previousDigestHashAlgorithm": "SHA-256" if previous else None,
        "previousDigestSignature": previous.get("signature"),
        "logFiles": [
            {
                "s3Bucket": BUCKET,
                "s3Object": log,
                "hashValue": hashlib.sha256(gzip.decompress((folder / log).read_bytes())).hexdigest(),
                "hashAlgorithm": "SHA-256",
                "newestEventTime": None,
                "oldestEventTime": None,
            }
            for log in named
        ],
    }


def _delivered(key: str) -> datetime:
    return datetime.strptime(key.split("_")[3], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)


def _signature(digest: Json, content: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    name = f"{digest['digestS3Bucket']}/{digest['digestS3Object']}"
    before = digest["previousDigestSignature"] or "null"
    text = f"{digest['digestEndTime']}\n{name}\n{hashlib.sha256(content).hexdigest()}\n{before}"
    return _key().sign(text.encode(), PKCS1v15(), SHA256()).hex()


def _listed_key(first: datetime, last: datetime) -> Json:
    return {
        "Value": base64.b64encode(_public_key()).decode(),
        "ValidityStartTime": (first - timedelta(days=1)).timestamp(),
        "ValidityEndTime": (last + timedelta(days=1)).timestamp(),
        "Fingerprint": _fingerprint(),
    }


def _fingerprint() -> str:
    return hashlib.md5(_public_key(), usedforsecurity=False).hexdigest()


@cache
def _public_key() -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return _key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


@cache
def _key() -> RSAPrivateKey:
    """From a seed: whoever has this file has the key. Nobody else's account is proved by it."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    p, q = _prime("digests/p", 188), _prime("digests/q", 325)
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        rsa.rsa_crt_dmp1(d, p),
        rsa.rsa_crt_dmq1(d, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(_EXPONENT, p * q),
    )
    return numbers.private_key()


def _prime(seed: str, before: int) -> int:
    """The first one among the odd numbers of a seed, of which so many come before it: to look for it takes seconds."""
    rng = Random(seed)
    for _ in range(before):
        rng.getrandbits(_PRIME_BITS)
    return rng.getrandbits(_PRIME_BITS) | 3 << _PRIME_BITS - 2 | 1
