"""Which objects of a bucket a collection looks at, and how few requests find them.

Decides where in a bucket logs can be: folders that a cloud's trails make are entered by delimiter, down to each account and
region, and each of these is listed from where the last collection left off. Everything else is listed whole, but where all names
begin with their dates: then once a day. Delivery is not in the order of keys, so "where it left off" is a time, never a key: 26 hours before the newest day that was seen, and once a day
seven days before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from heapq import merge
from itertools import groupby
from operator import itemgetter
from time import time
from typing import NamedTuple

from crosstrail.clouds.log_layout import LogFolder, LogLayout, day_of
from crosstrail.lake.sources.base import ListedFolder
from crosstrail.lake.sources.flat_names import FlatNames
from crosstrail.object_store import Bucket, ObjectInfo

LOOKBACK = timedelta(hours=26)
SWEEP = timedelta(days=7)
_DAY = timedelta(days=1)
_SWEPT_EVERY = 24 * 3600
_AT_ONCE = 16
"""LIST requests on the way."""
_BESIDE = 40
"""Folders of an account that are listed side by side: more than AWS has regions. A page of each is held."""
_AFTER_SLASH = "0"
"""The sign after `/`: a key with it comes after everything in the folder."""


@dataclass(frozen=True, slots=True)
class BucketChoice:
    """What of a bucket is wanted. `since`: days of delivery from this one on; None is all of them."""

    account: Callable[[str], bool] = lambda _: True
    region: Callable[[str], bool] = lambda _: True
    since: date | None = None
    everything: bool = True
    """Whether neither account nor region narrow it: only then objects are wanted whose keys name none."""

    def takes(self, key: str, layouts: Sequence[tuple[str, LogLayout]]) -> bool:
        """Whether an object that no listing found is wanted."""
        place = place_of(key, layouts)
        if place is None:
            return self.everything
        day = day_of(key[len(place.prefix) + 1 :])
        is_late = self.since is None or not day or day >= self.since.isoformat()
        return is_late and self.account(place.account) and self.region(place.region)


@dataclass(frozen=True, slots=True)
class DayFolder:
    """A folder with a folder for each year, month and day: of one account and region."""

    prefix: str
    cloud: str
    account: str
    region: str


@dataclass(frozen=True, slots=True)
class FoundObjects:
    """Some objects of one such folder (None: of no such folder), in the order of their keys."""

    place: DayFolder | None
    objects: Sequence[ObjectInfo]


class BucketSearch:
    """One walk through a bucket. `listings` are the folders that were listed to their ends so far."""

    def __init__(
        self,
        bucket: Bucket,
        layouts: Sequence[tuple[str, LogLayout]],
        choice: BucketChoice,
        known: Callable[[str], ListedFolder | None],
    ) -> None:
        """`layouts`: (cloud, layout). `known`: the last listing of a folder, by the name of its objects' beginning."""
        self._bucket = bucket
        self._layouts = layouts
        self._choice = choice
        self._known = known
        self.listings: list[ListedFolder] = []
        self.starts: dict[str, str] = {}
        """Where each folder's listing began (the key after which), by its prefix."""

    def found(self) -> Iterator[FoundObjects]:
        """Raises what Bucket.pages raises."""
        with ThreadPoolExecutor(_AT_ONCE, "list") as threads:
            waiting: deque[list[_Asked]] = deque()
            for place in self._places(threads):
                if isinstance(place, FoundObjects):
                    yield place
                    continue
                listing = self._known(self._bucket.name(place.prefix))
                start = self._start(listing)
                asked = _Asked(place, start, listing, threads.submit(self._first, place, start))
                if waiting and waiting[-1][0].is_beside(asked) and len(waiting[-1]) < _BESIDE:
                    waiting[-1].append(asked)
                else:
                    waiting.append([asked])
                if sum(map(len, waiting)) - len(waiting[0]) >= _AT_ONCE:
                    yield from self._merged(waiting.popleft())
            while waiting:
                yield from self._merged(waiting.popleft())

    def _merged(self, group: Sequence[_Asked]) -> Iterator[FoundObjects]:
        """Day by day, since that is how the lake's files are parted: a day's objects of all regions are read together."""
        if len(group) == 1:
            yield from self._listed(group[0])
            return
        for _, some in merge(*(_by_day(self._listed(one)) for one in group), key=itemgetter(0)):
            yield some

    def _first(self, place: DayFolder, start: str) -> tuple[Pages, Page]:
        """A page is asked for ahead: each takes a round trip."""
        pages = self._bucket.pages(place.prefix, start_after=_key(place, start))
        return pages, next(pages, None)

    def _listed(self, asked: _Asked) -> Iterator[FoundObjects]:
        place, start, listing, first = asked
        pages, page = first.result()
        self.starts[place.prefix] = _key(place, start)
        newest = ""
        below = len(place.prefix) + 1
        while page is not None:
            yield FoundObjects(place, page)
            days = {one.key[below : below + 10]: one for one in page}
            newest = max([newest, *(_delivered(one, below) for one in days.values())])
            page = next(pages, None)
        if listing is None or _is_more(start, listing.since):
            since, swept = start, int(time())
        else:
            since, swept = listing.since, int(time()) if self._is_due(listing) else listing.swept
        self.listings.append(
            ListedFolder(self._bucket.name(place.prefix), since, max(newest, listing.newest if listing else ""), swept)
        )

    def _start(self, listing: ListedFolder | None) -> str:
        """The first day that is listed; empty for all."""
        asked = self._choice.since.isoformat() if self._choice.since else ""
        if listing is None or _is_more(asked, listing.since) or not listing.newest:
            return asked
        back = SWEEP if self._is_due(listing) else LOOKBACK
        start = (datetime.fromisoformat(listing.newest) - back).date().isoformat()
        return min(start, asked) if asked else start

    @staticmethod
    def _is_due(listing: ListedFolder) -> bool:
        """Also where this machine's clock was put back since."""
        return not 0 <= time() - listing.swept < _SWEPT_EVERY

    def _places(self, threads: ThreadPoolExecutor) -> Iterator[DayFolder | FoundObjects]:
        """Walks the keys; a trail's root is entered by delimiter and then jumped over."""
        prefix = self._bucket.uri.prefix
        if inside := self._inside(prefix):
            yield from self._below([inside], threads)
            return
        names, after, jumped = FlatNames(prefix), "", ""
        while True:
            for page in self._bucket.pages(prefix, start_after=after):
                root = next((found for one in page if (found := self._root(one.key))), None)
                loose = [one for one in page if not root or one.key < root[2]]
                names.add(loose)
                if loose and self._choice.everything:
                    yield FoundObjects(None, loose)
                if root or (not after and (jumped := self._flat_start(names))):
                    break
            else:
                self._note_flat(names, jumped)
                return
            if root:
                names.add_others()
                cloud, layout, folder = root
                yield from self._below([(cloud, layout, folder, ())], threads)
            after = folder + _AFTER_SLASH if root else jumped

    def _flat_start(self, names: FlatNames) -> str:
        """The key to go on after, of a first page whose keys are in the order of their days; empty to go on with the next page.

        Once a day everything is listed, since what comes in between may have names of any form.
        """
        listing = self._known(self._bucket.name(self._bucket.uri.prefix))
        if not listing or not listing.newest or self._is_due(listing):
            return ""
        if not names.are_led_by_dates or not self._choice.everything or self._choice.since:
            return ""
        start = names.key_of((datetime.fromisoformat(listing.newest) - LOOKBACK).date())
        return start if start > names.last else ""

    def _note_flat(self, names: FlatNames, jumped: str) -> None:
        """Everything below the prefix was listed, from a key on where it jumped."""
        prefix = self._bucket.uri.prefix
        name = self._bucket.name(prefix)
        listing = self._known(name)
        if names.are_led_by_dates and self._choice.everything:
            swept = listing.swept if jumped and listing else int(time())
            newest = max(names.newest, listing.newest if listing else "")
            self.starts[prefix] = jumped
            self.listings.append(ListedFolder(name, "", newest, swept))

    def _root(self, key: str) -> tuple[str, LogLayout, str] | None:
        """(cloud, layout, the root's own path) of a key inside some trail's root."""
        for cloud, layout in self._layouts:
            before, found, _ = f"/{key}".partition(f"/{layout.root}/")
            if found:
                return cloud, layout, f"{before}/{layout.root}".lstrip("/")
        return None

    def _inside(self, prefix: str) -> _Level | None:
        """What was named lies in a trail's root."""
        found = self._root(f"{prefix}/")
        if not found:
            return None
        cloud, layout, root = found
        names = tuple(name for name in prefix[len(root) :].split("/") if name)
        return cloud, layout, root, names

    def _below(self, level: list[_Level], threads: ThreadPoolExecutor) -> Iterator[DayFolder | FoundObjects]:
        """Level by level, all folders of one at once."""
        while level:
            entered: list[_Level] = []
            for one in level:
                place = self._place(one)
                if isinstance(place, DayFolder):
                    yield place
                elif isinstance(place, str):  # below a day folder: named by hand, listed whole
                    yield from (FoundObjects(None, page) for page in self._bucket.pages(place))
                elif place:
                    entered.append(one)
            level = []
            asked = [threads.submit(self._bucket.folders, _path(one)) for one in entered]
            for (cloud, layout, root, names), answer in zip(entered, asked, strict=True):
                folders, objects = answer.result()
                if objects and self._choice.everything:
                    yield FoundObjects(None, objects)
                level += [(cloud, layout, root, (*names, folder)) for folder in folders]

    def _place(self, level: _Level) -> DayFolder | LogFolder | str | None:
        cloud, layout, _, names = level
        found = layout.folder(names)
        if found is None:
            for count in range(len(names)):
                if (above := layout.folder(names[:count])) and above.has_days:
                    return _path(level)
            return None
        if found.account and not self._choice.account(found.account):
            return None
        if found.region and not self._choice.region(found.region):
            return None
        if not found.has_days:
            return found
        if not found.account and not self._choice.everything and not self._choice.account(""):
            return None
        return DayFolder(_path(level), cloud, found.account, found.region)


