"""What detections find in the events of some accounts: the findings, and everything that must be known to believe them.

Decides the order (gravest first), what suppressions hold back, and that an answer says which rules could not run, over what it looked
and where it did not. Both front ends word it: `text` for a model, the command line for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from crosstrail.answers.detection_rules import named, rules_of
from crosstrail.answers.new_here import new_here
from crosstrail.answers.observe import EventsQuestion, Observed, observe
from crosstrail.answers.render import listed
from crosstrail.detections.baseline_findings import BASELINES
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.levels import LEVELS, Level
from crosstrail.detections.rules import RuleSet, at_least
from crosstrail.detections.suppressions import Sifted, sift
from crosstrail.lake import require_libraries
from crosstrail.lookup.fanout import Progress
from crosstrail.models import AccountKey
from crosstrail.text import clean
from crosstrail.timerange import parse_range
from crosstrail.workspace.scoped import ScopedWorkspace

_LISTED = 8
_REASON_BYTES = 200


@dataclass(frozen=True, slots=True)
class DetectCall:
    """What was asked, as it was written. `level`: empty for that of the settings. `only`: rules by id or title. `files`: further
    files and folders of rules."""

    selector: str = ""
    region: str = ""
    start: str = ""
    end: str = ""
    level: Level | None = None
    only: str = ""
    files: tuple[str, ...] = ()
    new: bool = False
    """Baselines instead of rules: what is new in the span, or in the last day held."""


@dataclass(frozen=True, slots=True)
class Detected:
    """`findings`: those not suppressed. `ran`: rules. `about`: what has to be said of rules and suppressions, a line each;
    `coverage`: the same of what was looked at."""

    findings: tuple[DetectionFinding, ...]
    sifted: Sifted
    level: Level
    ran: int
    refused: int
    about: tuple[str, ...]
    coverage: tuple[str, ...]
    names: dict[AccountKey, str]
    complete: bool

    @property
    def counts(self) -> dict[str, int]:
        """Findings of each level that has some, the gravest first."""
        found = Counter(finding.rule.level for finding in self.findings)
        return {level: found[level] for level in reversed(LEVELS) if found[level]}


async def detect(workspace: ScopedWorkspace, asked: DetectCall, *, progress: Progress | None = None) -> Detected:
    """Raises InvalidRequest, ConfigError and what observe raises."""
    require_libraries()
    from crosstrail.detections.plan import detection_statements, left_out, read_findings  # which needs them

    settings = workspace.settings.detect
    level = asked.level or settings.level
    span = parse_range(asked.start, asked.end, now=datetime.now(UTC).replace(microsecond=0), default_age=None)
    question = EventsQuestion(asked.selector, asked.region, span)
    if asked.new:
        return await _new(workspace, question, level, progress)
    every = await rules_of(settings, asked.files)
    rules = named(at_least(every, level), asked.only)
    seen = await observe(workspace, question, detection_statements(rules), progress=progress)
    sifted = sifted_by(workspace, read_findings(rules, seen.tables), seen)
    return Detected(
        findings=sifted.shown,
        sifted=sifted,
        level=level,
        ran=len(rules),
        refused=len(every.problems),
        about=(*_beyond(left_out(seen.tables)), *about_rules(every), *about_suppressions(sifted)),
        coverage=seen.coverage,
        names=seen.names,
        complete=seen.complete,
    )


def _beyond(count: int) -> list[str]:
    return (
        [f"{count:,} more findings, less grave or older, were not read: narrow it by level, rule or time."]
        if count
        else []
    )


async def _new(
    workspace: ScopedWorkspace, question: EventsQuestion, level: Level, progress: Progress | None
) -> Detected:
    findings, about, seen = await new_here(workspace, question, progress=progress)
    sifted = sifted_by(
        workspace, [one for one in findings if LEVELS.index(one.rule.level) >= LEVELS.index(level)], seen
    )
    return Detected(
        findings=sifted.shown,
        sifted=sifted,
        level=level,
        ran=sum(LEVELS.index(rule.level) >= LEVELS.index(level) for rule in BASELINES.values()),
        refused=0,
        about=(*about, *about_suppressions(sifted)),
        coverage=seen.coverage,
        names=seen.names,
        complete=seen.complete,
    )


def sifted_by(workspace: ScopedWorkspace, findings: Sequence[DetectionFinding], seen: Observed) -> Sifted:
    """The findings without those that the settings suppress."""
    aliases = {account.key: account.alias for account in (*seen.of_lake, *seen.live)}
    return sift(
        findings,
        workspace.settings.detect.suppressions,
        datetime.now(UTC).date(),
        lambda key: tuple(filter(None, (key[1], aliases.get(key, "")))),
    )


def about_rules(rules: RuleSet) -> list[str]:
    """Those that could not be used, and what will surprise of the others."""
    lines = []
    if rules.problems:
        told = listed([clean(str(one), _REASON_BYTES) for one in rules.problems], _LISTED)
        lines.append(f"NOT run, because they cannot be used: {len(rules.problems)} rules: {told}")
    if rules.warnings:
        lines.append(f"Rules: {listed([clean(str(one), _REASON_BYTES) for one in rules.warnings], _LISTED)}")
    return lines


def about_suppressions(sifted: Sifted) -> list[str]:
    """Each with its reason."""
    lines = []
    if sifted.suppressed:
        told = [
            f"{count} of {clean(one.rule, 80)} ({clean(one.reason, _REASON_BYTES)}{f', until {one.until}' if one.until else ''})"
            for one, count in sifted.suppressed
        ]
        lines.append(f"Suppressed: {sifted.suppressed_count}: {listed(told, _LISTED)}.")
    if sifted.expired:
        told = [f"{clean(one.rule, 80)} on {one.until} ({clean(one.reason, _REASON_BYTES)})" for one in sifted.expired]
        lines.append(f"Suppressions that have expired, and hold back nothing: {listed(told, _LISTED)}.")
    return lines


def headline(found: Detected, shown: int) -> str:
    """`7 findings of 57 rules (level medium and above): 1 critical, 6 high.`"""
    total = len(found.findings)
    some = ", ".join(f"{count} {level}" for level, count in found.counts.items())
    ran = f"{found.ran} rule{'s' * (found.ran != 1)} (level {found.level} and above)"
    if not total:
        return f"No findings of {ran}."
    here = "" if shown == total else f", the gravest {shown} here"
    return f"{total} finding{'s' * (total != 1)} of {ran}: {some}{here}."
