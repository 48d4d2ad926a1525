"""What a verification found of an archive, as spans that the lake of its logs covers.

Decides when a digest proves anything of the lake: it is valid, and every log object that it names is valid and was read whole
into this lake. A digest that proves nothing of it is a hole, with the reason. Bounded: digests that follow each other become
one span at once, and log objects are looked up a few hundred at a time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crosstrail.clouds.integrity import ArchiveProofs, FindingKind, IntegrityFinding, Verdict
from crosstrail.coverage import Spans, merged
from crosstrail.lake.covered_spans import CoveredSpan, SpanKind, record_spans
from crosstrail.lake.read_objects import Archives, read_objects

_AT_ONCE = 300
_MERGED_AT = 1_000
_MAX_HOLES = 200
"""Of one trail in one region; further ones of it are told as the last."""
_DELIVERED = re.compile(r"_(\d{8}T\d{4})Z_[^/]*$", re.ASCII)
_SPAN = re.compile(r"^No log files were delivered by \w+ between \S+ and \S+: ")
_WHERE = re.compile(r" \([^()]*/[^()]*\)$")
_NEAR = timedelta(hours=1)
"""How long before its delivery the digest that names a log object may have begun, and after it have ended."""
_NOT_COLLECTED = "log objects of it were not collected"
_Place = tuple[str, str, str]


class ProvedSpans:
    """Takes findings one after another; `record` at the end. For one cloud, whose findings they are."""

    def __init__(self, folder: Path, lake: str, cloud: str, archives: Archives) -> None:
        """`archives`: see read_objects.py."""
        self._folder, self._lake, self._cloud, self._archives = folder, lake, cloud, archives
        self._proved: defaultdict[_Place, list[tuple[datetime, datetime]]] = defaultdict(list)
        self._holes: defaultdict[_Place, list[tuple[datetime, datetime, str]]] = defaultdict(list)
        self._logs: list[IntegrityFinding] = []
        self._failed: defaultdict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)

    def taken(self, findings: Iterable[IntegrityFinding]) -> Iterator[IntegrityFinding]:
        """The same findings, each looked at as it passes. Raises LakeError for a ledger that cannot be read."""
        for one in findings:
            self._take(one)
            yield one

    def _take(self, one: IntegrityFinding) -> None:
        if one.kind is FindingKind.LOG:
            if one.verdict is Verdict.VALID:
                self._logs.append(one)
            elif moment := _delivered(one.object):
                self._failed[one.account, one.region].append((moment, f"a log object is {one.verdict}"))
            if len(self._logs) >= _AT_ONCE:
                self._look_up()
        elif one.start and one.end and one.asked and one.account:
            place = (one.account, one.region, f"{one.trail}{'/backfill' if one.late else ''}")
            if one.verdict is Verdict.VALID and one.late:
                return  # of log files that came late: it says nothing of the others of its hour
            if one.verdict is Verdict.VALID:
                spans = self._proved[place]
                spans.append((one.start, one.end))
                if len(spans) >= _MERGED_AT:
                    spans[:] = merged(spans)
            else:
                reason = _reason_of(one)
                holes = self._holes[place]
                if len(holes) < _MAX_HOLES:
                    holes.append((one.start, one.end, reason))
                else:
                    start, end, known = holes[-1]
                    holes[-1] = (min(start, one.start), max(end, one.end), known)

    def _look_up(self) -> None:
        """Which of the valid log objects this lake did not read whole."""
        logs, self._logs = self._logs, []
        names = {one.object: one for one in logs}
        wanted = [(one.object, (self._cloud, one.account)) for one in logs]
        for name, _ in read_objects(self._folder, wanted, self._archives):
            names.pop(name, None)
        for one in names.values():
            if moment := _delivered(one.object):
                self._failed[one.account, one.region].append((moment, _NOT_COLLECTED))

    def record(self) -> None:
        """Writes down what was found. Raises LakeError."""
        self._look_up()
        record_spans(self._folder, self._lake, self._spans())

    def _spans(self) -> Iterator[CoveredSpan]:
        for place, spans in self._proved.items():
            account, region, trail = place
            whole = merged(spans)
            for start, end in whole:
                yield CoveredSpan(self._cloud, account, region, SpanKind.PROVED, start, end, trail=trail)
            for start, end, reason in self._unproved(whole, account, region):
                yield CoveredSpan(self._cloud, account, region, SpanKind.HOLE, start, end, reason, trail)
        for (account, region, trail), holes in self._holes.items():
            for start, end, reason in holes:
                yield CoveredSpan(self._cloud, account, region, SpanKind.HOLE, start, end, reason, trail)

    def _unproved(self, whole: Spans, account: str, region: str) -> Iterator[tuple[datetime, datetime, str]]:
        """The hours whose digest names what the lake lacks."""
        for moment, reason in self._failed.get((account, region), ()):
            for start, end in whole:
                first, last = max(start, moment - _NEAR), min(end, moment + _NEAR)
                if first < last:
                    yield first, last, reason


def record_proofs(folder: Path, lake: str, cloud: str, proofs: ArchiveProofs, archives: Archives) -> int:
    """After a collection that checked every log object by these proofs: writes down which spans they prove, and the holes. How many
    digests' log objects are all held. Raises LakeError."""

    def held(named: Sequence[tuple[str, str]]) -> set[str]:
        found = read_objects(folder, [(name, (cloud, account)) for name, account in named], archives)
        return {name for name, verified in found if verified}

    spans = []
    complete = 0
    for one in proofs.spans(held):
        place = (cloud, one.account, one.region)
        complete += one.complete
        kind, reason = (SpanKind.PROVED, "") if one.complete else (SpanKind.HOLE, _NOT_COLLECTED)
        spans.append(CoveredSpan(*place, kind, one.start, one.end, reason, one.trail))
    for finding in proofs.findings:
        if _is_hole(finding) and finding.start and finding.end:
            place = (cloud, finding.account, finding.region)
            start, end, reason = finding.start, finding.end, _reason_of(finding)
            spans.append(CoveredSpan(*place, SpanKind.HOLE, start, end, reason, finding.trail))
    record_spans(folder, lake, spans)
    return complete


def _is_hole(finding: IntegrityFinding) -> bool:
    return (
        bool(finding.account and finding.region and finding.trail)
        and finding.kind is not FindingKind.LOG
        and not finding.late
    )


def _reason_of(one: IntegrityFinding) -> str:
    """Why there is a hole where that was found, without the times and the name of the file, which are told otherwise."""
    if one.kind is not FindingKind.GAP:
        return f"a digest is {one.verdict}: {one.reason}"
    if one.verdict is Verdict.MISSING:
        return "the newest digests are missing"
    return f"no digest: {_SPAN.sub('', _WHERE.sub('', one.reason))}"


def _delivered(name: str) -> datetime | None:
    found = _DELIVERED.search(name)
    try:
        return datetime.strptime(found[1], "%Y%m%dT%H%M").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
