"""`crosstrail verify`: whether an archive is what its cloud delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail import private
from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.output import FORMS, Cell, CommandOutput, Meaning, RowColumn, RowType, with_output
from crosstrail.cli.progress import progress_line
from crosstrail.cli.shared_options import account_option, region_option, since_option, until_option
from crosstrail.cli.statuses import verdict
from crosstrail.cli.words import out_columns, say
from crosstrail.text import clean

if TYPE_CHECKING:
    from crosstrail.clouds.integrity import IntegrityFinding, Verdict
    from crosstrail.lake.proved_spans import ProvedSpans
    from crosstrail.settings.config import Settings
    from crosstrail.timerange import TimeRange
    from crosstrail.workspace.archive_verification import ArchiveVerification

_CAP = 1_500
_TEXT = "text"


def _forms_of_clouds() -> Iterator[str]:
    """Those of clouds' own tools."""
    from crosstrail.workspace.archive_verification import signing_clouds

    yield from signing_clouds()


def _unproved(value: Cell) -> Meaning | None:
    return Meaning.FAILED if value not in ("valid", "uncovered") else None


PROOFS = RowType(
    "verify",
    (
        RowColumn(
            "verdict", whole=True, meaning=_unproved, about="valid, or what is wrong, such as modified or deleted."
        ),
        RowColumn("kind", whole=True, about="digest, log or gap."),
        RowColumn("object", readable=24, cut="apart", about="Its address, or that of the trail's digests for a span."),
        RowColumn("reason", readable=24, about="Why it is not proved; empty for what is valid."),
        RowColumn("account", wide=True, about="The account's id; empty where that is not known."),
        RowColumn("region", wide=True, about="The region whose events it holds."),
        RowColumn("trail", wide=True, about="The trail, as its digests are named by it."),
        RowColumn("backfill", "flag", wide=True, about="Whether it is of the digests that were made later."),
        RowColumn("start", "time", optional=True, wide=True, about="Of a digest or a gap: where its span begins."),
        RowColumn("end", "time", optional=True, wide=True, about="Where it ends."),
        RowColumn("asked", "flag", wide=True, about="Whether it counts: what is too young for a digest does not."),
    ),
)


@click.command(cls=Command)
@click.argument("place", metavar="s3://BUCKET/PREFIX | FOLDER")
@account_option()
@region_option()
@since_option("the first digest")
@until_option("as far as there can be digests")
@click.option(
    "--keys",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Public keys, as `list-public-keys` prints them: offline.",
)
@click.option(
    "--save-keys",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the keys and newest signatures, for --keys.",
)
@click.option("--verbose", "-v", is_flag=True, help="List what is valid, too.")
@with_output(PROOFS, forms=(_TEXT,), more_forms=_forms_of_clouds, default=_TEXT, json_flag="jsonl")
@with_settings
def verify(
    settings: Settings,
    place: str,
    account: str,
    region: str,
    since: str,
    until: str,
    keys: Path | None,
    save_keys: Path | None,
    verbose: bool,
    output: CommandOutput,
) -> int:
    """Prove that an archive is what its cloud delivered: nothing changed, deleted, moved, forged or added.

    Every account and region below the place, by the digests that the cloud signed. Exit status 0: everything asked is
    proved. 1: something is not, or there is no digest at all. What is proved of logs that the lake holds, `crosstrail coverage`
    shows.

    --format aws prints the lines of `aws cloudtrail validate-logs`. text and table list what is not valid, the other formats everything.
    """
    from crosstrail.timerange import parse_range
    from crosstrail.workspace.archive_verification import opened_verification

    now = datetime.now(UTC).replace(microsecond=0)
    span = parse_range(since, until, now=now, default_age=None)
    with opened_verification(
        settings, place, account=account, region=region, span=span, now=now, keys=keys
    ) as verification:
        with _remembered(settings) as remembered:
            proved = _print(verification, output, verbose, remembered)
        if save_keys:
            with open(save_keys, "wb", opener=private.opener) as file:
                file.write(verification.keys_text())
    return verdict(passed=proved)


@dataclass(slots=True)
class _Summary:
    """What was found in all."""

    span: TimeRange
    counts: Counter[tuple[str, Verdict]] = field(default_factory=Counter)
    accounts: set[str] = field(default_factory=set)
    regions: set[str] = field(default_factory=set)
    failed: int = 0
    """Findings of the asked span that prove nothing, or the contrary."""
    young: int = 0
    """Too young for any digest."""

    def add(self, one: IntegrityFinding) -> None:
        from crosstrail.clouds.integrity import FindingKind

        kind = "backfill digest" if one.late and one.kind is FindingKind.DIGEST else str(one.kind)
        self.counts[kind, one.verdict] += 1
        self.accounts.add(one.account)
        self.regions.add(one.region)
        self.failed += one.asked and not one.proved
        self.young += not one.asked

    def taken(self, findings: Iterator[IntegrityFinding]) -> Iterator[IntegrityFinding]:
        for one in findings:
            self.add(one)
            yield one

    @property
    def proved(self) -> bool:
        """Something is, and nothing is not."""

        from crosstrail.clouds.integrity import Verdict

        return not self.failed and bool(self.counts["digest", Verdict.VALID])

    def of(self, kind: str) -> dict[str, int]:
        return {str(verdict): count for (of, verdict), count in sorted(self.counts.items()) if of == kind}


