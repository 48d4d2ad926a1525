"""The organisation's trail as its owner would collect it: from its bucket into the lake, each file verified by its digests.

Decides what of the made-up organisation comes from the bucket (AWS, by the real S3 source) and what from files (the other clouds).
Nobody's credentials and no setting of the user's environment are used: the bucket is on this machine. Without the library that
reads buckets everything is read from the files that the bucket serves, and nothing is verified.
"""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from crosstrail.accounts.credentials import Credentials
from crosstrail.clouds.base import Cloud, cloud_of
from crosstrail.clouds.buckets import BucketPlace
from crosstrail.clouds.integrity import ArchiveProofs, AskedSpan, FindingKind
from crosstrail.demo.actors import LAST_DAY, at
from crosstrail.demo.bucket import served
from crosstrail.demo.digests import BUCKET, KEYS
from crosstrail.lake.archive_bucket import BucketObjects
from crosstrail.lake.collector import CollectionReport, collect
from crosstrail.lake.proved_spans import record_proofs
from crosstrail.lake.sources.bucket_search import BucketChoice
from crosstrail.lake.sources.buckets import BucketSource
from crosstrail.lake.sources.digest_check import DigestCheckedSource
from crosstrail.lake.table import LakeTable
from crosstrail.object_store import Bucket, BucketUri
from crosstrail.trust import trusted

_CLOUD, _REGION = "aws", "us-east-1"
_OTHERS = ("volcengine", "alibaba")


@dataclass(frozen=True, slots=True)
class Proved:
    """What the verification found. All are 0 where there was none."""

    digests: int = 0
    logs: int = 0
    gaps: int = 0
    failed: int = 0
    """Objects that are not what was signed, or that nothing proves."""
    gap: str = ""
    """What it says of the first gap."""


def collect_organization(logs: Path, lake: Path) -> tuple[CollectionReport, Proved]:
    """Everything in `logs` into the lake. Raises LakeError, OSError."""
    if find_spec("obstore") is None:
        return collect([logs], lake), Proved()
    cloud = cloud_of(_CLOUD)
    with served(logs) as address:
        bucket = Bucket(
            BucketUri("s3", BUCKET, ""),
            BucketPlace(address, _REGION, virtual_hosted=False, trust=trusted()),
            lambda: Credentials("demo", SecretStr("demo")),
        )
        layouts = [(cloud.name, cloud.log_layout)] if cloud.log_layout else []
        proofs = _proofs(cloud, bucket, logs / KEYS)
        source = DigestCheckedSource(BucketSource(bucket, layouts, BucketChoice()), proofs)
        report = collect(source, lake)
        report.objects_verified = source.counts[True]
    proved = _proved(cloud, proofs, source, lake)
    report.add(collect([logs / name for name in _OTHERS], lake))
    return report, proved


def _proofs(cloud: Cloud, bucket: Bucket, keys: Path) -> ArchiveProofs:
    assert cloud.integrity  # noqa: S101 - of CloudTrail there is
    integrity = cloud.integrity()
    known = integrity.read_keys(keys)
    end = at(LAST_DAY, 0) + timedelta(days=1)  # of the last digest: the made-up organisation has nothing after it
    asked = AskedSpan(until=end, now=datetime.now(UTC))
    return integrity.proofs(BucketObjects(bucket, ""), asked, known, None, threading.Event())


def _proved(cloud: Cloud, proofs: ArchiveProofs, source: DigestCheckedSource, lake: Path) -> Proved:
    with closing(LakeTable.open(lake)) as table:
        digests = record_proofs(table.folder, table.uuid, cloud.name, proofs, {})
    gaps = [one for one in proofs.findings if one.kind is FindingKind.GAP]
    return Proved(
        digests=digests,
        logs=source.counts[True],
        gaps=len(gaps),
        failed=source.counts[False] + source.counts[None] + len(proofs.findings) - len(gaps),
        gap=gaps[0].reason if gaps else "",
    )
