"""What a cloud says of its buckets: whose credentials open one, and where the S3 protocol of it is spoken.

Nothing here reads a bucket: that is object_store.py's, the same for every cloud that speaks S3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crosstrail.accounts.credentials import Credentials
from crosstrail.models import Account
from crosstrail.trust import TrustStore


@dataclass(frozen=True, slots=True)
class RequestPrices:
    """Of a thousand requests, in money of `currency`; `source` says whose price it is, where and when."""

    list_per_thousand: float
    get_per_thousand: float
    currency: str
    source: str


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
    prices: RequestPrices | None = None
    """None where nobody knows them, as of an endpoint that is not the cloud's own."""


@dataclass(frozen=True, slots=True)
class ListedPage:
    """One answer to a listing. `objects` are (key, size, ETag, modified). `after`: the key to go on after; empty at the end."""

    objects: tuple[tuple[str, int, str, datetime], ...]
    after: str


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """One message; `receipt` is what it is deleted by."""

    id: str
    receipt: str
    body: str


class MessageQueue(Protocol):
    """A queue of messages about objects. All raise CloudError, CredentialsError."""

    async def receive(self, wait_seconds: int, hidden_seconds: int) -> Sequence[QueueMessage]:
        """A few messages, waited for; nobody else gets them for `hidden_seconds`."""
        ...

    async def delete(self, messages: Sequence[QueueMessage]) -> None: ...

    async def hide(self, messages: Sequence[QueueMessage], seconds: int) -> None:
        """From others, from now on for so long."""
        ...


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

    async def page(self, bucket: str, account: Account | None, region: str, prefix: str, after: str) -> ListedPage:
        """Of keys that begin so, those after a key: with any sign in them, which is slow. Raises CloudError, CredentialsError."""
        ...

    def queue(self, url: str, account: Account | None) -> MessageQueue:
        """Raises UnsupportedByCloud where the cloud has none that is known here."""
        ...

    async def place(self, bucket: str, account: Account | None, region: str) -> BucketPlace:
        """`region` where the caller names it, else the one that the cloud says the bucket is in.

        Raises InvalidRequest where there is no such bucket, CloudUnavailable.
        """
        ...
