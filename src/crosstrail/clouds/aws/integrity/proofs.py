"""What the digests of an archive say of its log files: read first, so that a collection checks each file as it reads it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

from crosstrail.clouds.aws.integrity.chain import NamingDigest
from crosstrail.clouds.aws.integrity.digest import MAX_LOG, BrokenObject, inflate
from crosstrail.clouds.aws.integrity.judge import SHA256, place_of
from crosstrail.clouds.aws.integrity.keys import KeyRing
from crosstrail.clouds.aws.integrity.layout import accounts_of, places_of
from crosstrail.clouds.aws.integrity.logs import Coverage, Named, judge_unnamed
from crosstrail.clouds.aws.integrity.names import base_of, log_time
from crosstrail.clouds.aws.integrity.verify import VerificationRun
from crosstrail.clouds.integrity import (
    ArchiveObjects,
    AskedSpan,
    DigestSpan,
    FindingKind,
    IntegrityFinding,
    KeyFile,
    OnlineKeys,
    Verdict,
)

_THREADS = 64
_AT_ONCE = 1_000
"""Log files that are asked for together, whether they are held."""
_OF_KEY = re.compile(r"AWSLogs/(?:o-[a-z0-9]{4,32}/)?(\d{12})/CloudTrail[A-Za-z-]*/([a-z0-9-]{2,40})/", re.ASCII)
_NOWHERE = (None, "lies where no digest speaks of it")


@dataclass(slots=True)
class TrailProofs:
    """See ArchiveProofs."""

    asked: AskedSpan
    findings: list[IntegrityFinding] = field(default_factory=list)
    _hashes: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    """Address -> the hash of its content, and which digest names it."""
    _digests: list[DigestSpan] = field(default_factory=list)
    _late: set[int] = field(default_factory=set)
    _lacking: set[int] = field(default_factory=set)
    """Digests that name what nobody can check."""
    _named: dict[tuple[str, str], tuple[Named, Coverage]] = field(default_factory=dict)

    def check(self, address: str, chunks: Iterable[bytes]) -> tuple[bool | None, str]:
        known = self._hashes.get(address)
        if known is None:
            return self._unnamed(address)
        try:
            found = inflate(chunks, MAX_LOG)
        except BrokenObject as error:
            return False, f"invalid format: {error}"
        if found.sha256 != known[0].hex():
            return False, "hash value doesn't match"
        if found.appended or found.cut_short:
            return False, "unexpected data after end of compressed stream" if found.appended else "its end is cut off"
        return True, ""

    def named(self) -> Iterator[tuple[str, str]]:
        for address, (_, number) in self._hashes.items():
            yield address, self._digests[number].account

    def spans(self, held: Callable[[Sequence[tuple[str, str]]], Collection[str]]) -> Iterator[DigestSpan]:
        lacking = set(self._lacking)
        rest = self.named()
        while some := list(islice(rest, _AT_ONCE)):
            there = held(some)
            lacking.update(self._hashes[address][1] for address, _ in some if address not in there)
        for number, span in enumerate(self._digests):
            if number not in self._late:
                yield replace(span, complete=number not in lacking)

    def _unnamed(self, address: str) -> tuple[bool | None, str]:
        found = _OF_KEY.search(address)
        named = self._named.get((found[1], found[2])) if found else None
        if named is None:
            return _NOWHERE
        verdict, reason, _ = judge_unnamed(address, log_time(address), *named, self.asked)
        return (False if verdict is Verdict.UNLISTED else None), reason

    def add(self, objects: ArchiveObjects, base: str, one: NamingDigest, about: IntegrityFinding, named: Named) -> None:
        """What a digest names."""
        places = [(place_of(objects, base, log.bucket, log.key), log) for log in one.digest.logs]
        if not one.proved:
            for key, _ in places:
                if key:
                    named.doubtful.add(objects.address(key))
            return
        number = len(self._digests)
        span = one.digest.start, one.digest.end
        self._digests.append(DigestSpan(about.account, about.region, about.trail, *span, complete=False))
        if about.late:
            self._late.add(number)
        for key, log in places:
            address = objects.address(key) if key else ""
            if address and address not in self._hashes and log.algorithm in ("", SHA256) and len(log.sha256) == 64:
                self._hashes[address] = (bytes.fromhex(log.sha256), number)
            else:
                self._lacking.add(number)

    def close(self, account: str, region: str, named: Named) -> None:
        self._named[account, region] = (named, Coverage(named.spans))


def proofs(
    objects: ArchiveObjects, asked: AskedSpan, keys: KeyFile, online: OnlineKeys | None, stop: threading.Event
) -> TrailProofs:
    """As `Integrity.proofs` says."""
    found = TrailProofs(asked)
    with ThreadPoolExecutor(_THREADS, "proofs-read") as readers:
        run = VerificationRun(objects, asked, keys, KeyRing(keys, online), readers, stop)
        for account, folder in accounts_of(objects):
            if not asked.accounts.has(account):
                continue
            for place in places_of(objects, account, folder):
                if not asked.regions.has(place.region):
                    continue
                named = Named()
                about: IntegrityFinding | None = None
                for one in run.digests(place, named):
                    if isinstance(one, NamingDigest):
                        assert about is not None  # noqa: S101 - each digest is judged before it says what it names
                        found.add(objects, base_of(place.digests), one, about, named)
                        continue
                    about = one
                    named.late_lost |= one.late and not one.proved and one.kind is FindingKind.DIGEST
                    if not one.proved:
                        found.findings.append(one)
                found.close(place.account, place.region, named)
    return found