@contextmanager
def _remembered(settings: Settings) -> Iterator[ProvedSpans | None]:
    """Looks at what is found, for `crosstrail coverage`; None where there is no lake whose days it could prove."""
    from crosstrail.lake import missing_libraries
    from crosstrail.lake.proved_spans import ProvedSpans
    from crosstrail.workspace.archive_verification import signing_clouds
    from crosstrail.workspace.archives import scopes_of

    if not settings.lake.exists() or missing_libraries():
        yield None
        return
    from crosstrail.lake.table import LakeTable

    with closing(LakeTable.open(settings.lake.folder, catalog=settings.lake.catalog)) as table:
        [cloud] = signing_clouds().values()
        spans = ProvedSpans(table.folder, table.uuid, cloud.name, scopes_of(settings))
        yield spans
        spans.record()


def _print(
    verification: ArchiveVerification, output: CommandOutput, verbose: bool, remembered: ProvedSpans | None
) -> bool:
    """Whether everything asked is proved."""
    from crosstrail.timerange import TimeRange

    asked = verification.asked
    summary = _Summary(TimeRange(asked.since, asked.until))
    own = output.form not in (_TEXT, *FORMS)
    findings = summary.taken(verification.findings(one_by_one=own))
    findings = remembered.taken(findings) if remembered else findings
    if own:
        for line, is_error in verification.format(verbose=verbose).lines(findings):
            if is_error:
                out_columns(line, to_stderr=True)
            else:
                output.tabbed_line(line)
        return summary.proved
    with _written(output) as write, progress_line("Verifying", "objects") as bar:
        everything = verbose or output.form not in (_TEXT, "table")
        for number, one in enumerate(findings, 1):
            bar.count(number, None)
            if everything or (one.asked and not one.proved):
                with bar.beside():
                    write(one)
    if output.older:
        output.json_line(_summary_as_json(summary))
    else:
        _print_summary(summary, output.line if output.form == _TEXT else say)
    return summary.proved


@contextmanager
def _written(output: CommandOutput) -> Iterator[Callable[[IntegrityFinding], None]]:
    """What writes a finding, where its reader has it at once."""
    if output.older or output.form == _TEXT:

        def line(one: IntegrityFinding) -> None:
            if output.older:
                output.json_line(_as_json(one))
            else:
                output.line(_line(one))
            output.flush()

        yield line
        return
    with output.rows(PROOFS) as rows:
        yield lambda one: rows.write_all([_row(one)])


def _row(one: IntegrityFinding) -> list[Cell]:
    return [
        str(one.verdict),
        str(one.kind),
        one.object,
        one.reason,
        one.account,
        one.region,
        one.trail,
        one.late,
        one.start,
        one.end,
        one.asked,
    ]


def _line(one: IntegrityFinding) -> str:
    from crosstrail.clouds.integrity import FindingKind

    name = f"{'backfill ' if one.late and one.kind is FindingKind.DIGEST else ''}{one.kind}"
    return f"{one.verdict}: {name} {clean(one.object, _CAP)}{': ' if one.reason else ''}{clean(one.reason, _CAP)}"


def _as_json(one: IntegrityFinding) -> dict[str, object]:
    from crosstrail.clouds.integrity import FindingKind
    from crosstrail.timerange import iso

    said: dict[str, object] = {
        "object": one.object,
        "kind": str(one.kind),
        "verdict": str(one.verdict),
        "reason": one.reason or None,
        "account": one.account or None,
        "region": one.region or None,
        "trail": one.trail or None,
    }
    if one.kind is not FindingKind.LOG:
        said |= {
            "backfill": one.late,
            "start": iso(one.start) if one.start else None,
            "end": iso(one.end) if one.end else None,
        }
    return said


def _summary_as_json(summary: _Summary) -> dict[str, object]:
    from crosstrail.timerange import iso

    return {
        "kind": "summary",
        "proved": summary.proved,
        "from": iso(summary.span.start) if summary.span.start else None,
        "until": iso(summary.span.end) if summary.span.end else None,
        "accounts": len(summary.accounts - {""}),
        "regions": len(summary.regions - {""}),
        "digests": summary.of("digest"),
        "backfill_digests": summary.of("backfill digest"),
        "logs": summary.of("log"),
        "gaps": summary.of("gap"),
        "not_proved": summary.failed,
        "not_yet_covered": summary.young,
    }


def _print_summary(summary: _Summary, out: Callable[[str], None]) -> None:
    out(f"Asked     {summary.span}: {len(summary.accounts - {''}):,} accounts, {len(summary.regions - {''}):,} regions")
    for title, kind in (("Digests", "digest"), ("Backfill", "backfill digest"), ("Logs", "log"), ("Gaps", "gap")):
        if counts := summary.of(kind):
            out(f"{title:<10}{', '.join(f'{count:,} {name}' for name, count in counts.items())}")
    if summary.young:
        out(f"          {summary.young:,} log files are too young for a digest, and do not count")
    if summary.proved:
        out("Proved    everything asked")
    elif summary.failed:
        out(f"NOT PROVED: {summary.failed:,} of these")
    else:
        out("NOT PROVED: no digests found")


__all__ = ["PROOFS", "verify"]
