"""`crosstrail completion`: prints the script by which a shell completes commands, options, accounts, regions and event names."""

from __future__ import annotations

import click

from crosstrail.cli.command import Command
from crosstrail.cli.statuses import DONE


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the script for your shell; its first lines say where it goes.

    For this shell alone: eval "$(crosstrail completion bash)". Accounts and event names come from crosstrail.yaml and the lake's
    folder: no database, no cloud and no network is asked.
    """
    from crosstrail.cli.completing import script

    click.echo(script(ctx.find_root().command, shell), nl=False)
    return DONE
