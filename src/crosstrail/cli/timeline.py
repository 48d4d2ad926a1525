"""`crosstrail timeline`: what it can be asked, alone, so that --help loads nothing else; timeline_picture.py answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.events import lookup_filters, named_filters
from crosstrail.cli.shared_options import account_option, region_option, since_option, until_option

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings


@click.command(cls=Command)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it as one page of HTML to this file.")
@account_option()
@region_option()
@since_option()
@until_option()
@lookup_filters
@click.option(
    "--lanes",
    type=click.Choice(["principal", "account", "address"]),
    default="principal",
    show_default=True,
    help="What has a line of its own.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 50_000),
    default=20_000,
    show_default=True,
    help="Most events shown one by one in the page; all are counted.",
)
@click.option("--no-detections", is_flag=True, help="Look for no findings.")
@click.option("--overwrite", is_flag=True, help="Replace a file of that name.")
@with_settings
def timeline(
    settings: Settings,
    output: Path | None,
    account: str,
    region: str,
    since: str,
    until: str,
    lanes: str,
    limit: int,
    *,
    no_detections: bool,
    overwrite: bool,
    **filters: str,
) -> int:
    """Show events over time: counts of reads, writes and denied calls, lanes of who did them, and what the rules find.

    In the terminal, or with -o as a page to look into: zoom, search, read each event whole. The page needs no network and holds
    the events: whoever gets the file reads them.

    Exit status 3: some account could not be asked; 1: none could.
    """
    from crosstrail.cli.timeline_picture import TimelineArguments, print_timeline

    wanted = TimelineArguments(
        account, region, (since, until), tuple(named_filters(filters)), lanes, limit, not no_detections
    )
    return print_timeline(settings, wanted, output, overwrite=overwrite)
