"""What `crosstrail export` does and prints: files under the user's own name, or the check of such files."""

from __future__ import annotations

import hashlib
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import anyio
import orjson

from crosstrail.answers.evidence import Exported, about_query, start_export, told, wait_for_export
from crosstrail.answers.evidence_lookup import LookupExport, export_lookup
from crosstrail.cli.export_rows import DIFFERENCES
from crosstrail.cli.output import CommandOutput
from crosstrail.cli.progress import progress_line
from crosstrail.cli.statuses import DONE, FAILED, status_of
from crosstrail.cli.words import out, out_json, say
from crosstrail.engines.exporting import Export
from crosstrail.evidence.check import MAX_NAMED, ExportCheck, ExportFinding, check
from crosstrail.evidence.manifest import SUFFIX, Form
from crosstrail.evidence.publish import making, publish
from crosstrail.evidence.signature import signer
from crosstrail.evidence.writer import SUMMARY_FILE
from crosstrail.filters import KEYS, accepted
from crosstrail.json_values import table
from crosstrail.lookup.fanout import Progress
from crosstrail.models import Filter
from crosstrail.settings.config import Settings
from crosstrail.text import clean
from crosstrail.timerange import parse_range
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_SECONDS = 3600.0
"""That writing an export may take, where query.time_limit is no longer."""
_NO_LIMIT = 2**62
MAX_LOOKED_UP = 100_000
"""Records of an export without SQL, where --limit says nothing."""
_MAX_LETTERS = 300


@dataclass(frozen=True, slots=True)
class Wanted:
    """The arguments of the command; empty texts say nothing."""

    sql: str
    account: str
    region: str
    between: tuple[str, str]
    filters: tuple[tuple[str, str], ...]
    limit: int | None
    rows: bool
    form: str

    def form_of(self, output: Path) -> Form:
        if self.form in ("jsonl", "jsonl.gz", "parquet"):
            return self.form  # type: ignore[return-value]  # tested just before
        name = output.name.lower()
        return "jsonl.gz" if name.endswith(".gz") else "parquet" if name.endswith(".parquet") else "jsonl"


def print_export(
    settings: Settings, wanted: Wanted, output: Path, *, overwrite: bool, sign_key: Path | None, as_json: bool
) -> int:
    """The exit status. Raises InvalidRequest where the name is taken or the key none, and what queries raise."""
    output = output.absolute()
    sign = signer(sign_key) if sign_key else None
    with making(output, overwrite=overwrite) as folder:
        with progress_line("Exporting", "targets") as bar:
            made, status = anyio.run(_made, settings, wanted, folder, wanted.form_of(output), bar.counted)
        manifest = publish(folder, output, made.summary, made.about, overwrite=overwrite, sign=sign)
    digest = hashlib.sha256(manifest).hexdigest()
    if as_json:
        out_json({"manifest": f"{output}{SUFFIX}", "sha256": digest, "records": made.summary["records"]})
    else:
        out(f"{told(made.summary)}\nManifest: {output}{SUFFIX}\nIts SHA-256: {digest}")
        if not sign_key:
            say("Note that SHA-256 where nobody can change it: --check trusts the manifest, unless --sha256 is given.")
    for line in made.coverage:
        say(line)
    return status


async def _made(
    settings: Settings, wanted: Wanted, folder: Path, form: Form, progress: Progress
) -> tuple[Exported, int]:
    """The files, and the exit status."""
    if wanted.sql:
        return await _by_sql(settings, wanted, folder, form), DONE
    given = accepted([Filter(key, value) for key, value in wanted.filters], KEYS)
    span = parse_range(*wanted.between, now=datetime.now(UTC).replace(microsecond=0), default_age=None)
    limit = MAX_LOOKED_UP if wanted.limit is None else wanted.limit
    question = LookupExport(wanted.account, wanted.region, span, given, limit, _NO_LIMIT)
    workspace = Workspace(settings)
    try:
        made, listing = await export_lookup(
            ScopedWorkspace(workspace), question, folder, form, by=current_user(), progress=progress
        )
    finally:
        await workspace.aclose()
    return made, status_of(done=len(listing.pages), failed=len(listing.failures))


async def _by_sql(settings: Settings, wanted: Wanted, folder: Path, form: Form) -> Exported:
    workspace = Workspace(settings)
    visible = ScopedWorkspace(workspace)
    seconds = max(_SECONDS, settings.query.time_limit)
    limit = _NO_LIMIT if wanted.limit is None else wanted.limit
    try:
        export = Export(form, wanted.rows, folder, limit, _NO_LIMIT, seconds)
        ref, scope = await start_export(visible, wanted.sql, wanted.account, export)
        await wait_for_export(visible, ref, scope, wait_seconds=2 * seconds)
        about = await about_query(visible, scope, wanted.sql, current_user())
        coverage = about["coverage"]
        return Exported(_summary(folder), about, coverage if isinstance(coverage, list) else ())
    finally:
        await workspace.aclose()


def _summary(folder: Path) -> Mapping[str, object]:
    return table(orjson.loads((folder / SUMMARY_FILE).read_bytes()))


def current_user() -> str:
    """Of the operating system, by name; by number where it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def print_check(path: Path, sha256: str, public_key: Path | None, output: CommandOutput) -> int:
    """The exit status: 0 only where everything is as the manifest says. Raises InvalidRequest for what is no manifest."""
    done = check(path.absolute(), public_key)
    noted = sha256.strip().lower()
    if noted and noted != done.manifest.sha256:
        done.findings.insert(
            0, ExportFinding("changed", "manifest", path.name, reason="its SHA-256 is not the one noted")
        )
    if output.older:
        for one in done.findings:
            output.json_line(one._asdict())
        about = {"manifest": path.name, "right": done.right, "more": done.more, "sha256": done.manifest.sha256}
        output.json_line(about)
        return DONE if done.right else FAILED
    if output.form == "table":
        for one in done.findings:
            output.line(_line(one))
    else:
        with output.rows(DIFFERENCES) as rows:
            rows.write_all(done.findings)
    for line in _conclusion(done, noted):
        say(line)
    return DONE if done.right else FAILED


def _line(one: ExportFinding) -> str:
    """`changed: record 12 of evidence.jsonl (event 1f…): it stands at 12`."""
    what = f"record {one.record} of {one.name}" if one.what == "record" else f"{one.what} {one.name}"
    event = f" (event {clean(one.event_id, _MAX_LETTERS)})" if one.event_id else ""
    return f"{one.problem}: {clean(what, _MAX_LETTERS)}{event}{f': {one.reason}' if one.reason else ''}"


def _conclusion(done: ExportCheck, noted: str) -> list[str]:
    manifest = done.manifest
    if not done.right:
        more = f" More than {MAX_NAMED:,} records differ; the first are named." if done.more else ""
        return [f"NOT what the manifest says.{more}"]
    lines = [f"All is as the manifest says: {manifest.records:,} records in {manifest.files['data'].name}."]
    if manifest.kind == "records":
        lines.append(f"When it was made: {told(manifest.about)}")
    if done.signed:
        lines.append("Its signature is by the key given.")
    elif not noted:
        lines.append(
            f"The manifest itself has the SHA-256 {manifest.sha256}: compare it with what was noted when it was made."
        )
    return lines
