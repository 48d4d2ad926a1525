"""Everything that a report says, asked of the accounts once.

Decides what is asked: coverage, detections, the timeline, and a summary of each subject, those named and those of the gravest
findings. A part that could not be had is told, and the report goes on without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from crosstrail.answers.detect import DetectCall, Detected, detect
from crosstrail.answers.log_coverage import LogCoverage, log_coverage
from crosstrail.answers.summarize import Summarized, SummaryCall, summarize
from crosstrail.answers.timeline import TimelineQuestion, timeline
from crosstrail.answers.timeline_data import Timeline
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.levels import LEVELS, Level
from crosstrail.errors import CrosstrailError
from crosstrail.lookup.fanout import Progress
from crosstrail.models import Account, AccountKey
from crosstrail.timerange import TimeRange, parse_range
from crosstrail.workspace.scoped import ScopedWorkspace

T = TypeVar("T")
MAX_SUBJECTS = 20
_OF_FINDINGS = 3
"""Principals of findings that are summarized where nobody named a subject."""
_BINS, _EVENTS, _RECORD_BYTES = 120, 20_000, 12_000_000


@dataclass(frozen=True, slots=True)
class ReportCall:
    """What was asked, as it was written. `files`: further files and folders of rules."""

    account: str = ""
    region: str = ""
    start: str = ""
    end: str = ""
    subjects: tuple[str, ...] = ()
    level: Level | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceFacts:
    """An export that lies beside the report. `words`: how many records of what."""

    file: str
    manifest: str
    sha256: str
    words: str
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A part that could not be had, and why, in words."""

    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """`subjects`: of the summaries, those named before those of findings."""

    call: ReportCall
    made: datetime
    span: TimeRange
    accounts: tuple[Account, ...]
    coverage: LogCoverage | None = None
    detected: Detected | None = None
    new: Detected | None = None
    """What the same accounts never did before."""
    timeline: Timeline | None = None
    summaries: tuple[Summarized, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()
    warnings: tuple[str, ...] = ()
    evidence: EvidenceFacts | None = None
    timeline_file: str = ""

    @property
    def findings(self) -> tuple[DetectionFinding, ...]:
        """Of rules, then what is new."""
        return tuple(finding for one in (self.detected, self.new) if one for finding in one.findings)

    @property
    def names(self) -> Mapping[AccountKey, str]:
        return {one.key: one.name for one in self.accounts}

    @property
    def complete(self) -> bool:
        """Whether every part was had, of every account."""
        parts = [one.complete for one in (self.detected, self.new) if one]
        return not self.unanswered and all(parts) and all(one.observed.complete for one in self.summaries)


async def gathered(workspace: ScopedWorkspace, call: ReportCall, *, progress: Progress | None = None) -> IncidentReport:
    """Raises AccountNotFound, BadTimeRange, InvalidRequest: what is wrong with the question itself."""
    made = datetime.now(UTC).replace(microsecond=0)
    span = parse_range(call.start, call.end, now=made, default_age=None)
    accounts = tuple((await workspace.registry()).select(call.account.strip() or "*"))
    without: list[Unanswered] = []

    async def had(part: str, asked: Awaitable[T]) -> T | None:
        try:
            return await asked
        except CrosstrailError as error:
            without.append(Unanswered(part, error.text))
            return None

    coverage = await had("The coverage of the logs", log_coverage(workspace, call.account, call.region, span))
    rules = DetectCall(call.account, call.region, call.start, call.end, call.level, files=call.files)
    found = await had("Detections", detect(workspace, rules, progress=progress))
    new = await had("What is new", detect(workspace, replace(rules, new=True), progress=progress))
    picture = TimelineQuestion(call.account, call.region, span, (), "principal", _EVENTS, _RECORD_BYTES, _BINS)
    shown = await had("The timeline", timeline(workspace, picture, progress=progress))
    subjects = [(one, call.account) for one in call.subjects] or _principals(found.findings if found else ())
    summaries = []
    for subject, account in subjects[:MAX_SUBJECTS]:
        asked = SummaryCall(subject, account, call.start, call.end, call.region)
        summaries.append(await had(f"The summary of {subject}", summarize(workspace, asked, progress=progress)))
    return IncidentReport(
        call,
        made,
        span,
        accounts,
        coverage,
        found,
        new,
        shown[0] if shown else None,
        tuple(one for one in summaries if one),
        tuple(without),
        (await workspace.listed()).warnings,
    )


def _principals(findings: Sequence[DetectionFinding]) -> list[tuple[str, str]]:
    """(principal, account) of those with the gravest findings, of several those of whom most different rules found something."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for one in findings:
        if one.principal:
            found.setdefault((one.principal, one.account[1]), {})[one.rule.id] = LEVELS.index(one.rule.level)
    return sorted(found, key=lambda who: (-max(found[who].values()), -len(found[who])))[:_OF_FINDINGS]
