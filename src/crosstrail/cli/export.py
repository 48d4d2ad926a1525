"""`crosstrail export`: what it can be asked, alone, so that --help loads nothing else; evidence_files.py does it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.events import lookup_filters, named_filters
from crosstrail.cli.output import opened_output
from crosstrail.cli.shared_options import account_option, region_option, since_option, until_option

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings


@click.command(cls=Command)
@click.argument("sql", required=False, default="")
@click.option(
    "-o",
    "--output",
    "output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File to write; others lie beside it. With --check: what it finds.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "jsonl.gz", "parquet", "table", "json", "csv"]),
    default=None,
    help="Of records jsonl, jsonl.gz or parquet, else by the name of the file; with --check as of all rows.",
)
@account_option("")
@region_option("")
@since_option()
@until_option()
@lookup_filters
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=None,
    help="Most records: more are refused of a SELECT, else left out and told (by default 100,000).",
)
@click.option("--rows", is_flag=True, help="The rows of the result themselves, even where they name events.")
@click.option("--overwrite", is_flag=True, help="Replace files of the same names.")
@click.option("--sign-key", type=click.Path(path_type=Path), help="Sign the manifest: an Ed25519 private key, as PEM.")
@click.option("--check", "manifest", type=click.Path(path_type=Path), help="Check an export by its manifest; offline.")
@click.option("--sha256", default="", help="With --check: what the manifest's SHA-256 was noted as.")
@click.option("--public-key", type=click.Path(path_type=Path), help="With --check: of who signed the manifest, as PEM.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome of an export as a line of JSON.")
@with_settings
def export(
    settings: Settings,
    sql: str,
    output: Path | None,
    form: str | None,
    account: str,
    region: str,
    since: str,
    until: str,
    limit: int | None,
    rows: bool,
    overwrite: bool,
    sign_key: Path | None,
    manifest: Path | None,
    sha256: str,
    public_key: Path | None,
    as_json: bool,
    **filters: str,
) -> int:
    """Write original records to a file, with a manifest that proves them later.

    By a SELECT whose result has a column eventid: the records of these events. By --account, --since and the filters of
    lookup: the events that meet them, of archives and of live accounts. `--check MANIFEST` tells whether an export is
    still what it was. Exit status 1: it is not, or nothing could be exported; 3: some account could not be asked.
    """
    from crosstrail.cli.evidence_files import Wanted, print_check, print_export

    given = named_filters(filters)
    if manifest is not None:
        if sql or account or given or sign_key:
            raise click.UsageError(
                "--check takes a manifest, and --sha256, --public-key, --format and -o alone with it"
            )
        if form == "jsonl.gz":
            raise click.UsageError("What --check finds is written as table, json, jsonl, csv or parquet.")
        with opened_output(form, output, overwrite=overwrite, older=as_json and not form) as found:
            return print_check(manifest, sha256, public_key, found)
    if form in ("table", "json", "csv"):
        raise click.UsageError("Records are written as jsonl, jsonl.gz or parquet.")
    if output is None:
        raise click.UsageError("say where to: -o FILE")
    if sql and (since or until or region or given):
        raise click.UsageError("a SELECT says itself which events: leave --since, --until, --region and filters out")
    if not sql and not (account or since or given):
        raise click.UsageError("say what to export: a SELECT, or --account, --since or a filter")
    wanted = Wanted(sql, account, region, (since, until), tuple(given), limit, rows, form or "")
    return print_export(settings, wanted, output, overwrite=overwrite, sign_key=sign_key, as_json=as_json)
