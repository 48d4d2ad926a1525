"""`crosstrail accounts check`: whether each account can really be asked, and what is missing where not.

Decides that a failing account never ends the others' checks. What is asked is account_steps.py's matter.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import click

from crosstrail.cli import account_steps as steps
from crosstrail.cli import with_settings
from crosstrail.cli.account_steps import FAILED, NOT_ASKED, ask_steps
from crosstrail.cli.command import Command
from crosstrail.cli.output import Cell, CommandOutput, Meaning, RowColumn, RowType, with_output
from crosstrail.cli.progress import progress_line
from crosstrail.cli.shared_options import region_option
from crosstrail.cli.statuses import status_of
from crosstrail.cli.words import say

if TYPE_CHECKING:
    from crosstrail.lookup.fanout import Progress
    from crosstrail.lookup.targets import OpenTarget
    from crosstrail.settings.config import Settings
    from crosstrail.workspace.workspace import Workspace


def _meaning(value: Cell) -> Meaning | None:
    return Meaning.FAILED if value == FAILED else None


_ASKED = "ok, failed, or - where there is nothing to ask."
CHECKED = RowType(
    "accounts check",
    (
        RowColumn("alias", about="The account's name; empty where it has none."),
        RowColumn("account", whole=True, about="Its id."),
        RowColumn("region", about="The region that was asked; empty for the whole account."),
        RowColumn("identity", cut="apart", meaning=_meaning, about="Who we are there, or failed."),
        RowColumn("events", whole=True, meaning=_meaning, about=f"Looking up events: {_ASKED}"),
        RowColumn("trails", whole=True, meaning=_meaning, about=f"Describing trails: {_ASKED}"),
        RowColumn("stores", whole=True, meaning=_meaning, about=f"Listing event data stores: {_ASKED}"),
        RowColumn("problems", "list", wide=True, about="What is wrong, and what to do about it."),
    ),
)


@dataclass(slots=True)
class Checked:
    """One account in one region. A check is ok, failed, or `-` where there is nothing to ask."""

    account: str
    id: str
    region: str
    identity: str = NOT_ASKED
    lookup: str = NOT_ASKED
    trails: str = NOT_ASKED
    stores: str = NOT_ASKED
    problems: list[str] = field(default_factory=list)


@click.command("check", cls=Command, short_help="Ask every live account once what it allows.")
@click.argument("selector", default="*")
@region_option("each account's own")
@with_output(CHECKED, json_flag="json")
@with_settings
def check(settings: Settings, selector: str, region: str, output: CommandOutput) -> int:
    """Ask every live account once: who we are there, events, trails, event data stores.

    SELECTOR is an id, an alias, a glob or a comma list of these; without it, all are checked. Exit status 1: no account
    can be asked for events; 3: some cannot.
    """
    import anyio

    with progress_line("Asking accounts", "targets") as bar:
        found, left_out = anyio.run(check_accounts, settings, selector, region, bar.counted)
    if output.older:
        output.json_document([asdict(one) for one in found])
    else:
        with output.rows(CHECKED) as rows:
            rows.write_all(list(asdict(one).values()) for one in found)
    if not found:
        say("No account here is live: an archive needs no check.")
    for one in found:
        for problem in dict.fromkeys(one.problems):  # what refuses one kind of read may refuse all, in the same words
            say(f"{' '.join(filter(None, (one.account or one.id, one.region)))}: {problem}")
    for line in left_out:
        say(line)
    failed = sum(one.lookup == FAILED for one in found)
    return status_of(done=len(found) - failed, failed=failed + len(left_out))


async def check_accounts(
    settings: Settings, selector: str, region: str, progress: Progress | None = None
) -> tuple[list[Checked], list[str]]:
    """What was found of each target, and who has no such region."""
    from crosstrail.answers.coverage_text import block
    from crosstrail.lookup.fanout import ask_each
    from crosstrail.workspace.workspace import Workspace

    workspace = Workspace(settings)
    try:
        accounts = (await workspace.listed()).registry.select(selector)
        live = [one for one in accounts if one.auth]
        found: list[Checked] = []
        while True:  # block after block
            chosen = await workspace.targets_of(live, region, start=len(found))
            answers, _ = await ask_each(
                chosen.targets, lambda target: _check(workspace, target), progress=progress, alone=not found
            )
            found += answers.values()
            if not chosen.left or not answers:
                return found, block(replace(chosen, start=0, targets=(), total=0))
    finally:
        await workspace.aclose()


async def _check(workspace: Workspace, target: OpenTarget) -> Checked:
    checked = Checked(target.account.alias, target.account.id, target.region)
    async for step in ask_steps(workspace, target):
        if step.problem:
            checked.problems.append(step.problem)
        match step.name:
            case steps.EVENTS:
                checked.lookup = step.outcome
            case steps.TRAILS:
                checked.trails = step.outcome
            case steps.STORES:
                checked.stores = step.outcome
            case _ if step.outcome == FAILED:
                checked.identity = checked.lookup = FAILED
            case steps.IDENTITY:
                checked.identity = step.detail or NOT_ASKED
    return checked
