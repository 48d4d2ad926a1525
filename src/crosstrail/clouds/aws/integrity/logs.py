"""Log files beside the digests that name them: the content of each, and those that no digest names."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crosstrail.clouds.aws.integrity.digest import MAX_LOG, BrokenObject, NamedLog, inflate
from crosstrail.clouds.aws.integrity.judge import SHA256
from crosstrail.clouds.aws.integrity.names import HOUR, log_time
from crosstrail.clouds.integrity import (
    ArchiveObjects,
    AskedSpan,
    IntegrityFinding,
    Verdict,
)
from crosstrail.errors import CrosstrailError, ObjectNotFound

_MAX_SUSPECTS = 10_000


@dataclass(frozen=True, slots=True)
class CheckedLog:
    finding: IntegrityFinding
    named: str
    """The hash that the digest names, in hex; empty where it does not matter."""
    found: str = ""
    """That of the content."""


def check_log(objects: ArchiveObjects, key: str | None, log: NamedLog, about: IntegrityFinding) -> CheckedLog:
    """Read and hash one. `key`: where the archive has it, if there; `about` has account, region and trail. Never raises for
    what is wrong with one object."""
    if key is None:
        reason = "lies outside of what was asked, and was not read: verify that place too"
        return CheckedLog(_verdict(about, f"s3://{log.bucket}/{log.key}", Verdict.UNCOVERED, reason, "outside"), "")
    address = objects.address(key)
    if log.algorithm not in ("", SHA256):
        reason = f"is hashed by {log.algorithm[:60]}, which is not known"
        return CheckedLog(_verdict(about, address, Verdict.UNCOVERED, reason, "algorithm"), "")
    try:
        found = inflate(objects.read(key).chunks, MAX_LOG)
    except ObjectNotFound:
        return CheckedLog(_verdict(about, address, Verdict.DELETED, "not found", "not found"), log.sha256)
    except CrosstrailError as error:
        return CheckedLog(
            _verdict(about, address, Verdict.UNCOVERED, f"cannot be read: {error.text}", "unreadable"), ""
        )
    except BrokenObject as error:
        return CheckedLog(_verdict(about, address, Verdict.MODIFIED, f"invalid format: {error}", "format"), log.sha256)
    if found.sha256 != log.sha256:
        cut = ", its gzip data is cut short" if found.cut_short else ""
        reason = f"hash value doesn't match{cut}"
        fault = "trailing" if found.appended else "hash"
        return CheckedLog(_verdict(about, address, Verdict.MODIFIED, reason, fault), log.sha256, found.sha256)
    if found.appended:
        reason = "unexpected data after end of compressed stream"
        return CheckedLog(_verdict(about, address, Verdict.APPENDED, reason, "trailing"), "")
    if found.cut_short:
        return CheckedLog(_verdict(about, address, Verdict.MODIFIED, "the end of its gzip data is cut off", "cut"), "")
    return CheckedLog(_verdict(about, address, Verdict.VALID, "", ""), "")


def _verdict(about: IntegrityFinding, address: str, verdict: Verdict, reason: str, fault: str) -> IntegrityFinding:
    return replace(about, object=address, verdict=verdict, reason=reason, fault=fault)


class Suspects:
    """The log files with a fault, kept to the end: a content that was moved is found where it lies now."""

    def __init__(self) -> None:
        self._faulty: list[CheckedLog] = []
        self._strays: list[tuple[IntegrityFinding, str]] = []

    def add(self, checked: CheckedLog) -> IntegrityFinding | None:
        """The finding, where it can be said at once."""
        if not checked.named or len(self._faulty) >= _MAX_SUSPECTS:
            return checked.finding
        self._faulty.append(checked)
        return None

    @property
    def any(self) -> bool:
        return bool(self._faulty)

    def add_stray(self, finding: IntegrityFinding, sha256: str) -> None:
        self._strays.append((finding, sha256))

    def findings(self) -> Iterator[IntegrityFinding]:
        holders = {one.found: one.finding.object for one in self._faulty if one.found}
        holders |= {sha256: finding.object for finding, sha256 in self._strays if sha256}
        owners = {one.named: one.finding.object for one in self._faulty}
        for one in self._faulty:
            holder, owner = holders.get(one.named), owners.get(one.found)
            if holder and holder != one.finding.object:
                reason = f"{one.finding.reason}: its content lies at {holder}"
                yield replace(one.finding, verdict=Verdict.MOVED, reason=reason)
            elif owner and owner != one.finding.object:
                yield replace(one.finding, reason=f"{one.finding.reason}: it holds the content of {owner}")
            else:
                yield one.finding
        for finding, sha256 in self._strays:
            owner = owners.get(sha256)
            yield replace(finding, reason=f"{finding.reason}; it holds the content of {owner}") if owner else finding


class NamedKeys:
    """Which keys were named, at 8 bytes each: by day, so that a listing is compared in bounded memory."""

    def __init__(self) -> None:
        self._days: dict[str, array[int]] = {}
        self._day = ""
        self._of_day: frozenset[int] = frozenset()

    def add(self, key: str) -> None:
        self._days.setdefault(_day(key), array("Q")).append(_hash(key))

    def __contains__(self, key: str) -> bool:
        day = _day(key)
        if day != self._day:
            self._day, self._of_day = day, frozenset(self._days.get(day, ()))
        return _hash(key) in self._of_day


def _day(key: str) -> str:
    return key.rpartition("/")[0][-10:]


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class Coverage:
    """The union of spans that proved digests cover."""

    def __init__(self, spans: Sequence[tuple[datetime, datetime]]) -> None:
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []
        for start, end in sorted(spans):
            if self._ends and start <= self._ends[-1] + timedelta(seconds=1):
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    @property
    def end(self) -> datetime | None:
        return self._ends[-1] if self._ends else None

    def has(self, start: datetime, end: datetime) -> bool:
        place = bisect_right(self._starts, start) - 1
        return place >= 0 and end <= self._ends[place]


@dataclass(slots=True)
class Named:
    """What the digests of one account and region name, and the time they cover."""

    proved: NamedKeys = field(default_factory=NamedKeys)
    doubtful: NamedKeys = field(default_factory=NamedKeys)
    """By digests that are not proved."""
    spans: list[tuple[datetime, datetime]] = field(default_factory=list)
    late_lost: bool = False
    """A digest that was made later is lost, and nobody knows which files of which hour it named."""

    def add(self, key: str, *, proved: bool) -> None:
        (self.proved if proved else self.doubtful).add(key)


def unnamed(
    objects: ArchiveObjects, tops: Sequence[str], named: Named, asked: AskedSpan, about: IntegrityFinding
) -> Iterator[tuple[IntegrityFinding, str]]:
    """(finding, key) of every object in these folders of logs that no proved digest names, in the asked span."""
    covered = Coverage(named.spans)
    for top in tops:
        after = f"{top}{asked.since:%Y/%m/%d}" if asked.since else ""
        for one in objects.objects(top, after):
            time = log_time(one.key)
            if one.key.endswith("/") or one.key in named.proved or (time and not _in_span(time, asked)):
                continue
            verdict, reason, counts = judge_unnamed(one.key, time, named, covered, asked)
            address = objects.address(one.key)
            yield (
                replace(about, object=address, verdict=verdict, reason=reason, fault=str(verdict), asked=counts),
                one.key,
            )


def _in_span(time: datetime, asked: AskedSpan) -> bool:
    return (asked.since is None or time >= asked.since) and (asked.to_now or time <= asked.until)


def judge_unnamed(
    key: str, time: datetime | None, named: Named, covered: Coverage, asked: AskedSpan
) -> tuple[Verdict, str, bool]:
    """Verdict, reason, and whether it counts.

    A file is delivered some minutes after the time in its name, so the digest of the next hour may be the one to name it:
    only where that is proved too does the silence of both speak against the file.
    """
    if key in named.doubtful:
        return Verdict.UNCOVERED, "named by no digest that is proved", True
    if time is None or covered.has(time, time + HOUR):
        if named.late_lost:
            return Verdict.UNCOVERED, "named by no digest; one that was made later is lost", True
        told = "not named by any digest of its time" if time else "no digest names it, and its name tells no time"
        return Verdict.UNLISTED, told, True
    if covered.end is None or time + HOUR <= covered.end:
        return Verdict.UNCOVERED, "no proved digest covers its time", True
    return Verdict.UNCOVERED, "not yet covered by a digest", not (asked.to_now and time > asked.now - 3 * HOUR)
