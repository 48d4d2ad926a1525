"""Buckets of a cloud whose object storage speaks S3 at endpoints of its own, one a region, with the bucket's name in the host.

Nothing is asked to find a bucket's region: it is the one that is named, or the account's. What only AWS has is refused.
"""

from __future__ import annotations

from typing import Protocol

from crosstrail.accounts.credentials import CredentialProvider, Credentials
from crosstrail.clouds.buckets import BucketPlace, ListedPage, MessageQueue
from crosstrail.errors import UnsupportedByCloud
from crosstrail.models import Account
from crosstrail.trust import trusted


class _Broker(Protocol):
    cloud: str

    @property
    def environment(self) -> CredentialProvider[Credentials]: ...

    async def credentials(self, account: Account) -> Credentials: ...

    async def home_region(self, account: Account) -> str: ...


class S3CompatibleBuckets:
    """A BucketAccess."""

    def __init__(self, broker: _Broker, host: str, region: str) -> None:
        """`host`: of the storage in a region, which stands in it as {region}. `region`: where neither caller nor account names
        one."""
        self._broker = broker
        self._host = host
        self._region = region

    async def credentials(self, account: Account | None) -> Credentials:
        return await (self._broker.credentials(account) if account else self._broker.environment.credentials())

    async def place(self, bucket: str, account: Account | None, region: str) -> BucketPlace:
        region = region or (await self._broker.home_region(account) if account else "") or self._region
        return BucketPlace(f"https://{bucket}.{self._host.format(region=region)}", region, True, trusted())

    async def page(self, bucket: str, account: Account | None, region: str, prefix: str, after: str) -> ListedPage:
        raise UnsupportedByCloud(
            f"bucket {bucket} of {self._broker.cloud} has a key that cannot be asked for",
            hint="Name a narrower prefix.",
        )

    def queue(self, url: str, account: Account | None) -> MessageQueue:
        raise UnsupportedByCloud(f"no queue of {self._broker.cloud} is known here", hint="Leave the queue out.")
