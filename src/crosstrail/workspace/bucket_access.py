"""Buckets of the workspace's accounts, for code that runs in threads: the credentials behind them are renewed meanwhile.

Decides whose credentials open a bucket: those of the account that is named, else the machine's own identity. An event loop in a
thread of its own asks for them, as every other call does, through the broker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from crosstrail.accounts.broker import AnyBroker
from crosstrail.accounts.directory import AccountList
from crosstrail.clouds.base import Cloud, clouds
from crosstrail.clouds.buckets import MessageQueue, QueueMessage
from crosstrail.errors import CrosstrailError, InvalidRequest
from crosstrail.models import Account
from crosstrail.object_store import Bucket, BucketUri, parsed_uri, require_library
from crosstrail.settings.config import Settings


class WorkspaceAccounts(Protocol):
    """What is asked of a workspace: its accounts, and their credentials."""

    settings: Settings

    def broker(self, cloud: str) -> AnyBroker: ...

    async def listed(self) -> AccountList: ...

    async def aclose(self) -> None: ...


WorkspaceT = TypeVar("WorkspaceT", bound=WorkspaceAccounts)


_MAX_MESSAGES = 1_000
"""Taken together."""


@dataclass(frozen=True, slots=True)
class BucketQueue:
    """A queue as a thread uses it. Messages that were received are hidden from others for `hidden_seconds`, which
    begin anew every `again_seconds` as long as they are worked on."""

    portal: BlockingPortal
    queue: MessageQueue
    hidden_seconds: int = 120
    again_seconds: float = 40.0

    def receive(self, wait_seconds: int) -> list[QueueMessage]:
        """What there is, up to a thousand; waits for the first ones alone."""
        found: list[QueueMessage] = []
        while len(found) < _MAX_MESSAGES:
            some = self.portal.call(self.queue.receive, 0 if found else wait_seconds, self.hidden_seconds)
            if not some:
                break
            found += some
        return found

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        if messages:
            self.portal.call(self.queue.delete, messages)

    @contextmanager
    def hidden(self, messages: Sequence[QueueMessage]) -> Iterator[None]:
        """Inside, nobody else gets these messages, however long it takes. After an end of this process they do."""
        ended = threading.Event()

        def hide() -> None:
            while not ended.wait(self.again_seconds):
                with suppress(CrosstrailError):  # then they come again, and prove to be known
                    self.portal.call(self.queue.hide, messages, self.hidden_seconds)

        thread = threading.Thread(target=hide, name="hide messages", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@dataclass(frozen=True, slots=True)
class BucketsOf(Generic[WorkspaceT]):
    """Opens buckets as long as its context lasts; see buckets.py. Called from any thread but the event loop's."""

    portal: BlockingPortal
    workspace: WorkspaceT

    def open(
        self, uri: BucketUri | str, account: str = "", *, region: str = "", requester_pays: bool | None = None
    ) -> Bucket:
        """`account` selects the one whose credentials are used (else lake.bucket_account, else the machine's own identity).

        Raises InvalidRequest for what is no address of an installed cloud's bucket, AccountNotFound, ConfigError where obstore
        is not installed, and what asking for the bucket's region raises.
        """
        require_library()
        lake = self.workspace.settings.lake
        uri = _parsed(uri)
        cloud = cloud_of_scheme(uri.scheme)
        assert cloud.buckets is not None  # noqa: S101 - it has a scheme
        access = cloud.buckets(self.workspace.settings.of_cloud(cloud.name), self.workspace.broker(cloud.name))
        whose = self.account(account or lake.bucket_account, cloud)
        place = self.portal.call(partial(access.place, uri.bucket, whose, region or lake.bucket_region))
        keys = partial(self.portal.call, access.credentials, whose)
        page = partial(self.portal.call, access.page, uri.bucket, whose, place.region)
        return Bucket(uri, place, keys, lake.requester_pays if requester_pays is None else requester_pays, page)

    def catalog_session(self, account: str, *, region: str = "") -> Mapping[str, object]:
        """How PyIceberg's catalogs of the cloud with such buckets sign: see clouds/buckets.py. Raises as `open` does."""
        cloud = cloud_of_scheme("s3")
        assert cloud.buckets is not None and cloud.catalogs is not None  # noqa: S101, PT018 - AWS's own scheme
        of_cloud, broker = self.workspace.settings.of_cloud(cloud.name), self.workspace.broker(cloud.name)
        whose = self.account(account, cloud)
        keys = partial(self.portal.call, cloud.buckets(of_cloud, broker).credentials, whose)
        return self.portal.call(cloud.catalogs(of_cloud, broker).properties, whose, region, keys)

    def queue(self, url: str, uri: BucketUri, account: str = "") -> BucketQueue:
        """The queue that tells of objects of that bucket; `account` as of `open`. Raises like `open`."""
        cloud = cloud_of_scheme(uri.scheme)
        assert cloud.buckets is not None  # noqa: S101 - it has a scheme
        access = cloud.buckets(self.workspace.settings.of_cloud(cloud.name), self.workspace.broker(cloud.name))
        whose = self.account(account or self.workspace.settings.lake.bucket_account, cloud)
        return BucketQueue(self.portal, access.queue(url, whose))

    def account(self, selector: str, cloud: Cloud) -> Account | None:
        """The one live account that it selects; None for the machine's own identity. Raises InvalidRequest, AccountNotFound."""
        if not selector:
            return None
        chosen = self.portal.call(self.workspace.listed).registry.select(selector)
        if len(chosen) != 1 or chosen[0].cloud != cloud.name or chosen[0].auth is None:
            raise InvalidRequest(
                f"{selector[:64]!r} is not one live account of {cloud.name}",
                hint="Name one account that has an `auth`: its credentials open the bucket.",
            )
        return chosen[0]


def cloud_of_scheme(scheme: str) -> Cloud:
    """The installed cloud whose buckets are named so. Raises InvalidRequest."""
    known = {cloud.bucket_scheme: cloud for cloud in clouds() if cloud.bucket_scheme}
    if scheme not in known:
        raise InvalidRequest(
            f"no installed cloud has buckets named {scheme}://",
            hint=f"Known: {', '.join(f'{one}://' for one in known)}.",
        )
    return known[scheme]


def _parsed(uri: BucketUri | str) -> BucketUri:
    found = parsed_uri(uri) if isinstance(uri, str) else uri
    if found is None:
        raise InvalidRequest("this is no address of a bucket", hint="Write it as s3://bucket/prefix.")
    return found


@contextmanager
def buckets_of(settings: Settings, opened: Callable[[Settings], WorkspaceT]) -> Iterator[BucketsOf[WorkspaceT]]:
    """Inside, buckets can be opened and used; `opened` makes a workspace of the settings, which ends with it."""
    with start_blocking_portal() as portal:
        workspace = opened(settings)
        try:
            yield BucketsOf(portal, workspace)
        finally:
            portal.call(workspace.aclose)
