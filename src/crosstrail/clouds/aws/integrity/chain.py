"""One chain of digests, walked from the newest back: by what the archive lists, and by what each digest says of the one before.

The listing finds what no link leads to; the links find what is not listed. A digest that is not proved is believed nothing but
what it says of the one before it, and that only to name what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosstrail.clouds.aws.integrity.digest import Digest, PreviousDigest
from crosstrail.clouds.aws.integrity.judge import Judged, ReadDigest, judge, place_of, signature_name
from crosstrail.clouds.aws.integrity.keys import KeyRing
from crosstrail.clouds.aws.integrity.names import HOUR, DigestName, base_of, digest_name
from crosstrail.clouds.aws.integrity.stops import stop_before
from crosstrail.clouds.integrity import ArchiveObjects, AskedSpan, FindingKind, IntegrityFinding, KeyFile, Verdict

_SLACK = timedelta(minutes=5)
YOUNG = timedelta(hours=2)
"""A digest is delivered an hour after its end at the latest."""
_MAX_NAMED = 10_000
Reader = Callable[[Sequence[DigestName]], Iterator[ReadDigest]]
"""Reads many at once, and gives them in order."""


@dataclass(frozen=True, slots=True)
class NamingDigest:
    """A digest that can be read: what it names is to be checked where it is proved, and only then."""

    digest: Digest
    proved: bool


@dataclass(slots=True)
class _Newer:
    """What the newer side of the chain says of what comes next: `link` is the digest before, None where a chain begins."""

    start: datetime
    """Up to where digests account for the time, from now back."""
    link: PreviousDigest | None
    known: bool
    """Whether `link` can be said: not of a digest that is lost or was changed."""
    trusted: bool


class Chain:
    """Of one trail in one account and region. `names`: oldest first, all that the archive lists of it in the asked span, and
    perhaps one more at the end, `anchor`, that is newer than what is asked: it only proves the one before it."""

    def __init__(
        self,
        names: Sequence[DigestName],
        anchor: DigestName | None,
        objects: ArchiveObjects,
        asked: AskedSpan,
        keys: KeyRing,
        saved: KeyFile,
        read: Reader,
    ) -> None:
        self._names = names
        self._anchor = anchor
        self._objects = objects
        self._asked = asked
        self._keys = keys
        self._saved = saved
        self._read = read
        self.covered: list[tuple[datetime, datetime]] = []
        """The spans of the digests that are proved, newest first."""

    def walk(self) -> Iterator[IntegrityFinding | NamingDigest]:
        newer: _Newer | None = None
        newest = True
        for read in self._read([*([self._anchor] if self._anchor else []), *reversed(self._names)]):
            if read.name == self._anchor:
                newer = _after_anchor(read)
                continue
            if newest and newer is None:
                yield from self._missing_newest(read.name)
            link = newer.link if newer else None
            place = self._place(link)
            named = digest_name(place or "")
            beside = bool(named and named.end < read.name.end)  # not of the chain, by what the newer side says
            if newer and not beside and place != read.name.key:
                yield from self._between(newer, read.name, place)
            newer_link = link if place == read.name.key else None
            linked = bool(newer and newer.trusted)
            judged = judge(read, newer_link, self._objects, self._keys, self._saved, linked=linked)
            yield self._finding(read, judged)
            if judged.trusted and read.digest:
                self.covered.append((read.digest.start, read.digest.end))
                self._note_signature(read, linked=newer_link is not None)
            if read.digest:
                yield NamingDigest(read.digest, judged.trusted)
            newest = False
            newer = newer if beside else _after(read, judged)
        yield from self._oldest(newer)

    def _place(self, link: PreviousDigest | None) -> str | None:
        if link is None:
            return None
        return place_of(self._objects, base_of(self._names[0].top), link.bucket, link.key)

    def _note_signature(self, read: ReadDigest, *, linked: bool) -> None:
        """Where no newer digest has it, a copy without metadata could not be proved."""
        if not linked and read.digest and self._objects.has_metadata:
            self._saved.signatures[signature_name(read.digest)] = read.signature

    def _between(self, newer: _Newer, name: DigestName, place: str | None) -> Iterator[IntegrityFinding]:
        """What lies between the newer side and the digest that is listed next."""
        start = newer.start
        if newer.known and newer.link is None:
            yield self._gap(name, name.end, start, trusted=newer.trusted)
            return
        if newer.link and place is None:
            yield self._outside(name, newer.link)
            return
        if place:
            yield self._absent(name, place)
            named = digest_name(place)
            start = named.end - HOUR if named else name.end
        yield from self._hours(name, name.end, start)

    def _oldest(self, newer: _Newer | None) -> Iterator[IntegrityFinding]:
        """What should come before the oldest digest that is listed, as far as it is asked for."""
        if newer is None or not self._names:
            return
        name, since = self._names[0], self._asked.since
        place = self._place(newer.link) if newer.known else None
        if newer.known and newer.link:
            named = digest_name(place or "")
            if place is None:
                if since is None or newer.start > since:
                    yield self._outside(name, newer.link)
                return
            if since and newer.start < since:
                return
            hint = "" if since else "; if older ones expired by a rule of the bucket, ask --since a later time"
            yield self._absent(name, place, hint)
            newer.start = named.end - HOUR if named else newer.start
        if since is None or name.trail.late or newer.start - since < HOUR:
            return
        if newer.known and newer.link is None:
            yield self._gap(name, since, newer.start)
        else:
            yield from self._hours(name, since, newer.start)

    def _missing_newest(self, newest: DigestName) -> Iterator[IntegrityFinding]:
        if newest.trail.late:
            return
        due = min(self._asked.until, self._asked.now - YOUNG)
        hours = -int((newest.end + _SLACK - due) // HOUR)
        if hours >= 1:
            if stop := stop_before(self._objects, newest, newest.end, due):
                yield self._gap_finding(newest, newest.end, due, stop.text)
                return
            yield self._span(
                newest,
                Verdict.MISSING,
                f"the newest digests are missing: {hours:,} of an hour each, from {_z(newest.end)} to {_z(due)}",
                (newest.end, due),
                self._objects.address(newest.at(newest.end + HOUR).key),
            )
        elif newest.end < self._asked.until and not self._asked.to_now:
            reason = f"not yet covered: the newest digest ends at {_z(newest.end)}"
            yield self._span(newest, Verdict.UNCOVERED, reason, (newest.end, self._asked.until))

    def _span(
        self, name: DigestName, verdict: Verdict, reason: str, span: tuple[datetime, datetime], address: str = ""
    ) -> IntegrityFinding:
        return IntegrityFinding(
            object=address or self._objects.address(name.top),
            kind=FindingKind.DIGEST if address else FindingKind.GAP,
            verdict=verdict,
            reason=reason,
            fault=str(verdict),
            start=span[0],
            end=span[1],
            account=name.account,
            region=name.region,
            trail=name.trail.text,
            late=name.trail.late,
        )

    def _hours(self, name: DigestName, start: datetime, end: datetime) -> Iterator[IntegrityFinding]:
        """The digests that are neither listed nor linked: CloudTrail writes one each hour, so their names are known."""
        if name.trail.late:
            return
        count = int((end - start + _SLACK) / HOUR)
        if count < 1:
            return
        if stop := stop_before(self._objects, name, start, end):
            yield self._gap_finding(name, start, end, stop.text)
            return
        for hour in range(min(count, _MAX_NAMED)):
            absent = name.at(end - hour * HOUR)
            yield self._absent(name, absent.key, f"; no digest has {_z(absent.end - HOUR)} to {_z(absent.end)}")

    def _absent(self, name: DigestName, key: str, more: str = "") -> IntegrityFinding:
        named = digest_name(key) or name
        return self._about(named, self._objects.address(key), Verdict.DELETED, f"not found{more}", "not found")

    def _outside(self, name: DigestName, link: PreviousDigest) -> IntegrityFinding:
        reason = "the chain goes on outside of what was asked, and was not read there: verify that place too"
        return self._about(name, f"s3://{link.bucket}/{link.key}", Verdict.UNCOVERED, reason, "outside")

    def _about(self, name: DigestName, address: str, verdict: Verdict, reason: str, fault: str) -> IntegrityFinding:
        return IntegrityFinding(
            object=address,
            kind=FindingKind.DIGEST,
            verdict=verdict,
            reason=reason,
            fault=fault,
            start=name.end - HOUR,
            end=name.end,
            account=name.account,
            region=name.region,
            trail=name.trail.text,
            late=name.trail.late,
        )

    def _gap(self, name: DigestName, start: datetime, end: datetime, *, trusted: bool = True) -> IntegrityFinding:
        stop = stop_before(self._objects, name, start, end)
        reason = stop.text if stop else "no event that stopped logging was found in the log files before it"
        return self._gap_finding(
            name, start, end, reason if trusted else f"{reason}; a digest that is not proved says so"
        )

    def _gap_finding(self, name: DigestName, start: datetime, end: datetime, reason: str) -> IntegrityFinding:
        said = f"No log files were delivered by CloudTrail between {_z(start)} and {_z(end)}: {reason}"
        return self._span(name, Verdict.GAP, said, (start, end))

    def _finding(self, read: ReadDigest, judged: Judged) -> IntegrityFinding:
        found = self._about(
            read.name, self._objects.address(read.name.key), judged.verdict, judged.reason, judged.fault
        )
        if read.digest and judged.trusted:
            return replace(found, start=read.digest.start, end=read.digest.end)
        return found


def _after_anchor(read: ReadDigest) -> _Newer | None:
    """Its signature of the one before is checked by itself; nothing else of it is believed."""
    if read.digest is None or read.digest.previous is None:
        return None
    return _Newer(read.digest.start, read.digest.previous, known=True, trusted=False)


def _after(read: ReadDigest, judged: Judged) -> _Newer:
    digest = read.digest
    if digest and judged.trusted:
        return _Newer(digest.start, digest.previous, known=True, trusted=True)
    hour = read.name.end - HOUR
    if digest is None or judged.verdict is Verdict.MOVED or digest.end != read.name.end:
        return _Newer(hour, None, known=False, trusted=False)
    if digest.previous is None:
        return _Newer(max(min(digest.start, read.name.end), hour), None, known=True, trusted=False)
    if _plausible(read.name, digest.previous):
        return _Newer(hour, digest.previous, known=True, trusted=False)
    return _Newer(hour, None, known=False, trusted=False)


def _plausible(name: DigestName, link: PreviousDigest) -> bool:
    """Whether a digest that is not proved may be right about the one before it: the same trail, the hour before."""
    named = digest_name(link.key)
    if not named or (named.trail, named.account, named.region) != (name.trail, name.account, name.region):
        return False
    return named.end < name.end and (name.trail.late or abs(named.end - (name.end - HOUR)) <= _SLACK)


def _z(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
