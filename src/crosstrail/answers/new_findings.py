"""New findings alone: rules over what the lake got since they last ran, each match told once.

Decides which data files a run reads. Rules look at those that they never ran on, whatever the times of their events; correlations at
all events within their window around these. What was recorded decides what is new (workspace/detection_state.py), so that files
that come late, a compaction and a process killed anywhere neither lose nor double a finding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING

import anyio.to_thread

from crosstrail import __version__
from crosstrail.answers.detect import about_suppressions
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.messages import FINDINGS_A_MESSAGE, message
from crosstrail.detections.plan import Hit, findings_of, hit_statements, read_hits
from crosstrail.detections.rules import RuleSet
from crosstrail.detections.suppressions import Sifted, sift
from crosstrail.engines.analysis import Analysis
from crosstrail.errors import DeliveryFailed, LakeError
from crosstrail.models import AccountKey
from crosstrail.workspace.detection_state import DetectionState, MatchKey, Waiting, opened_state

if TYPE_CHECKING:
    from crosstrail.lake.snapshot import LakeFile
    from crosstrail.workspace.workspace import Workspace

Told = Callable[[Sequence[DetectionFinding]], None]
"""Prints findings, and returns when they are printed."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is looked for. `selector`: of which accounts; empty for every one that the lake holds. `rules`: of the level that is
    asked for."""

    rules: RuleSet
    selector: str = ""

    @property
    def fingerprint(self) -> str:
        """The same for the same rules."""
        return hashlib.sha256(repr((self.rules.rules, self.rules.correlations)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class NewFindings:
    """What a run did. `undelivered`: why the webhook did not take them; the next run sends them."""

    told: int = 0
    events: int = 0
    about: tuple[str, ...] = ()
    undelivered: DeliveryFailed | None = None


async def take_as_known(workspace: Workspace, watch: Watch) -> int:
    """Before a collection: what was there before it is nothing new, where detections never ran, or ran by other rules. What came
    since they last ran stays to be told. How many matches that are. Raises LakeError, QueryTimedOut."""
    try:
        files = await _files(workspace, watch) if workspace.settings.lake.exists() else ()
    except LakeError:  # its making was cut short, or it is damaged: the collection mends that, or says so
        files = ()
    if not files:
        with opened_state(workspace.settings.lake.folder) as state:
            state.begin()
        return 0
    with opened_state(workspace.settings.lake.folder, await _uuid(workspace)) as state:
        there = _by_name(files)
        untold = state.unseen(there) if state.has_begun else set()
        stale = [there[name] for name in state.unseen(there, watch.fingerprint) - untold]
        hits = await _hits(workspace, watch.rules, files, stale)
        return state.take_as_known(list(hits), map(_name, stale), watch.fingerprint)


async def new_findings(workspace: Workspace, watch: Watch, tell: Told) -> NewFindings:
    """Finds, tells and sends what is new, and what an earlier run could not. Raises LakeError, QueryTimedOut."""
    if not workspace.settings.lake.exists():
        return NewFindings()
    webhook = workspace.settings.detect.webhook
    files = await _files(workspace, watch)
    with opened_state(workspace.settings.lake.folder, await _uuid(workspace)) as state:
        there = _by_name(files)
        pending = [there[name] for name in state.unseen(there, watch.fingerprint)]
        about: list[str] = []
        if pending:
            names = await _names(workspace)
            hits = await _hits(workspace, watch.rules, files, pending)

            def shown(fresh: Collection[MatchKey]) -> Sequence[DetectionFinding]:
                sifted = _sifted(workspace, findings_of(hits[key] for key in hits if key in fresh), names)
                about.extend(about_suppressions(sifted))
                return sifted.shown

            sends = bool(webhook.url.get_secret_value())
            state.record(list(hits), shown, map(_name, pending), watch.fingerprint, sends=sends)
            if not watch.selector:
                state.forget_files(there)
        waiting = state.waiting()
        told = _tell(state, waiting, tell)
        failed = await _send(state, waiting, workspace)
        return NewFindings(told, sum(file.rows for file in pending), tuple(about), failed)


def _tell(state: DetectionState, waiting: Sequence[Waiting], tell: Told) -> int:
    untold = [one for one in waiting if not one.printed]
    if untold:
        tell([one.finding for one in untold])
        state.note_printed(one.number for one in untold)
    return len(untold)


async def _send(state: DetectionState, waiting: Sequence[Waiting], workspace: Workspace) -> DeliveryFailed | None:
    """To the webhook, a message after the other; what was taken is noted at once."""
    unsent = [one for one in waiting if not one.sent]
    webhook = workspace.settings.detect.webhook
    if not unsent:
        return None
    if not webhook.url.get_secret_value():
        state.note_all_sent()
        return None
    from crosstrail.workspace.finding_webhook import post  # whose client takes a third of a second to load

    for start in range(0, len(unsent), FINDINGS_A_MESSAGE):
        some = unsent[start : start + FINDINGS_A_MESSAGE]
        try:
            await post(message([one.finding for one in some], webhook.form, __version__), webhook)
        except DeliveryFailed as error:
            return error
        state.note_sent(one.number for one in some)
    return None


def _sifted(
    workspace: Workspace, findings: Iterable[DetectionFinding], names: dict[AccountKey, tuple[str, ...]]
) -> Sifted:
    suppressions = workspace.settings.detect.suppressions
    return sift(findings, suppressions, datetime.now(UTC).date(), lambda key: names.get(key, key[1:]))


async def _names(workspace: Workspace) -> dict[AccountKey, tuple[str, ...]]:
    """Ids and aliases, for suppressions."""
    if not workspace.settings.detect.suppressions:
        return {}
    accounts = (await workspace.listed()).registry.accounts
    return {one.key: tuple(filter(None, (one.id, one.alias))) for one in accounts}


async def _files(workspace: Workspace, watch: Watch) -> tuple[LakeFile, ...]:
    """The data files of the accounts that are watched, as the lake has them now."""
    snapshot = await anyio.to_thread.run_sync(lambda: workspace.lake.snapshot())
    if not watch.selector:
        return snapshot.files
    keys = {account.key for account in (await workspace.listed()).registry.select(watch.selector)}
    return tuple(file for file in snapshot.files if file.key in keys)


async def _uuid(workspace: Workspace) -> str:
    return (await workspace.lake_snapshot())[0]


def _name(file: LakeFile) -> str:
    """The same wherever the lake lies; no two files of a lake have one."""
    return PurePath(file.path).name


def _by_name(files: Iterable[LakeFile]) -> dict[str, LakeFile]:
    return {_name(file): file for file in files}


async def _hits(
    workspace: Workspace, rules: RuleSet, files: Sequence[LakeFile], pending: Sequence[LakeFile]
) -> dict[MatchKey, Hit]:
    """What the rules match in the pending files, and correlations around them."""
    if not pending:
        return {}
    alone = replace(rules, correlations=())
    found = await _of_files(workspace, alone, pending) if len(alone) else []
    if rules.correlations:
        found += await _correlated(workspace, rules, files, pending)
    return {MatchKey(hit.rule.id, *hit.account, hit.event.id): hit for hit in found}


async def _of_files(workspace: Workspace, rules: RuleSet, files: Sequence[LakeFile]) -> list[Hit]:
    """Halved where one analysis finds more than it may give back. Raises LakeError where one file is too much."""
    paths = {file.path for file in files}
    try:
        return await _analyzed(workspace, rules, {file.key for file in files}, lambda file: file.path in paths)
    except LakeError:
        if len(files) == 1:
            raise
    half = len(files) // 2
    return [hit for some in (files[:half], files[half:]) for hit in await _of_files(workspace, rules, some)]


async def _correlated(
    workspace: Workspace, rules: RuleSet, files: Sequence[LakeFile], pending: Sequence[LakeFile]
) -> list[Hit]:
    """Of all days that an event of the pending files can complete one in, before it and after."""
    window = timedelta(seconds=max(one.seconds for one in rules.correlations))
    days: set[date] = set()
    for file in pending:
        first, last = (file.first - window).date(), (file.last + window).date()
        days.update(first + timedelta(days=day) for day in range((last - first).days + 1))
    alone = replace(rules, rules=tuple(replace(one, shown=False) for one in rules.rules))
    return await _analyzed(workspace, alone, {file.key for file in files}, lambda file: file.day in days)


async def _analyzed(
    workspace: Workspace, rules: RuleSet, accounts: Iterable[AccountKey], only: Callable[[LakeFile], bool]
) -> list[Hit]:
    asked = Analysis(hit_statements(rules), sorted(accounts), only=only)
    return read_hits(rules, (await workspace.lake_engine().analyze(asked)).tables)
