"""`crosstrail sql`: what it can be asked, alone, so that --help loads nothing else; shell/ has the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings_after
from crosstrail.cli.command import Command
from crosstrail.cli.events import AS_OF, start_worker
from crosstrail.cli.output import CommandOutput, with_output
from crosstrail.cli.shared_options import account_option

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings


@click.command(cls=Command)
@account_option()
@click.option(
    "--limit", type=click.IntRange(min=1), default=None, help="Most rows a terminal shows; 1,000 if not given."
)
@click.option("--as-of", metavar="TIME", default="", help=AS_OF)
@click.option("--engine", metavar="NAME", default="", help="lake, trino, athena or cloudtrail_lake.")
@click.option("--no-history", is_flag=True, help="Remember nothing of what is typed.")
@with_output(None)
@with_settings_after(start_worker)
def sql(
    settings: Settings,
    output: CommandOutput,
    account: str,
    limit: int | None,
    as_of: str,
    engine: str,
    *,
    no_history: bool,
) -> int:
    """Ask the lake in a shell: statements in CloudTrail Lake's SQL, with history and completion.

    A statement ends with ; and may have many lines. \\? lists the commands. What is piped in is run one statement after the
    other; exit status 3: some of them failed, 1: all.
    """
    from crosstrail.cli.event_answers import read_as_of
    from crosstrail.cli.shell.loop import run_shell

    return run_shell(read_as_of(settings, as_of), output, account, engine, limit, history=not no_history)
