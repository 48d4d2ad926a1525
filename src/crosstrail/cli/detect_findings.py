"""What `crosstrail detect` does: findings on stdout, what was covered on stderr; and what is new, again and again.

Decides that detections which could not run fail no collection: it is said, and the next run makes up for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import anyio

from crosstrail.answers.detect import DetectCall, Detected, about_rules, detect, headline
from crosstrail.answers.detection_rules import loaded, named
from crosstrail.answers.new_findings import Watch, new_findings, take_as_known
from crosstrail.cli.finding_output import FindingPrinter
from crosstrail.cli.output import CommandOutput
from crosstrail.cli.progress import progress_line
from crosstrail.cli.statuses import DONE, found_status, status_of
from crosstrail.cli.words import say
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.messages import summary
from crosstrail.detections.rules import at_least
from crosstrail.errors import CloudError, LakeError, QueryError
from crosstrail.lookup.fanout import Progress
from crosstrail.models import AccountKey
from crosstrail.settings.config import Settings
from crosstrail.stop_signals import on_stop_signal
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_EVERYTHING = DetectCall()


def print_detected(
    settings: Settings, asked: DetectCall, output: CommandOutput, limit: int | None, *, exits: bool
) -> int:
    """The exit status."""
    printer = FindingPrinter(output)
    with progress_line("Looking for findings", "targets") as bar:
        found = anyio.run(_detect, settings, asked, bar.counted)
    shown = found.findings[:limit]
    printer.print(shown, found.names)
    printer.close()
    for line in [headline(found, len(shown)), *found.about, *found.coverage]:
        say(line)
    if len(shown) < len(found.findings):
        say(f"For all of them raise --limit to {len(found.findings)}, or narrow it by --level, --rule or --since.")
    status = status_of(done=1, failed=found.refused + (not found.complete))
    return found_status(status, found=exits and bool(found.findings))


async def _detect(settings: Settings, asked: DetectCall, progress: Progress) -> Detected:
    workspace = Workspace(settings)
    try:
        return await detect(ScopedWorkspace(workspace), asked, progress=progress)
    finally:
        await workspace.aclose()


class Detection:
    """New findings for a command that goes on, or that collects: rules read once, each finding printed once."""

    def __init__(self, settings: Settings, output: CommandOutput, asked: DetectCall = _EVERYTHING) -> None:
        """Reads the rules. Raises ConfigError, InvalidRequest."""
        every = loaded(settings.detect, asked.files)
        self._settings = settings
        self._watch = Watch(named(at_least(every, asked.level or settings.detect.level), asked.only), asked.selector)
        self._printer = FindingPrinter(output)
        self._names: dict[AccountKey, str] = {}
        self.told = 0
        """New findings so far."""
        self.rules_refused = len(every.problems)
        for line in about_rules(every):
            say(line)

    def close(self) -> None:
        """After the last findings."""
        self._printer.close()

    def begin(self) -> None:
        """As begin_in, with a workspace of its own."""
        anyio.run(self._alone, "begin")

    def once(self) -> bool:
        """As once_in, with a workspace of its own."""
        return anyio.run(self._alone, "once")

    async def _alone(self, what: Literal["begin", "once"]) -> bool:
        workspace = Workspace(self._settings)
        try:
            return await (self.begin_in(workspace) if what == "begin" else self.once_in(workspace))
        finally:
            await workspace.aclose()

    async def begin_in(self, workspace: Workspace) -> bool:
        """Before the first collection: what is there is known. Raises LakeError, QueryError."""
        known = await take_as_known(workspace, self._watch)
        if known:
            say(f"{known:,} matches in what was collected before are nothing new: `crosstrail detect` shows them.")
        return True

    async def once_in(self, workspace: Workspace) -> bool:
        """Prints and sends what is new; False where something of that failed, which is said."""
        try:
            self._names = {one.key: one.name for one in (await workspace.listed()).registry.accounts}
            found = await new_findings(workspace, self._watch, self._tell)
        except (CloudError, LakeError, QueryError) as error:
            say(f"detections did not run to their end, the next run makes up for it: {error.operators_text}")
            return False
        for line in found.about:
            say(line)
        if found.undelivered:
            say(found.undelivered.operators_text)
        return not found.undelivered and not self.rules_refused

    def _tell(self, findings: Sequence[DetectionFinding]) -> None:
        self._printer.print(findings, self._names)
        say(f"{summary(findings)}.")
        self.told += len(findings)


def follow_findings(settings: Settings, asked: DetectCall, output: CommandOutput, every: float, *, exits: bool) -> int:
    """Until SIGTERM or Ctrl-C; the exit status."""
    detection = Detection(settings, output, asked)
    anyio.run(_follow, settings, detection, every)
    detection.close()
    return found_status(DONE, found=exits and bool(detection.told))


async def _follow(settings: Settings, detection: Detection, every: float) -> None:
    stopped = anyio.Event()

    async def stop(number: int) -> None:
        stopped.set()

    workspace = Workspace(settings)
    try:
        async with on_stop_signal(stop):
            while not stopped.is_set():
                await detection.once_in(workspace)
                with anyio.move_on_after(every):
                    await stopped.wait()
    finally:
        await workspace.aclose()
    say("stopped: the next run goes on there")
