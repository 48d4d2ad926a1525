"""A lake of events that rules are run over, by the statements that detections are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.plan import Hit, detection_statements, hit_statements, read_findings, read_hits
from crosstrail.detections.rules import RuleSet
from crosstrail.engines.analysis import Analysis
from crosstrail.settings.config import Settings
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from lake_workspace import collect, write_logs

RECORDS = "SELECT account || '/' || eventid, eventjson FROM events WHERE cloud = 'aws' AND eventid IS NOT NULL"
Tables = Sequence[Sequence[Sequence[object]]]


class DetectionLake:
    """`events`: the texts of AWS's records by account/id."""

    def __init__(self, folder: Path) -> None:
        self._settings = Settings.model_validate({"lake": {"path": str(folder)}})
        self.events = {str(row[0]): str(row[1]) for row in self.tables([RECORDS])[0]}

    def tables(self, statements: Sequence[str]) -> Tables:
        async def ask() -> Tables:
            workspace = Workspace(self._settings)
            try:
                scoped = ScopedWorkspace(workspace)
                keys = [account.key for account in (await scoped.scope("*")).accounts]
                return (await scoped.analyze(Analysis(statements, keys))).tables
            finally:
                await workspace.aclose()

        return anyio.run(ask)

    def hits(self, rules: RuleSet) -> list[Hit]:
        return read_hits(rules, self.tables(hit_statements(rules)))

    def findings(self, rules: RuleSet, *, repeats: bool = False) -> list[DetectionFinding]:
        return read_findings(rules, self.tables(detection_statements(rules, repeats=repeats)))


def lake_of(folder: Path, records: Iterable[Mapping[str, Any]]) -> DetectionLake:
    write_logs(folder / "logs", records)
    collect(folder / "logs", folder / "lake")
    return DetectionLake(folder / "lake")


def id_of(hit: Hit) -> str:
    return f"{hit.event.account}/{hit.event.id}"
