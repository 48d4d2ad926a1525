"""The names that CloudTrail gives its objects: what a key says of account, region, trail and time.

Source: "CloudTrail digest file structure" and "IntegrityFinding your CloudTrail log files" of the CloudTrail User Guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

AWS_LOGS = "AWSLogs/"
DIGESTS = "CloudTrail-Digest"
HOUR = timedelta(hours=1)
_STAMP = "%Y%m%dT%H%M%SZ"
_DIGEST = re.compile(
    r"(?P<top>(?:.*/)?AWSLogs/(?:o-[a-z0-9]{4,32}/)?(?P<account>\d{12})/CloudTrail-Digest/(?P<region>[a-z0-9-]{2,40})/)"
    r"\d{4}/\d\d/\d\d/"
    r"(?P<head>(?P=account)_CloudTrail-Digest_(?P=region)_(?P<trail>[^/]{1,200})_(?P<home>[a-z0-9-]{2,40})_)"
    r"(?P<stamp>\d{8}T\d{6}Z)(?P<late>_backfill)?\.json\.gz",
    re.ASCII,
)
_LOG_TIME = re.compile(r"_(\d{8}T\d{4})(?:\d\d)?Z_[^/]*$", re.ASCII)


@dataclass(frozen=True, slots=True)
class TrailName:
    """The digests of one trail in one account and region; those made later are a chain of their own."""

    name: str
    home: str
    late: bool

    @property
    def text(self) -> str:
        return f"{self.name}_{self.home}"


@dataclass(frozen=True, slots=True)
class DigestName:
    """One digest, by its key. `end` is digestEndTime."""

    key: str
    top: str
    """Up to the year: AWSLogs/ACCOUNT/CloudTrail-Digest/REGION/."""
    head: str
    account: str
    region: str
    trail: TrailName
    end: datetime

    def at(self, end: datetime) -> DigestName:
        """The digest of the same trail that ends then, by the name it would have."""
        late = "_backfill" if self.trail.late else ""
        key = f"{self.top}{end:%Y/%m/%d}/{self.head}{end:{_STAMP}}{late}.json.gz"
        return replace(self, key=key, end=end)


def digest_name(key: str) -> DigestName | None:
    """What the key of a digest says; None for any other key."""
    found = _DIGEST.fullmatch(key) if len(key) <= 1024 else None
    if not found:
        return None
    try:
        end = datetime.strptime(found["stamp"], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    trail = TrailName(found["trail"], found["home"], bool(found["late"]))
    return DigestName(key, found["top"], found["head"], found["account"], found["region"], trail, end)


def log_time(key: str) -> datetime | None:
    """When the object was delivered, to the minute, by its name."""
    found = _LOG_TIME.search(key)
    if not found:
        return None
    try:
        return datetime.strptime(found[1], "%Y%m%dT%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def base_of(key: str) -> str:
    """What stands before AWSLogs/."""
    return key[: max(key.rfind(AWS_LOGS), 0)]
