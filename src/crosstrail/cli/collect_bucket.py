"""`crosstrail collect s3://...`: what of a bucket is chosen, what it costs, the plan, and following it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from time import monotonic
from types import FrameType

from crosstrail.accounts.registry import Registry
from crosstrail.cli.collection_report import FOLDERS
from crosstrail.cli.output import CommandOutput
from crosstrail.cli.words import say
from crosstrail.clouds.base import clouds
from crosstrail.clouds.buckets import QueueMessage
from crosstrail.clouds.log_layout import LogLayout
from crosstrail.errors import AccountNotFound
from crosstrail.lake.bucket_cost import BucketCost, readable
from crosstrail.lake.collector import MAX_BYTES, CollectionReport, Progress, collect
from crosstrail.lake.plan import CollectionPlan, plan
from crosstrail.lake.sharding import Shard
from crosstrail.lake.sources.base import LogSource, as_it_is
from crosstrail.lake.sources.bucket_search import BucketChoice
from crosstrail.lake.sources.buckets import BucketSource, NoticedSource
from crosstrail.lake.sources.notifications import NoticedObject, NoticeKind, notice_of
from crosstrail.lake.warehouse import LakeCatalog
from crosstrail.models import AccountKey
from crosstrail.object_store import Bucket, BucketUri, Requests
from crosstrail.settings.config import Settings
from crosstrail.timerange import parse_range
from crosstrail.workspace.bucket_access import BucketQueue
from crosstrail.workspace.buckets import Buckets

_PLANNED = 50
"""Lines of a plan."""


@dataclass(frozen=True, slots=True)
class BucketOptions:
    """What the command line says of buckets."""

    account: str = ""
    region: str = ""
    since: str = ""
    bucket_account: str = ""
    bucket_region: str = ""
    requester_pays: bool = False


class BucketCollection:
    """Collections from the buckets of one command, as often as they are asked for."""

    def __init__(self, settings: Settings, buckets: Buckets, options: BucketOptions) -> None:
        self._settings = settings
        self._keeping = settings.lake.keeping(settings.accounts)
        self._buckets = buckets
        self._options = options
        self._opened: dict[BucketUri, Bucket] = {}
        self._choice: BucketChoice | None = None

    def collect(
        self,
        uri: BucketUri,
        *,
        account: str,
        accounts: frozenset[AccountKey] | None,
        bucket_account: str,
        catalog: str | LakeCatalog,
        shard: Shard | None,
        workers: int,
        max_bytes: int,
        progress: Progress | None,
        checked: Callable[[LogSource], LogSource] = as_it_is,
    ) -> CollectionReport:
        """One run over one bucket; `checked` puts a check before its objects. Raises like collect, and what opening a bucket raises."""
        return collect(
            checked(self._source(uri, bucket_account)),
            self._settings.lake.folder,
            catalog=catalog,
            shard=shard,
            account=account,
            accounts=accounts,
            workers=workers,
            max_bytes=max_bytes,
            keeping=self._keeping,
            progress=progress,
        )

    def collect_noticed(
        self,
        uri: BucketUri,
        noticed: Sequence[NoticedObject],
        *,
        account: str = "",
        workers: int = 0,
        catalog: str | LakeCatalog = "",
        shard: Shard | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> CollectionReport:
        """One run over the objects that messages told of. Raises like `collect`."""
        return collect(
            NoticedSource(self._bucket(uri, ""), _layouts(), noticed),
            self._settings.lake.folder,
            catalog=catalog,
            shard=shard,
            account=account,
            workers=workers,
            max_bytes=max_bytes,
            keeping=self._keeping,
        )

    def is_chosen(self, key: str) -> bool:
        """Whether the options choose an object of that key."""
        return self._chosen().takes(key, _layouts())

    def queue(self, url: str, uri: BucketUri) -> BucketQueue:
        return self._buckets.queue(url, uri, self._options.bucket_account)

    def noticed(
        self,
        url: str,
        uri: BucketUri,
        told: Callable[[CollectionReport], None],
        *,
        account: str,
        workers: int,
        catalog: str | LakeCatalog,
        shard: Shard | None,
        max_bytes: int,
    ) -> Noticed:
        """The queue of that URL; `told` is given the report of each collection from it, the rest is as of `collect`."""

        def take(noticed: Sequence[NoticedObject]) -> None:
            told(
                self.collect_noticed(
                    uri, noticed, account=account, workers=workers, catalog=catalog, shard=shard, max_bytes=max_bytes
                )
            )

        return Noticed(self.queue(url, uri), uri, take, self.is_chosen)

    def plan(self, uri: BucketUri, bucket_account: str) -> CollectionPlan:
        return plan(self._source(uri, bucket_account), self._settings.lake.folder)

    def cost(self, planned: int = 0, size: int = 0) -> BucketCost:
        """Of everything so far; and of so many more objects and bytes."""
        total = Requests(gets=planned, bytes=size)
        for bucket in self._opened.values():
            total.add(bucket.requests)
        prices = next((one.place.prices for one in self._opened.values() if one.place.prices), None)
        return BucketCost.of(total, prices)

    def _source(self, uri: BucketUri, bucket_account: str) -> BucketSource:
        return BucketSource(self._bucket(uri, bucket_account), _layouts(), self._chosen())

    def _bucket(self, uri: BucketUri, bucket_account: str) -> Bucket:
        bucket = self._opened.get(uri)
        if bucket is None:
            bucket = self._opened[uri] = self._buckets.open(
                uri,
                self._options.bucket_account or bucket_account,
                region=self._options.bucket_region,
                requester_pays=self._options.requester_pays or None,
            )
        return bucket

    def _chosen(self) -> BucketChoice:
        """Made once, so that a `since` of days ago is of the day on which the command began."""
        if self._choice is not None:
            return self._choice
        options = self._options
        registry = Registry(self._settings.accounts)
        span = parse_range(options.since, "", now=datetime.now(UTC), default_age=None)
        self._choice = BucketChoice(
            _accounts(options.account, registry) if options.account else _any,
            _named(options.region.lower()) if options.region else _any,
            span.start.date() if options.since and span.start else None,
            everything=not (options.account or options.region),
        )
        return self._choice


def _layouts() -> list[tuple[str, LogLayout]]:
    return [(cloud.name, cloud.log_layout) for cloud in clouds() if cloud.log_layout]


def _any(_: str) -> bool:
    return True


def _named(selector: str) -> Callable[[str], bool]:
    parts = [part.strip() for part in selector.split(",") if part.strip()]
    if "all" in parts:
        return _any
    return lambda name: any(fnmatchcase(name, part) for part in parts)


def _accounts(selector: str, registry: Registry) -> Callable[[str], bool]:
    """Ids of a bucket's folders that a selector names: by id, by a glob over ids, or by an alias of a listed account.

    Raises AccountNotFound for a name that is neither an id nor listed.
    """
    ids: set[str] = set()
    globs: list[str] = []
    for part in (one.strip() for one in selector.split(",") if one.strip()):
        if part.isdigit():
            ids.add(part)
            continue
        try:
            ids |= {account.id for account in registry.select(part)} if registry.accounts else set()
        except AccountNotFound:
            if not any(sign in part for sign in "*?["):
                raise
        if any(sign in part for sign in "*?["):
            globs.append(part)
        elif not registry.accounts:
            raise AccountNotFound(
                f"no account matches {part[:64]!r}", hint="Name accounts by their ids, or list them in crosstrail.yaml."
            )
    return lambda name: name in ids or any(fnmatchcase(name, glob) for glob in globs)


def print_plan(planned: CollectionPlan, cost: BucketCost, output: CommandOutput) -> None:
    if output.older:
        output.json_document({**asdict(planned), "cost": asdict(cost)})
        return
    if output.form != "table":
        with output.rows(FOLDERS) as rows:
            rows.write_all(
                [one.cloud, one.account, one.region, one.objects, one.bytes, one.first, one.last]
                for one in planned.folders
            )
        return
    out = output.line
    for one in planned.folders[:_PLANNED]:
        whose = " ".join(filter(None, (one.account, one.region))) or "objects whose keys name no account"
        days = f", delivered {one.first} to {one.last}" if one.first else ""
        out(f"{whose}: {one.objects:,} objects, {readable(one.bytes)}{days}")
    if len(planned.folders) > _PLANNED:
        out(f"... and {len(planned.folders) - _PLANNED:,} more; --format json lists all")
    if planned.listed_whole:
        out(
            "Some names are neither in a trail's folders nor begin with their dates: every collection lists all of them."
        )
    out(f"Plan    {planned.objects:,} objects to read, {planned.known:,} known; nothing was read")
    out(f"Cost    {cost.text}, with the listing that made this plan")


class Noticed:
    """The messages of a queue about objects of one bucket: a hint of what is new, and never the truth."""

    def __init__(
        self,
        queue: BucketQueue,
        uri: BucketUri,
        take: Callable[[Sequence[NoticedObject]], None],
        is_chosen: Callable[[str], bool],
    ) -> None:
        """`take` collects objects, and returns when their events are committed. `is_chosen`: of a key, whether it is wanted."""
        self._queue = queue
        self._uri = uri
        self._take = take
        self._is_chosen = is_chosen
        self._told: set[str] = set()

    def once(self, wait_seconds: float) -> None:
        """Waits for messages and takes what they tell of. Those of other buckets, accounts, regions and days, and those that
        nobody can read, stay in the queue, for whoever they are for or its dead-letter queue. Raises CloudError,
        CredentialsError, and what `take` raises."""
        messages = self._queue.receive(min(int(wait_seconds), _LONGEST_POLL))
        mine: list[QueueMessage] = []
        objects: list[NoticedObject] = []
        for message in messages:
            notice = notice_of(message.body)
            here = [one for one in notice.objects if self._is_here(one)]
            if notice.kind is NoticeKind.FOREIGN or (notice.objects and not here):
                self._tell(message)
                continue
            mine.append(message)
            objects += here
        if objects:
            with self._queue.hidden(mine):
                self._take(objects)
        self._queue.delete(mine)

    def _is_here(self, one: NoticedObject) -> bool:
        prefix = f"{self._uri.prefix}/" if self._uri.prefix else ""
        return one.bucket == self._uri.bucket and one.key.startswith(prefix) and self._is_chosen(one.key)

    def _tell(self, message: QueueMessage) -> None:
        if message.id not in self._told and len(self._told) < _MAX_TOLD:
            self._told.add(message.id)
            say(f"message {message.id} tells of no object of {self._uri} that is chosen: it stays in the queue")


_LONGEST_POLL = 10
"""Seconds; an answer is waited for a little longer."""
_MAX_TOLD = 1_000


class Stopped(Exception):
    """SIGTERM or Ctrl-C, of a collection that follows."""


@contextmanager
def stop_by_signal() -> Iterator[threading.Event]:
    """Inside, SIGTERM and Ctrl-C raise Stopped in this thread, once, and set the event: what is not committed is given up."""
    stop = threading.Event()

    def received(number: int, frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            raise Stopped

    before = {number: signal.signal(number, received) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def follow(run: Callable[[], None], interval: float, noticed: Noticed | None = None) -> None:
    """`run` again and again, `interval` seconds apart, until a signal; between, what a queue tells of is taken. What fails once
    is told, and tried again."""
    from crosstrail.errors import CloudUnavailable, LakeBusy, Throttled

    with stop_by_signal() as stop:
        try:
            due = 0.0
            while not stop.is_set():
                try:
                    if monotonic() >= due:
                        due = monotonic() + interval
                        run()
                    elif noticed:
                        noticed.once(due - monotonic())
                    else:
                        stop.wait(max(due - monotonic(), 0))
                except (CloudUnavailable, LakeBusy, Throttled) as error:
                    say(f"this time nothing was collected: {error.operators_text}")
                    stop.wait(min(interval, 5))
        except Stopped:
            pass
    say("stopped: what is committed stays, the next collection goes on there")
