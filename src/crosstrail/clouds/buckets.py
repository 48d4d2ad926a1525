"""What a cloud says of its buckets: whose credentials open one, and where the S3 protocol of it is spoken.

Nothing here reads a bucket: that is object_store.py's, the same for every cloud that speaks S3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from crosstrail.accounts.credentials import Credentials
from crosstrail.models import Account
from crosstrail.trust import TrustStore


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """Where one bucket is asked."""

    endpoint: str
    """The address that requests go to, with the bucket's name in its host where it is `virtual_hosted`."""
    region: str
    """That requests are signed for."""
    virtual_hosted: bool
    """Whether the bucket is named by the host, else by the path."""
    trust: TrustStore


class CatalogAccess(Protocol):
    """A cloud's own word on its Iceberg catalogs. An account of None stands for the machine's own identity."""

    async def properties(
        self, account: Account | None, region: str, keys: Callable[[], Credentials]
    ) -> Mapping[str, object]:
        """What PyIceberg's catalog takes to sign its requests with `keys`, which it calls in threads, again and again.

        An empty `region` is the account's own. Raises ConfigError, InvalidRequest.
        """
        ...


class BucketAccess(Protocol):
    """A cloud's own word on its buckets. An account of None stands for the machine's own identity, whoever that is."""

    async def credentials(self, account: Account | None) -> Credentials:
        """Fresh for minutes at least. Raises CredentialsError, ConfigError, CloudError."""
        ...

    async def place(self, bucket: str, account: Account | None, region: str) -> BucketPlace:
        """`region` where the caller names it, else the one that the cloud says the bucket is in.

        Raises InvalidRequest where there is no such bucket, CloudUnavailable.
        """
        ...
