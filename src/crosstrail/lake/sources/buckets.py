"""Objects of a bucket that speaks S3, as a source of log objects.

Decides which objects of a search are log objects, how many are fetched at once, and what becomes of one that cannot be had: it
is named and passed. An object is read as it was listed (If-Match), or as it stands now where it was overwritten since.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from crosstrail.clouds.log_layout import LogLayout, day_of
from crosstrail.errors import (
    AccessDenied,
    CloudError,
    ObjectArchived,
    ObjectChanged,
    ObjectNotFound,
    ObjectUnavailable,
)
from crosstrail.lake.kinds import kind_of_file
from crosstrail.lake.left_out import count
from crosstrail.lake.sources.base import Fetched, Found, Known, ListedFolder, LogObject, State
from crosstrail.lake.sources.bucket_search import BucketChoice, BucketSearch, FoundObjects, place_of
from crosstrail.lake.sources.notifications import NoticedObject
from crosstrail.lake.sources.spool import Spool
from crosstrail.object_store import MAX_BYTES, PAGE, Bucket, ObjectInfo

_AT_ONCE = 32
"""GET requests on the way, of one job."""
_MAX_RETRIED = 10_000
"""Objects of one folder that are asked for again although no listing shows them."""
_MAX_REFUSALS = 100
"""In a row, without one object that could be had: then it is not the objects."""
_DIGEST = "CloudTrail-Digest"


class BucketSource:
    """A LogSource."""

    def __init__(
        self,
        bucket: Bucket,
        layouts: Sequence[tuple[str, LogLayout]],
        choice: BucketChoice | None = None,
        *,
        max_object_bytes: int = MAX_BYTES,
    ) -> None:
        self._bucket = bucket
        self._layouts = layouts
        self._choice = choice or BucketChoice()
        self._max_bytes = max_object_bytes
        self._search: BucketSearch | None = None
        self._lock = threading.Lock()
        self._refusals = 0

    def find(self, lake: Path, known: Known, scope: str) -> Found:
        search = BucketSearch(self._bucket, self._layouts, self._choice, partial(_listing, known, scope))
        self._search = search
        found = Found(roots=(str(self._bucket.uri),))
        found.batches = self._batches(search, known, scope, found)
        return found

    def listed(self) -> Sequence[ListedFolder]:
        return tuple(self._search.listings) if self._search else ()

    def fetch(self, objects: Sequence[LogObject], folder: Path) -> Fetched:
        """Raises AccessDenied, CloudUnavailable where no object can be had at all; CredentialsError; OSError of the disk."""
        todo = deque(enumerate(objects))
        results: list[LogObject | tuple[LogObject, str, State] | None] = [None] * len(objects)

        def get(spool: Spool) -> None:
            """One of the threads: they share a queue, since a future for each object takes longer than a small one's bytes."""
            while True:
                try:
                    number, log = todo.popleft()
                except IndexError:
                    return
                try:
                    results[number] = self._fetched(log, spool)
                except BaseException:
                    todo.clear()  # nobody goes on
                    raise

        with Spool(folder) as spool, ThreadPoolExecutor(_AT_ONCE, "get") as threads:
            for one in [threads.submit(get, spool) for _ in range(min(_AT_ONCE, len(objects)))]:
                one.result()
        fetched = tuple(one for one in results if isinstance(one, LogObject))
        return Fetched(fetched, tuple(one for one in results if one and not isinstance(one, LogObject)))

    def _batches(self, search: BucketSearch, known: Known, scope: str, found: Found) -> Iterator[list[LogObject]]:
        logs: list[LogObject] = []
        for some in search.found():
            logs += self._logs(some, found)
            if len(logs) >= PAGE:
                yield logs
                logs = []
        yield logs
        found.unreadable += [
            (self._bucket.name(key), "has a name that cannot be asked for") for key in sorted(self._bucket.odd_keys)
        ]
        for listing in search.listings:
            start = self._bucket.name(search.starts[listing.prefix.removeprefix(self._bucket.name(""))])
            left = (
                (name, size)
                for name, size in known.unfinished(f"{listing.prefix.rstrip('/')}/", scope)
                if name <= start
            )
            if again := list(islice(left, _MAX_RETRIED)):
                yield [LogObject("", size, "", False, uri=name) for name, size in again]

    def _logs(self, some: FoundObjects, found: Found) -> Iterator[LogObject]:
        bucket, place = self._bucket.name(""), some.place
        for one in some.objects:
            name = bucket + one.key
            if _DIGEST in one.key:
                count(found.left_out, kind_of_file(one.key), name)
            elif not one.size:
                count(found.left_out, "empty object", name)
            else:
                placed = ("", "", "", "")
                if place:
                    placed = (place.cloud, place.account, place.region, day_of(one.key[len(place.prefix) + 1 :]))
                yield LogObject("", one.size, _stamp(one), False, uri=name, placed=placed)

    def _fetched(self, log: LogObject, spool: Spool) -> LogObject | tuple[LogObject, str, State]:
        key = log.uri.removeprefix(self._bucket.name(""))
        etag = log.stamp.rpartition(" ")[0]
        try:
            try:
                info, pieces = self._bucket.read(key, max_bytes=self._max_bytes, etag=etag)
            except ObjectChanged:
                info, pieces = self._bucket.read(key, max_bytes=self._max_bytes)
            fetched = spool.add(log, pieces, info.size, _stamp(info))
        except (ObjectUnavailable, CloudError) as error:
            return log, *self._refused(error)
        if self._refusals >= 0:
            with self._lock:
                self._refusals = -1
        return fetched

    def _refused(self, error: CloudError) -> tuple[str, State]:
        """What is said of it, and how the ledger calls it. Raises the error where nothing can be had at all."""
        match error:
            case ObjectArchived():
                return error.reason, "archived"
            case ObjectNotFound():
                return error.reason, "gone"
            case ObjectUnavailable():
                return error.reason, "unavailable"
        with self._lock:
            if self._refusals >= 0:
                self._refusals += 1
                if self._refusals > _MAX_REFUSALS:
                    raise error
        if isinstance(error, AccessDenied):
            return "access is denied", "denied"
        return str(error), "unavailable"


class NoticedSource(BucketSource):
    """The objects of a bucket that messages told of. What else there is, only a listing knows."""

    def __init__(
        self, bucket: Bucket, layouts: Sequence[tuple[str, LogLayout]], noticed: Sequence[NoticedObject]
    ) -> None:
        super().__init__(bucket, layouts)
        self._noticed = noticed

    def find(self, lake: Path, known: Known, scope: str) -> Found:
        found = Found(roots=(str(self._bucket.uri),))
        unique = {(one.key, one.etag): one for one in self._noticed}
        told = sorted(unique.values(), key=lambda one: one.key)
        found.batches = [[log for one in told for log in self._told(one, found)]]
        return found

    def _told(self, one: NoticedObject, found: Found) -> Iterator[LogObject]:
        """An object without an ETag is asked for: what it is now tells its stamp."""
        info = ObjectInfo(one.key, one.size or 1, f'"{one.etag}"' if one.etag else "", datetime.now(UTC))
        for log in self._logs(FoundObjects(place_of(one.key, self._layouts), (info,)), found):
            yield log if one.etag else log._replace(stamp="")


def _listing(known: Known, scope: str, prefix: str) -> ListedFolder | None:
    return known.listing(prefix, scope)


def _stamp(one: ObjectInfo) -> str:
    return f"{one.etag} {one.size}"
