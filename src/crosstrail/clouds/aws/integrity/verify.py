"""An archive of CloudTrail verified: every account and region that is asked for, several at once, in bounded memory.

A job is one account and region. Its objects are read by threads that all jobs share, some ahead of what is judged, because
latency decides; what is found comes out in order of each job. What goes wrong with one object or job is a finding.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from crosstrail.clouds.aws.integrity.chain import Chain, NamingDigest
from crosstrail.clouds.aws.integrity.digest import MAX_LOG, BrokenObject, inflate
from crosstrail.clouds.aws.integrity.judge import ReadDigest, place_of, read_digest
from crosstrail.clouds.aws.integrity.keys import KeyRing
from crosstrail.clouds.aws.integrity.layout import AccountRegion, accounts_of, places_of
from crosstrail.clouds.aws.integrity.logs import CheckedLog, Named, Suspects, check_log, unnamed
from crosstrail.clouds.aws.integrity.names import HOUR, DigestName, TrailName, base_of, digest_name
from crosstrail.clouds.integrity import (
    ArchiveObjects,
    AskedSpan,
    FindingKind,
    IntegrityFinding,
    KeyFile,
    OnlineKeys,
    Verdict,
)
from crosstrail.errors import CrosstrailError

_THREADS = 64
_AHEAD = 160
"""Objects of one job that are read, or wait to be, before the first of them is judged."""
_WAITING = 1_000
A = TypeVar("A")


def verify(
    objects: ArchiveObjects,
    asked: AskedSpan,
    keys: KeyFile,
    online: OnlineKeys | None,
    *,
    jobs: int,
    stop: threading.Event,
) -> Iterator[IntegrityFinding]:
    """As `Integrity.verify` says. Setting `stop` ends it early."""
    ring = KeyRing(keys, online)
    with ThreadPoolExecutor(_THREADS, "verify-read") as readers:
        run = VerificationRun(objects, asked, keys, ring, readers, stop)
        if jobs == 1:
            for job in run.jobs():
                yield from job
        else:
            yield from _together(run.jobs(), jobs, stop)


def _together(
    todo: Iterator[Iterator[IntegrityFinding]], jobs: int, stop: threading.Event
) -> Iterator[IntegrityFinding]:
    """What several jobs find, as it comes."""
    found: queue.Queue[IntegrityFinding | BaseException | None] = queue.Queue(_WAITING)
    taking = threading.Lock()

    def put(one: IntegrityFinding | BaseException | None) -> None:
        while not stop.is_set():
            try:
                found.put(one, timeout=0.5)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            while not stop.is_set():
                with taking:
                    job = next(todo, None)
                if job is None:
                    break
                for one in job:
                    put(one)
                    if stop.is_set():
                        return
        except BaseException as error:  # noqa: BLE001 - it is raised where findings are taken
            put(error)
        finally:
            put(None)

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(work,), name="verify-job", daemon=True)
        for _ in range(jobs)
    ]
    for thread in threads:
        thread.start()
    left = jobs
    try:
        while left:
            one = found.get()
            if isinstance(one, BaseException):
                raise one
            if one is None:
                left -= 1
            else:
                yield one
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class VerificationRun:
    def __init__(
        self,
        objects: ArchiveObjects,
        asked: AskedSpan,
        saved: KeyFile,
        ring: KeyRing,
        readers: ThreadPoolExecutor,
        stop: threading.Event,
    ) -> None:
        self._objects = objects
        self._asked = asked
        self._saved = saved
        self._ring = ring
        self._readers = readers
        self._stop = stop

    def jobs(self) -> Iterator[Iterator[IntegrityFinding]]:
        """One for each account and region, and one for what is asked and not there."""
        accounts, regions = [], set()
        found_any = False
        try:
            for account, folder in accounts_of(self._objects):
                accounts.append(account)
                if not self._asked.accounts.has(account):
                    continue
                try:
                    places = places_of(self._objects, account, folder)
                except CrosstrailError as error:
                    yield iter([self._nothing(folder, account, f"cannot be listed: {error.text}")])
                    continue
                regions |= {place.region for place in places}
                for place in places:
                    if self._asked.regions.has(place.region):
                        found_any = True
                        yield self._place(place)
        except CrosstrailError as error:
            yield iter([self._nothing(self._objects.prefix, "", f"cannot be listed: {error.text}")])
            return
        for one in self._asked.accounts.absent(accounts):
            yield iter([self._nothing(self._objects.prefix, one, "nothing of this account is here")])
        for one in self._asked.regions.absent(sorted(regions)):
            yield iter([self._nothing(self._objects.prefix, "", f"nothing of region {one} is here")])
        if not found_any and not self._asked.accounts.patterns and not self._asked.regions.patterns:
            yield iter(
                [self._nothing(self._objects.prefix, "", "No digests found: there are no log files below AWSLogs/")]
            )

    def _nothing(self, prefix: str, account: str, reason: str) -> IntegrityFinding:
        return IntegrityFinding(
            object=self._objects.address(prefix),
            kind=FindingKind.GAP,
            verdict=Verdict.UNCOVERED,
            reason=reason,
            fault="nothing",
            account=account,
            start=self._asked.since,
            end=self._asked.until,
        )

    def _place(self, place: AccountRegion) -> Iterator[IntegrityFinding]:
        """One account and region, whatever happens there."""
        try:
            yield from self._verified(place)
        except CrosstrailError as error:
            nothing = self._nothing(place.digests or place.logs[0], place.account, f"cannot be listed: {error.text}")
            yield replace(nothing, region=place.region)

    def _verified(self, place: AccountRegion) -> Iterator[IntegrityFinding]:
        about = IntegrityFinding(
            object="", kind=FindingKind.LOG, verdict=Verdict.VALID, account=place.account, region=place.region
        )
        named, suspects = Named(), Suspects()
        for trail, chain in self.chains(place):
            if chain is None:
                yield self._no_digests(place)
                continue
            base = base_of(place.digests)
            yield from self._checked(chain, base, replace(about, trail=trail.text, late=trail.late), named, suspects)
            if not trail.late:
                named.spans += chain.covered
        for stray, key in unnamed(self._objects, place.logs, named, self._asked, about):
            if self._stop.is_set():
                return
            if suspects.any:
                suspects.add_stray(stray, self._hash(key))
            else:
                yield stray
        yield from suspects.findings()

    def _no_digests(self, place: AccountRegion) -> IntegrityFinding:
        reason = "No digests found: log file validation is off, or they were deleted"
        found = self._nothing(place.digests or place.logs[0], place.account, reason)
        return replace(found, region=place.region)

    def digests(self, place: AccountRegion, named: Named) -> Iterator[IntegrityFinding | NamingDigest]:
        """The digests of one account and region, judged, with what is wrong; no log file is read."""
        try:
            for trail, chain in self.chains(place):
                if chain is None:
                    yield self._no_digests(place)
                    continue
                yield from chain.walk()
                if not trail.late:
                    named.spans += chain.covered
        except CrosstrailError as error:
            nothing = self._nothing(place.digests or place.logs[0], place.account, f"cannot be listed: {error.text}")
            yield replace(nothing, region=place.region)

    def chains(self, place: AccountRegion) -> Iterator[tuple[TrailName, Chain | None]]:
        """Standard ones first; one None where there is no digest at all."""
        chains = self._chains(place) if place.digests else {}
        if not chains:
            yield TrailName("", "", late=False), None
        self._ask_keys(place, chains)
        for trail, (names, anchor) in sorted(chains.items(), key=lambda one: (one[0].late, one[0].text)):
            yield trail, Chain(names, anchor, self._objects, self._asked, self._ring, self._saved, self._read_digests)

    def _checked(
        self, chain: Chain, base: str, about: IntegrityFinding, named: Named, suspects: Suspects
    ) -> Iterator[IntegrityFinding]:

        def work() -> Iterator[Callable[[], CheckedLog] | IntegrityFinding]:
            for one in chain.walk():
                if isinstance(one, IntegrityFinding):
                    named.late_lost |= one.late and not one.proved and one.kind is FindingKind.DIGEST
                    yield one
                    continue
                for log in one.digest.logs:
                    key = place_of(self._objects, base, log.bucket, log.key)
                    if key:
                        named.add(key, proved=one.proved)
                    if one.proved:
                        yield partial(check_log, self._objects, key, log, about)

        for done in self._in_order(work()):
            finding = done if isinstance(done, IntegrityFinding) else suspects.add(done)
            if finding:
                yield finding

    def _chains(self, place: AccountRegion) -> dict[TrailName, tuple[list[DigestName], DigestName | None]]:
        """The digests of each trail in the asked span, oldest first; with the first one after it, where only that proves
        the newest."""
        found: dict[TrailName, tuple[list[DigestName], DigestName | None]] = {}
        asked = self._asked
        after = f"{place.digests}{asked.since - timedelta(days=1):%Y/%m/%d}" if asked.since else ""
        last = asked.until + HOUR
        for one in self._objects.objects(place.digests, after):
            name = digest_name(one.key)
            if name is None or (asked.since and name.end < asked.since):
                continue
            if (name.account, name.region) != (place.account, place.region):
                continue
            names, anchor = found.get(name.trail, ([], None))
            if name.end <= last:
                names.append(name)
            elif self._objects.has_metadata or anchor:
                if name.end > last + timedelta(days=2):
                    break
                continue
            else:
                anchor = name
            found[name.trail] = names, anchor
        for names, _ in found.values():
            names.sort(key=lambda name: name.end)
        return {trail: one for trail, one in found.items() if one[0]}

    def _ask_keys(
        self, place: AccountRegion, chains: dict[TrailName, tuple[list[DigestName], DigestName | None]]
    ) -> None:
        """All at once: a year of a region has a dozen. What fails is said by each digest."""
        names = [name for trail, (names, _) in chains.items() if not trail.late for name in (names[0], names[-1])]
        if not names:
            return
        try:
            ends = [name.end for name in names]
            self._ring.ask(place.region, min(ends) - HOUR, max(ends) + 2 * HOUR)
        except CrosstrailError:
            return

    def _read_digests(self, names: Iterable[DigestName]) -> Iterator[ReadDigest]:
        for done in self._in_order(partial(read_digest, self._objects, name) for name in names):
            assert isinstance(done, ReadDigest)  # noqa: S101 - it is given nothing else to do
            yield done

    def _in_order(self, todo: Iterable[Callable[[], A] | IntegrityFinding]) -> Iterator[A | IntegrityFinding]:
        """What each gives, in order, with many at work at once; what is no work comes as it is."""
        ahead: deque[Future[A] | IntegrityFinding] = deque()
        for one in todo:
            ahead.append(one if isinstance(one, IntegrityFinding) else self._readers.submit(one))
            while len(ahead) >= _AHEAD or (ahead and _is_done(ahead[0])):
                first = ahead.popleft()
                yield first if isinstance(first, IntegrityFinding) else first.result()
            if self._stop.is_set():
                return
        while ahead and not self._stop.is_set():
            first = ahead.popleft()
            yield first if isinstance(first, IntegrityFinding) else first.result()

    def _hash(self, key: str) -> str:
        try:
            return inflate(self._objects.read(key).chunks, MAX_LOG).sha256
        except (CrosstrailError, BrokenObject):
            return ""


def _is_done(one: object) -> bool:
    return not isinstance(one, Future) or one.done()
