"""`crosstrail verify`: whether an archive is what its cloud delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail import private
from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.progress import progress_line
from crosstrail.cli.shared_options import account_option, region_option, since_option, until_option
from crosstrail.cli.statuses import verdict
from crosstrail.cli.words import out, out_columns, out_json
from crosstrail.text import clean

if TYPE_CHECKING:
    from crosstrail.clouds.integrity import IntegrityFinding, Verdict
    from crosstrail.lake.proved_spans import ProvedSpans
    from crosstrail.settings.config import Settings
    from crosstrail.timerange import TimeRange
    from crosstrail.workspace.archive_verification import ArchiveVerification

_CAP = 1_500
_TEXT, _JSON = "text", "json"


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
@click.option(
    "--format", "form", metavar="FORMAT", default=_TEXT, help="text, json, or that of the cloud's own tool: aws."
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON an object, and a last one with the summary.")
@click.option("--verbose", "-v", is_flag=True, help="List what is valid, too.")
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
    form: str,
    as_json: bool,
    verbose: bool,
) -> int:
    """Prove that an archive is what its cloud delivered: nothing changed, deleted, moved, forged or added.

    Every account and region below the place, by the digests that the cloud signed. Exit status 0: everything asked is
    proved. 1: something is not, or there is no digest at all. What is proved of logs that the lake holds, `crosstrail coverage`
    shows.
    """
    from crosstrail.timerange import parse_range
    from crosstrail.workspace.archive_verification import opened_verification, signing_clouds

    forms = {_TEXT, _JSON, *signing_clouds()}
    form = _JSON if as_json else form
    if form not in forms:
        raise click.BadParameter(f"{form!r} is none of {', '.join(sorted(forms))}", param_hint="--format")
    now = datetime.now(UTC).replace(microsecond=0)
    span = parse_range(since, until, now=now, default_age=None)
    with opened_verification(
        settings, place, account=account, region=region, span=span, now=now, keys=keys
    ) as verification:
        with _remembered(settings) as remembered:
            proved = _print(verification, form, verbose, remembered)
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


def _print(verification: ArchiveVerification, form: str, verbose: bool, remembered: ProvedSpans | None) -> bool:
    """Whether everything asked is proved."""
    from crosstrail.timerange import TimeRange

    asked = verification.asked
    summary = _Summary(TimeRange(asked.since, asked.until))
    own = form not in (_TEXT, _JSON)
    findings = summary.taken(verification.findings(one_by_one=own))
    findings = remembered.taken(findings) if remembered else findings
    if own:
        for line, is_error in verification.format(verbose=verbose).lines(findings):
            out_columns(line, to_stderr=is_error)
    else:
        with progress_line("Verifying", "objects") as bar:
            for number, one in enumerate(findings, 1):
                bar.count(number, None)
                with bar.beside():
                    if form == _JSON:
                        out_json(_as_json(one))
                    elif verbose or (one.asked and not one.proved):
                        out(_line(one))
        _print_summary(summary, form)
    return summary.proved


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


def _print_summary(summary: _Summary, form: str) -> None:
    from crosstrail.timerange import iso

    if form == _JSON:
        out_json(
            {
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
        )
        return
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


__all__ = ["verify"]
