"""`crosstrail accounts`: which accounts there are and what the lake holds of them; enrol.py has the commands that write."""

from __future__ import annotations

from datetime import datetime

import anyio
import click

from crosstrail.cli import with_settings
from crosstrail.cli.check import check
from crosstrail.cli.import_accounts import add, encrypt, import_, rotate
from crosstrail.cli.statuses import status_of
from crosstrail.cli.tables import print_table
from crosstrail.cli.words import out_json, say
from crosstrail.coverage import count, gaps
from crosstrail.settings.config import Settings
from crosstrail.timerange import TimeRange
from crosstrail.workspace.workspace import Workspace

Row = dict[str, str | int | datetime | None]


@click.group()
def accounts() -> None:
    """List, check, add and import accounts."""


for _command in (check, add, import_, encrypt, rotate):
    accounts.add_command(_command)


@accounts.command("list")
@click.argument("selector", default="*")
@click.option("--json", "as_json", is_flag=True, help="JSON for scripts.")
@with_settings
def list_(settings: Settings, selector: str, as_json: bool) -> int:
    """List the accounts that there are.

    SELECTOR is an id, an alias, a glob or a comma list of these; without it, all are listed. Exit status 3: some entry, or
    some place that lists accounts, could not be read.
    """
    rows, warnings = anyio.run(_rows, settings, selector)
    for warning in warnings:
        say(f"warning: {warning}")
    if as_json:
        out_json(rows, indent=True, utc_z=True)
    elif rows:
        shown = [[_shown(value) for value in row.values()] for row in rows]
        print_table(list(rows[0]), shown, whole=("account", "store"), first_to_go=("store",))
    else:
        say(
            "No account yet: list some in crosstrail.yaml or a database, or run `crosstrail collect` on a folder of logs."
        )
    return status_of(done=len(rows), failed=len(warnings))


def _shown(value: str | int | datetime | None) -> str:
    match value:
        case None:
            return ""
        case int():
            return f"{value:,}"
        case datetime():
            return value.date().isoformat()
        case _:
            return value


async def _rows(settings: Settings, selector: str) -> tuple[list[Row], tuple[str, ...]]:
    workspace = Workspace(settings)
    try:
        listed = await workspace.listed()
        held = {(one.cloud, one.account): one for one in await workspace.held()}
        chosen = listed.registry.select(selector) if listed.registry.accounts else ()
    finally:
        await workspace.aclose()
    rows: list[Row] = []
    for account in chosen:
        lake = held.get(account.key)
        rows.append(
            {
                "alias": account.alias,
                "account": account.id,
                "cloud": account.cloud,
                "events": lake.events if lake else 0,
                "first": lake.first if lake else None,
                "last": lake.last if lake else None,
                "gaps": count(gaps(lake.days, TimeRange())) if lake else 0,
                "store": account.store_id,
            }
        )
    return rows, listed.warnings + listed.left_out
