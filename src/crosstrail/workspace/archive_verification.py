"""An archive opened for its verification: what signs it, where its objects are, by whose credentials keys are asked for.

It decides none of the verdicts, and prints nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from crosstrail.clouds.base import Cloud, clouds
from crosstrail.clouds.integrity import (
    ArchiveObjects,
    ArchiveProofs,
    AskedSpan,
    FindingFormat,
    Integrity,
    IntegrityFinding,
    KeyFile,
    OnlineKeys,
    Selection,
)
from crosstrail.errors import AccountError, InvalidRequest
from crosstrail.lake.archive_bucket import BucketObjects
from crosstrail.lake.archive_folder import FolderObjects
from crosstrail.object_store import Bucket, parsed_uri
from crosstrail.settings.config import Settings
from crosstrail.timerange import TimeRange
from crosstrail.workspace.buckets import cloud_of_scheme, opened_buckets
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_JOBS = 8


@dataclass(slots=True)
class ArchiveVerification:
    """One archive, ready to be verified."""

    objects: ArchiveObjects
    asked: AskedSpan
    integrity: Integrity
    keys: KeyFile
    online: OnlineKeys | None
    cloud: str
    """Whose archive it is."""
    stop: threading.Event = field(default_factory=threading.Event)

    def findings(self, *, one_by_one: bool = False) -> Iterator[IntegrityFinding]:
        """Blocking, for a thread. `one_by_one`: accounts and regions in order, not several at once."""
        jobs = 1 if one_by_one else _JOBS
        return self.integrity.verify(self.objects, self.asked, self.keys, self.online, jobs=jobs, stop=self.stop)

    def proofs(self) -> ArchiveProofs:
        """Blocking: reads all digests."""
        return self.integrity.proofs(self.objects, self.asked, self.keys, self.online, self.stop)

    def keys_text(self) -> bytes:
        return self.integrity.keys_text(self.keys)

    def format(self, *, verbose: bool) -> FindingFormat:
        return self.integrity.format(self.asked, verbose=verbose)


def signing_clouds() -> dict[str, Cloud]:
    """Those whose archives can be proved, by the name of their own format."""
    return {cloud.integrity().format_name: cloud for cloud in clouds() if cloud.integrity}


@contextmanager
def opened_verification(
    settings: Settings,
    place: str,
    *,
    account: str = "",
    region: str = "",
    span: TimeRange,
    now: datetime,
    keys: Path | None = None,
    bucket_account: str = "",
    bucket_region: str = "",
    requester_pays: bool | None = None,
) -> Iterator[ArchiveVerification]:
    """`place` is a folder, or the address of a bucket or of a prefix in it. Findings are taken inside, in any thread.

    Raises InvalidRequest, AccountError, ConfigError, and what opening a bucket raises.
    """
    with opened_buckets(settings) as buckets:
        uri = parsed_uri(place)
        cloud = cloud_of_scheme(uri.scheme) if uri else next(iter(signing_clouds().values()))
        if cloud.integrity is None:
            raise InvalidRequest(f"{cloud.name} signs nothing of what it delivers, so there is nothing to verify")
        integrity = cloud.integrity()
        known = integrity.read_keys(keys) if keys else KeyFile()
        accounts = buckets.portal.call(_accounts, buckets.workspace, account)
        asked = AskedSpan(
            since=span.start,
            until=min(span.end or now, now),
            now=now,
            to_now=span.end is None,
            accounts=accounts,
            regions=_patterns(region),
        )
        objects, asked = (
            _in_bucket(
                buckets.open(uri, bucket_account, region=bucket_region, requester_pays=requester_pays), integrity, asked
            )
            if uri
            else _in_folder(place, integrity, asked)
        )
        online = None if keys else buckets.portal.call(_online, buckets.workspace, cloud, integrity, accounts)
        found = ArchiveVerification(objects, asked, integrity, known, online, cloud.name)
        try:
            yield found
        finally:
            found.stop.set()


def _in_folder(place: str, integrity: Integrity, asked: AskedSpan) -> tuple[ArchiveObjects, AskedSpan]:
    path = Path(place)
    if not path.is_dir():
        raise InvalidRequest(
            "there is no such folder", hint="Name a folder of delivered log files, or s3://bucket/prefix."
        ).about(place)
    narrowed = integrity.narrowed(str(path.resolve()))
    return FolderObjects(Path(narrowed.prefix)), _narrow(asked, narrowed.account, narrowed.region)


def _in_bucket(bucket: Bucket, integrity: Integrity, asked: AskedSpan) -> tuple[ArchiveObjects, AskedSpan]:
    prefix = bucket.uri.prefix
    narrowed = integrity.narrowed(f"{prefix}/" if prefix else "")
    return BucketObjects(bucket, narrowed.prefix), _narrow(asked, narrowed.account, narrowed.region)


def _narrow(asked: AskedSpan, account: str, region: str) -> AskedSpan:
    """What the place itself selects must be selected by the options, too."""
    for inner, options, what in ((account, asked.accounts, "account"), (region, asked.regions, "region")):
        if inner and not options.has(inner):
            raise InvalidRequest(
                f"the place is of {what} {inner}, which the option for it leaves out", hint="Drop one."
            )
    accounts = Selection((account,)) if account else asked.accounts
    regions = Selection((region,)) if region else asked.regions
    return replace(asked, accounts=accounts, regions=regions)


async def _accounts(workspace: Workspace, selector: str) -> Selection:
    """Ids and globs as they are, names by the accounts that are configured; * is everything there is."""
    parts = _patterns(selector).patterns
    if not parts or "*" in parts:
        return Selection()
    if all(part.strip("0123456789*?[]!-") == "" for part in parts):
        return Selection(parts)
    found = await ScopedWorkspace(workspace).targets(selector, "")
    return Selection(tuple(one.account.id for one in found.targets))


def _patterns(selector: str) -> Selection:
    parts = tuple(dict.fromkeys(part.strip() for part in selector.split(",") if part.strip()))
    return Selection(() if {"*", "all"} & set(parts) else parts)


async def _online(workspace: Workspace, cloud: Cloud, integrity: Integrity, accounts: Selection) -> OnlineKeys:
    """By the first account that has credentials: the public keys of a region are the same for everybody."""
    listed = (await workspace.listed()).registry.accounts
    able = [one for one in listed if one.cloud == cloud.name and one.auth is not None]
    chosen = next((one for one in able if accounts.has(one.id)), able[0] if able else None)
    if chosen is None:
        raise AccountError(
            "no account is configured by whose credentials the public keys could be asked for",
            hint="Configure one, or give --keys FILE.",
        )
    return integrity.online_keys(workspace.broker(cloud.name), chosen)


__all__ = ["ArchiveVerification", "opened_verification", "signing_clouds"]
