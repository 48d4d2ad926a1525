"""`crosstrail accounts remove`: an account is listed no more, in crosstrail.yaml or in the account database.

Decides what is asked before and what is said after: what still names the account, and that its events stay. It never touches a lake.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import CONFIG_HELP
from crosstrail.cli.command import Command
from crosstrail.cli.statuses import DONE, INTERRUPTED
from crosstrail.cli.words import confirm, out, say
from crosstrail.errors import AccountNotFound, InvalidRequest

if TYPE_CHECKING:
    from crosstrail.accounts.database import AccountDatabase
    from crosstrail.models import Account
    from crosstrail.settings.config import Settings


@dataclass(frozen=True, slots=True)
class _Listed:
    """What lists accounts, and what can be taken out of it."""

    settings: Settings
    file: Path | None
    database: AccountDatabase | None
    in_database: tuple[Account, ...]

    def chosen(self, selector: str) -> tuple[Account, ...]:
        """Raises AccountNotFound."""
        from crosstrail.accounts.listing import Listing
        from crosstrail.accounts.registry import Registry

        both = [Listing("crosstrail.yaml", self.settings.accounts), Listing("the database", self.in_database)]
        try:
            return Registry.merged(both).select(selector)
        except AccountNotFound as error:
            raise AccountNotFound(
                f"neither crosstrail.yaml nor the account database lists this: {error}",
                hint="An organization, profiles and the lake list accounts by themselves: change them there.",
            ) from None


@click.command("remove", cls=Command)
@click.argument("selector")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--config", metavar="FILE", default="", help=CONFIG_HELP)
def remove(selector: str, yes: bool, config: str) -> int:
    """Remove accounts from crosstrail.yaml and from the account database.

    SELECTOR is an id, an alias, a glob or a comma list of these. All other text of the file stays as it is, and so do the events that the lake
    holds of the accounts, and their roles and keys in the cloud.
    """
    listed = _listed(config)
    accounts = listed.chosen(selector)
    in_file = [one for one in accounts if one in listed.settings.accounts]
    in_database = [one for one in accounts if one not in listed.settings.accounts]
    for account in accounts:
        place = str(listed.file) if account in in_file else listed.database.name if listed.database else ""
        say(f"{_named(account)}: in {place}")
    if not yes and not _confirmed():
        say("Nothing was removed.")
        return INTERRUPTED
    if in_file and listed.file:
        _out_of_file(listed, in_file)
    if in_database and listed.database:
        from crosstrail.accounts.account_import import remove as out_of_database

        out_of_database(listed.database, in_database)
    for account in accounts:
        out(f"Removed {_named(account)}.")
    _say_what_stays(listed.settings, accounts)
    return DONE


def _listed(config: str) -> _Listed:
    from crosstrail.settings.config import config_file, load_settings
    from crosstrail.workspace.account_sources import account_database

    settings = load_settings(config)
    database = account_database(settings)
    return _Listed(settings, config_file(config), database, database.read().accounts if database else ())


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        raise InvalidRequest("removing asks first, and nobody can answer here", hint="Add --yes.")
    return confirm("Remove them?")


def _out_of_file(listed: _Listed, accounts: Sequence[Account]) -> None:
    from crosstrail.clients.files import write_text
    from crosstrail.settings.entry_removal import without_accounts

    file = listed.file
    if file is None:
        return
    numbers = [number for number, one in enumerate(listed.settings.accounts) if one in accounts]
    text = file.read_bytes().decode("utf-8")
    write_text(file, without_accounts(text, numbers, file))


def _say_what_stays(settings: Settings, accounts: Sequence[Account]) -> None:
    """What still names them, and what was never touched."""
    names = {name for account in accounts for name in (account.id, account.alias) if name}
    for number, rule in enumerate(settings.access):
        if left := sorted(names.intersection(rule.accounts)):
            say(f"access[{number}] still names {', '.join(left)}: `crosstrail config check` shows where.")
    named = {
        "lake.account": settings.lake.account,
        "lake.bucket_account": settings.lake.bucket_account,
        "athena.account": settings.athena.account,
    }
    for setting, name in named.items():
        if name in names:
            say(f"{setting} still names {name}, which is no account any more.")
    if settings.lake.exists():
        say(
            "The events that the lake holds of them stay, and are answered once the accounts are listed again; "
            "`crosstrail lake expire` drops what is older than lake.retention."
        )
    say("Roles and keys in the cloud stay: delete there what nobody needs any more.")


def _named(account: Account) -> str:
    return f"{account.alias} ({account.id})" if account.alias else account.id
