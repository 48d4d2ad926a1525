"""`crosstrail accounts test`: one account, step by step: found where, used how, who we are, one real lookup, each permission.

Decides how a step is told: what came of it, how long it took, and what to do where it failed. What is asked is account_steps.py's matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import CONFIG_HELP
from crosstrail.cli.account_steps import EVENTS, FAILED, NOT_ASKED, OK, AccountStep, ask_steps
from crosstrail.cli.command import Command
from crosstrail.cli.output import Cell, CommandOutput, Meaning, RowColumn, RowType, with_output
from crosstrail.cli.shared_options import region_option
from crosstrail.cli.statuses import DONE, PARTLY
from crosstrail.cli.statuses import FAILED as STATUS_FAILED
from crosstrail.cli.words import say
from crosstrail.errors import InvalidRequest

if TYPE_CHECKING:
    from crosstrail.account_auth import Auth
    from crosstrail.accounts.registry import Registry
    from crosstrail.models import Account
    from crosstrail.settings.config import Settings

FOUND, AUTH, REGION = "found", "auth", "region"


def _meaning(value: Cell) -> Meaning | None:
    return Meaning.FAILED if value == FAILED else None


STEPS = RowType(
    "accounts test",
    (
        RowColumn(
            "step", whole=True, about="found, auth, region, credentials, identity, events, trails, event data stores."
        ),
        RowColumn("outcome", whole=True, meaning=_meaning, about="ok, failed, or - where there is nothing to ask."),
        RowColumn("seconds", "number", about="How long it took."),
        RowColumn("detail", cut="middle", about="What came of it, or what is wrong."),
        RowColumn("hint", wide=True, about="What to do about that."),
    ),
)


@click.command("test", cls=Command)
@click.argument("account_id", metavar="ACCOUNT")
@region_option("the account's own")
@click.option("--config", metavar="FILE", default="", help=CONFIG_HELP)
@with_output(STEPS)
def test(output: CommandOutput, account_id: str, region: str, config: str) -> int:
    """Test one account step by step, and say what to do about the step that fails.

    ACCOUNT is an id or an alias. What lists it, how its credentials are had, in which region it is asked, who we are there, one real lookup of
    events, each further permission, and how long each took. Exit status 1: it cannot be asked for events; 3: something else fails.
    """
    import anyio

    from crosstrail.settings.config import config_file, load_settings

    settings, file = load_settings(config), config_file(config)
    steps = anyio.run(_steps, settings, file, account_id, region)
    with output.rows(STEPS) as rows:
        rows.write_all([one.name, one.outcome, round(one.seconds, 3), one.detail, one.hint] for one in steps)
    for step in steps:
        if step.problem:
            say(f"{step.name}: {step.problem}")
    failed = [step.name for step in steps if step.outcome == FAILED]
    asked = any(step.name == EVENTS and step.outcome in (OK, NOT_ASKED) for step in steps)
    if not asked:
        return STATUS_FAILED
    return PARTLY if failed else DONE


async def _steps(settings: Settings, file: Path | None, name: str, region: str) -> list[AccountStep]:
    """Raises AccountNotFound, InvalidRequest."""
    from crosstrail.workspace.workspace import Workspace

    workspace = Workspace(settings)
    try:
        registry = (await workspace.listed()).registry
        chosen = registry.select(name)
        if len(chosen) != 1:
            raise InvalidRequest("one account is tested at a time", hint="`crosstrail accounts check` asks many.")
        [account] = chosen
        steps = [AccountStep(FOUND, OK, _place(settings, file, registry, account))]
        if account.auth is None:
            steps.append(AccountStep(AUTH, NOT_ASKED, "none is listed: its events come from log files alone"))
            return [*steps, AccountStep(EVENTS, NOT_ASKED, account.archive)]
        steps.append(AccountStep(AUTH, OK, _auth(account.auth)))
        targets = (await workspace.targets_of([account], region)).targets
        if not targets:
            return [*steps, AccountStep(REGION, FAILED, f"the account has no region {region}", "Name another one.")]
        if len(targets) > 1:
            raise InvalidRequest("one region is tested at a time", hint="`crosstrail accounts check` asks many.")
        steps.append(AccountStep(REGION, OK, targets[0].region or "the whole account"))
        return [*steps, *[step async for step in ask_steps(workspace, targets[0])]]
    finally:
        await workspace.aclose()


def _place(settings: Settings, file: Path | None, registry: Registry, account: Account) -> str:
    """What lists it: a line of the file, or the name of another source."""
    from crosstrail.settings.key_places import key_places

    numbers = [number for number, one in enumerate(settings.accounts) if one.key == account.key]
    if file and numbers:
        place = key_places(file.read_text("utf-8")).of(("accounts", str(numbers[0])))
        return f"{file}:{place.line}" if place else str(file)
    return registry.source_of(account) or "the machine's own identity, or the lake"


def _auth(auth: Auth) -> str:
    from crosstrail.settings.masking import masked_key_id

    if key_id := getattr(auth, "access_key_id", ""):
        return f"{auth.type} {masked_key_id(key_id)}"
    return f"{auth.type} {getattr(auth, auth.named_by, '')}".strip() if auth.named_by else auth.type
