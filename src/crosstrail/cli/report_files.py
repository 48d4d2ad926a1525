"""What `crosstrail report` does: the report under the user's own name, and beside it the records it is about.

Decides that the evidence is written first, so that a report never names a file that is not there.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import anyio
import orjson

from crosstrail import private
from crosstrail.answers.evidence import told
from crosstrail.answers.report.data import as_data
from crosstrail.answers.report.gathered import EvidenceFacts, IncidentReport, ReportCall, gathered
from crosstrail.answers.report.html import as_html
from crosstrail.answers.report.markdown import as_markdown
from crosstrail.answers.report.records import export_findings
from crosstrail.answers.report.sections import document
from crosstrail.answers.timeline_page import page
from crosstrail.cli.evidence_files import current_user
from crosstrail.cli.private_file import check_free, write_private
from crosstrail.cli.progress import progress_line
from crosstrail.cli.statuses import status_of
from crosstrail.cli.words import out, say
from crosstrail.detections.levels import Level
from crosstrail.evidence.manifest import SUFFIX
from crosstrail.evidence.publish import making, publish
from crosstrail.lookup.fanout import Progress
from crosstrail.settings.config import Settings
from crosstrail.text import json_text
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_RECORDS, _TIMELINE = "evidence.jsonl", "timeline.html"


@dataclass(frozen=True, slots=True)
class ReportArguments:
    """As the command line gives them; empty texts say nothing."""

    account: str
    region: str
    since: str
    until: str
    subjects: tuple[str, ...]
    level: str | None
    rules: tuple[str, ...]
    form: str | None

    def form_of(self, output: Path) -> str:
        """html, markdown or json: that asked for, else as the file's name says."""
        by_name = {".json": "json", ".md": "markdown", ".markdown": "markdown"}
        return self.form or by_name.get(output.suffix.lower(), "html")

    @property
    def call(self) -> ReportCall:
        level = cast(Level | None, self.level)  # click let no other through
        return ReportCall(self.account, self.region, self.since, self.until, self.subjects, level, self.rules)


def write_report(
    settings: Settings, asked: ReportArguments, output: Path, evidence: Path | None, *, overwrite: bool
) -> int:
    """The exit status. Raises InvalidRequest where a name is taken, and what is wrong with the question itself."""
    output = output.absolute()
    check_free(output, overwrite=overwrite)
    if evidence:
        evidence = evidence.absolute()
        private.make_folder(evidence)
        for name in (_RECORDS, f"{_RECORDS}{SUFFIX}", _TIMELINE):
            check_free(evidence / name, overwrite=overwrite)
    with progress_line("Gathering the report", "targets") as bar:
        found = anyio.run(_made, settings, asked.call, output, evidence, overwrite, bar.counted)
    write_private(output, _written(found, asked.form_of(output)), overwrite=overwrite)
    out(f"Report: {output}")
    if found.evidence:
        out(f"{found.evidence.words}\nManifest: {found.evidence.manifest}\nIts SHA-256: {found.evidence.sha256}")
    for one in found.unanswered:
        say(f"{one.part} could not be had: {one.reason}")
    return status_of(done=1, failed=not found.complete)


def _written(found: IncidentReport, form: str) -> bytes:
    if form == "json":
        return json_text(as_data(found), orjson.OPT_INDENT_2).encode() + b"\n"
    made = document(found)
    return (as_markdown(made) if form == "markdown" else as_html(made)).encode()


async def _made(
    settings: Settings, call: ReportCall, output: Path, evidence: Path | None, overwrite: bool, progress: Progress
) -> IncidentReport:
    workspace = Workspace(settings)
    visible = ScopedWorkspace(workspace)
    try:
        found = await gathered(visible, call, progress=progress)
        return await _with_evidence(visible, found, output, evidence, overwrite=overwrite) if evidence else found
    finally:
        await workspace.aclose()


async def _with_evidence(
    workspace: ScopedWorkspace, found: IncidentReport, output: Path, folder: Path, *, overwrite: bool
) -> IncidentReport:
    """The same, with what lies beside it now."""
    with making(folder / _RECORDS, overwrite=overwrite) as made:
        records = await export_findings(workspace, found, made, by=current_user())
        exported = records.exported
        manifest = publish(made, folder / _RECORDS, exported.summary, exported.about, overwrite=overwrite)
    facts = EvidenceFacts(
        _beside(folder / _RECORDS, output),
        _beside(folder / f"{_RECORDS}{SUFFIX}", output),
        hashlib.sha256(manifest).hexdigest(),
        told(exported.summary),
        records.left_out,
    )
    if found.timeline:
        shown = replace(found.timeline, findings=found.findings)
        write_private(folder / _TIMELINE, page(shown), overwrite=overwrite)
        found = replace(found, timeline_file=_beside(folder / _TIMELINE, output))
    return replace(found, evidence=facts)


def _beside(path: Path, output: Path) -> str:
    """As a reader of the report finds it."""
    return Path(os.path.relpath(path, output.parent)).as_posix()
