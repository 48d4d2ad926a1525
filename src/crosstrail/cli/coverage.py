"""`crosstrail coverage`: which days of which account and region are held, proved or missing.

What it can be asked, alone; coverage_picture.py draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.coverage_rows import COVERAGE
from crosstrail.cli.output import CommandOutput, with_output
from crosstrail.cli.shared_options import account_option, region_option, since_option, until_option

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings


@click.command(cls=Command)
@account_option()
@region_option()
@since_option("the first day held")
@until_option("the last day held, or today of live accounts")
@with_output(COVERAGE, forms=("picture",), default="picture", json_flag="jsonl")
@with_settings
def coverage(settings: Settings, account: str, region: str, since: str, until: str, output: CommandOutput) -> None:
    """Show which days of each account and region are held, and how.

    Days are complete and proved, collected, held in part, missing, or were never logged: a character a day, or a week or a
    month where days do not fit.

    Proved days are covered by verified digests. Of the others files tell: a day without an event between two days that have
    some is missing, since nothing proves that nothing happened.
    """
    from crosstrail.cli.coverage_picture import print_coverage

    print_coverage(settings, account, region, (since, until), output)
