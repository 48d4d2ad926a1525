"""`crosstrail report`: what it can be asked, alone, so that --help loads nothing else; report_files.py answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.shared_options import account_option, region_option, since_option, until_option

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings


@click.command(cls=Command)
@click.option(
    "-o",
    "--output",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write; by its name HTML, Markdown (.md) or JSON (.json).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "json"]),
    default=None,
    help="How it is written, whatever the name of the file.",
)
@account_option()
@region_option()
@since_option()
@until_option()
@click.option(
    "--subject",
    "subjects",
    multiple=True,
    help="Whose summary it has: ARN, access key, address, user, role, resource. Else of who is found.",
)
@click.option(
    "--level",
    type=click.Choice(["informational", "low", "medium", "high", "critical"]),
    default=None,
    help="Only of this level or above; else of detect.level.",
)
@click.option(
    "--rules", metavar="PATH", multiple=True, type=click.Path(), help="Further rules: a file or a folder. Repeatable."
)
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    help="Folder for the original records of what was found, their manifest, and the timeline as a page.",
)
@click.option("--overwrite", is_flag=True, help="Replace files of the same names.")
@with_settings
def report(
    settings: Settings,
    output: Path,
    form: str | None,
    account: str,
    region: str,
    since: str,
    until: str,
    subjects: tuple[str, ...],
    level: str | None,
    rules: tuple[str, ...],
    evidence: Path | None,
    *,
    overwrite: bool,
) -> int:
    """Write a report to hand over: what was asked, what it rests on, findings, who did what, a timeline, what is open.

    Exit status 3: some part or account could not be had; the report says which.
    """
    from crosstrail.cli.report_files import ReportArguments, write_report

    asked = ReportArguments(account, region, since, until, subjects, level, rules, form)
    return write_report(settings, asked, output, evidence, overwrite=overwrite)