class _Asked(NamedTuple):
    """A folder whose first page is on its way, listed from the day `start` on; `listing` is the last one."""

    place: DayFolder
    start: str
    listing: ListedFolder | None
    first: Future[tuple[Pages, Page]]

    def is_beside(self, other: _Asked) -> bool:
        """Whether it is of the same account: of another region, or another kind of event."""
        return (self.place.cloud, self.place.account) == (other.place.cloud, other.place.account)


def _by_day(found: Iterator[FoundObjects]) -> Iterator[tuple[str, FoundObjects]]:
    """Of one folder: each day's objects by themselves, with the day as keys have it."""
    for some in found:
        for day, objects in groupby(some.objects, partial(_day_part, some.place)):
            yield day, FoundObjects(some.place, list(objects))


def _day_part(place: DayFolder | None, one: ObjectInfo) -> str:
    below = len(place.prefix) + 1 if place else 0
    return one.key[below : below + 10]


Pages = Iterator[Sequence[ObjectInfo]]
Page = Sequence[ObjectInfo] | None
_Level = tuple[str, LogLayout, str, tuple[str, ...]]
"""(cloud, layout, its root's path, the names below that)"""


def place_of(key: str, layouts: Sequence[tuple[str, LogLayout]]) -> DayFolder | None:
    """The day folder that a key stands in; None where its names say of none."""
    for cloud, layout in layouts:
        before, found, below = f"/{key}".partition(f"/{layout.root}/")
        names = tuple(below.split("/")[:-1])[:8] if found else ()
        for count in range(1, len(names) + 1):
            folder = layout.folder(names[:count])
            if folder and folder.has_days:
                prefix = "/".join((f"{before}/{layout.root}".lstrip("/"), *names[:count]))
                return DayFolder(prefix, cloud, folder.account, folder.region)
    return None


def _delivered(one: ObjectInfo, below: int) -> str:
    """The day of its delivery by its key and the bucket's clock: the earlier of both, since that of a copied bucket is the
    copying's. Empty where the key names a day that was still to come."""
    day = day_of(one.key[below:])
    return min(day, one.modified.date().isoformat()) if day <= (one.modified + _DAY).date().isoformat() else ""


def _path(level: _Level) -> str:
    return "/".join((level[2], *level[3]))


def _key(place: DayFolder, start: str) -> str:
    """After which the objects of that day come."""
    with suppress(ValueError):
        return f"{place.prefix}/{date.fromisoformat(start):%Y/%m/%d}"
    return ""


def _is_more(start: str, since: str) -> bool:
    """Whether a listing from `start` on sees days that one from `since` on does not; empty is the beginning of time."""
    return bool(since) and (not start or start < since)
