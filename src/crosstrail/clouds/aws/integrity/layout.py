"""Which accounts and regions an archive holds, by its folders: [prefix/]AWSLogs/[o-org/]ACCOUNT/CloudTrail*/REGION/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from crosstrail.clouds.aws.integrity.names import AWS_LOGS, DIGESTS, base_of
from crosstrail.clouds.integrity import ArchiveObjects, Narrowed

_ORGANIZATION = re.compile(r"o-[a-z0-9]{4,32}", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(-[a-z0-9]+)+", re.ASCII)
_MAX_DEPTH = 4
_MAX_FOLDERS = 2_000
"""Where AWSLogs is looked for: not in a bucket of something else's ten thousand prefixes."""


@dataclass(slots=True)
class AccountRegion:
    """One account and region of one archive."""

    account: str
    region: str
    digests: str = ""
    """The folder of its digests; empty where it has none."""
    logs: list[str] = field(default_factory=list)
    """Its folders of log files: CloudTrail, CloudTrail-Insight and the like."""


def accounts_of(objects: ArchiveObjects) -> Iterator[tuple[str, str]]:
    """(account, its folder) in order."""
    for top in _tops(objects):
        for folder in objects.folders(top):
            name = _last(folder)
            if _ACCOUNT.fullmatch(name):
                yield name, folder
            elif _ORGANIZATION.fullmatch(name):
                for below in objects.folders(folder):
                    if _ACCOUNT.fullmatch(_last(below)):
                        yield _last(below), below


def places_of(objects: ArchiveObjects, account: str, folder: str) -> list[AccountRegion]:
    found: dict[str, AccountRegion] = {}
    for kind in objects.folders(folder):
        name = _last(kind)
        if name != "CloudTrail" and not name.startswith("CloudTrail-"):
            continue
        for below in objects.folders(kind):
            region = _last(below)
            if not _REGION.fullmatch(region):
                continue
            place = found.setdefault(region, AccountRegion(account, region))
            if name == DIGESTS:
                place.digests = below
            else:
                place.logs.append(below)
    return [found[region] for region in sorted(found)]


def narrowed(prefix: str) -> Narrowed:
    """What a prefix selects that may lie within AWSLogs/: log files lie beside the digests that name them, not below."""
    base = base_of(f"{prefix.rstrip('/')}/")
    if not base and not prefix.startswith(AWS_LOGS.rstrip("/")):
        return Narrowed(prefix)
    parts = [part for part in prefix[len(base) + len(AWS_LOGS) :].split("/") if part]
    account = next((part for part in parts if _ACCOUNT.fullmatch(part)), "")
    region = parts[parts.index(account) + 2] if account and len(parts) > parts.index(account) + 2 else ""
    return Narrowed(base, account, region)


def _tops(objects: ArchiveObjects) -> Iterator[str]:
    """Every AWSLogs/ of the archive, nearest first."""
    level, seen = [objects.prefix], 0
    for _ in range(_MAX_DEPTH):
        below: list[str] = []
        for prefix in level:
            children = objects.folders(prefix)
            yield from (one for one in children if _last(one) == "AWSLogs")
            below += [one for one in children if _last(one) != "AWSLogs"]
            seen += 1
            if seen >= _MAX_FOLDERS:
                return
        level = below


def _last(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]
