"""`crosstrail accounts`: which accounts there are and what the lake holds of them; enrol.py has the commands that write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.account_removal import remove
from crosstrail.cli.account_rows import ACCOUNTS, account_row
from crosstrail.cli.account_test import test
from crosstrail.cli.check import check
from crosstrail.cli.command import Group
from crosstrail.cli.import_accounts import add, encrypt, import_, rotate
from crosstrail.cli.output import Cell, CommandOutput, with_output
from crosstrail.cli.statuses import status_of
from crosstrail.cli.words import say

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings


@click.group(cls=Group)
def accounts() -> None:
    """List, test, check, add, import and remove accounts."""


for _command in (check, add, import_, encrypt, remove, rotate, test):
    accounts.add_command(_command)


@accounts.command("list")
@click.argument("selector", default="*")
@with_output(ACCOUNTS, json_flag="json")
@with_settings
def list_(settings: Settings, selector: str, output: CommandOutput) -> int:
    """List the accounts that there are.

    SELECTOR is an id, an alias, a glob or a comma list of these; without it, all are listed. Exit status 3: some entry, or
    some place that lists accounts, could not be read.
    """
    import anyio

    found, warnings = anyio.run(_rows, settings, selector)
    for warning in warnings:
        say(f"warning: {warning}")
    with output.rows(ACCOUNTS) as rows:
        rows.write_all(found)
    if not found and output.form == "table":
        say(
            "No account yet: list some in crosstrail.yaml or a database, or run `crosstrail collect` on a folder of logs."
        )
    return status_of(done=len(found), failed=len(warnings))


async def _rows(settings: Settings, selector: str) -> tuple[list[list[Cell]], tuple[str, ...]]:
    from crosstrail.workspace.workspace import Workspace

    workspace = Workspace(settings)
    try:
        listed = await workspace.listed()
        held = {(one.cloud, one.account): one for one in await workspace.held()}
        chosen = listed.registry.select(selector) if listed.registry.accounts else ()
    finally:
        await workspace.aclose()
    return [account_row(account, held.get(account.key)) for account in chosen], listed.warnings + listed.left_out
