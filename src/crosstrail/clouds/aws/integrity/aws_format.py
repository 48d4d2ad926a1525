"""The lines that `aws cloudtrail validate-logs` prints of the same findings, one trail of one account and region after another.

Faults go to stderr and the rest to stdout, as there. What it does not see has a line in its manner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from crosstrail.clouds.aws.regions import partition_of
from crosstrail.clouds.integrity import AskedSpan, FindingKind, IntegrityFinding, Verdict

_WORDS = {
    "moved": "has been moved from its original location",
    "signature": "signature verification failed",
    "hash": "hash value doesn't match",
    "format": "invalid format",
    "trailing": "unexpected data after end of compressed stream",
    "not found": "not found",
}
Line = tuple[str, bool]


class AwsFormat:
    """See FindingFormat."""

    def __init__(self, asked: AskedSpan, *, verbose: bool) -> None:
        self._asked = asked
        self._verbose = verbose
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._start: datetime | None = None
        self._end: datetime | None = None

    def lines(self, findings: Iterator[IntegrityFinding]) -> Iterator[Line]:
        of: tuple[str, str] | None = None
        trail = ""
        for one in findings:
            if (one.account, one.region) != of:
                if of:
                    yield from self._summary()
                of, trail = (one.account, one.region), ""
            if one.trail and not trail:
                trail = one.trail
                yield self._heading(one), False
                yield "", False
            yield from self._line(one)
        yield from self._summary()

    def _heading(self, one: IntegrityFinding) -> str:
        name, _, home = one.trail.rpartition("_")
        arn = f"arn:{partition_of(home)}:cloudtrail:{home}:{one.account}:trail/{name}"
        return f"Validating log files for trail {arn} between {self._asked_text(' and ')}"

    def _line(self, one: IntegrityFinding) -> Iterator[Line]:
        if one.kind is FindingKind.GAP and one.verdict is Verdict.GAP:
            yield f"{'(backfill) ' if one.late else ''}{one.reason.partition(': ')[0]}", True
            yield "", True
            return
        kind = {FindingKind.DIGEST: "digest", FindingKind.LOG: "log"}.get(one.kind)
        if kind is None:
            yield f"Span\t{one.object}\tINVALID: {one.reason}", True
            yield "", True
            return
        valid = one.verdict is Verdict.VALID
        if one.asked:
            self._counts[("backfill digest" if one.late and kind == "digest" else kind), valid] += 1
        if valid and kind == "digest":
            self._found(one)
        late = "(backfill) " if one.late and kind == "digest" else ""
        what = f"{late}{'Digest' if kind == 'digest' else 'Log'} file\t{one.object}"
        if valid:
            if self._verbose:
                yield f"{what}\tvalid", False
            return
        reason = _WORDS.get(one.fault, one.reason)
        yield f"{what}\tINVALID: {reason}", True
        yield "", True

    def _found(self, one: IntegrityFinding) -> None:
        if one.start and one.end:
            start = max(one.start, self._asked.since) if self._asked.since else one.start
            end = min(one.end, self._asked.until)
            self._start = min(self._start or start, start)
            self._end = max(self._end or end, end)

    def _summary(self) -> Iterator[Line]:
        yield f"Results requested for {self._asked_text(' to ')}", False
        counts, self._counts = self._counts, Counter()
        if not any(kind != "log" for kind, _ in counts):
            yield "No digests found", False
            return
        if self._start and self._end:
            yield f"Results found for {_z(self._start)} to {_z(self._end)}:", False
        else:
            yield "No valid digests found in range", False
        self._start = self._end = None
        yield "", False
        for kind in ("digest", "backfill digest", "log"):
            valid, invalid = counts[kind, True], counts[kind, False]
            total = valid + invalid
            if total:
                more = f", {invalid}/{total} {kind} files INVALID" if invalid else ""
                yield f"{valid}/{total} {kind} files valid{more}", False
        yield "", False

    def _asked_text(self, between: str) -> str:
        since = _z(self._asked.since) if self._asked.since else "the first digest"
        return f"{since}{between}{_z(self._asked.until)}"


def _z(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
