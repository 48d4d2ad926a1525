"""Rules over a file of events that no lake holds: what they match, by the same statements as over a lake.

The events are collected into a lake of their own, which is deleted afterwards.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from crosstrail.detections.plan import Hit, hit_statements, read_hits
from crosstrail.detections.rules import RuleSet
from crosstrail.engines.analysis import Analysis
from crosstrail.errors import InvalidRequest
from crosstrail.lake.collector import collect
from crosstrail.settings.config import Settings
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_NAMELESS = "000000000000"
"""The account of records that name none."""


@dataclass(frozen=True, slots=True)
class TestedRules:
    """`unread`: what is wrong with the file, a line each."""

    hits: tuple[Hit, ...]
    events: int
    unread: tuple[str, ...]


async def run_rules(rules: RuleSet, events: Path) -> TestedRules:
    """Raises InvalidRequest where the file has no event, LakeError."""
    with tempfile.TemporaryDirectory(prefix="crosstrail-rules-") as folder:
        lake = Path(folder, "lake")
        report = collect([events], lake, account=_NAMELESS, workers=1)
        unread = tuple(f"{one.path}, {one.position}: {one.reason}" for one in report.problems)
        if not report.new:
            raise InvalidRequest("there is no event in it", hint="Give a file of CloudTrail's records.").about(
                str(events)
            )
        workspace = Workspace(Settings.model_validate({"lake": {"path": str(lake)}}))
        try:
            scoped = ScopedWorkspace(workspace)
            keys = [account.key for account in (await scoped.scope("*")).accounts]
            found = await scoped.analyze(Analysis(hit_statements(rules), keys))
        finally:
            await workspace.aclose()
    return TestedRules(tuple(read_hits(rules, found.tables)), report.new, unread)
