"""`crosstrail accounts add|import|encrypt|rotate`: which accounts the database lists, and their stored secrets.

A secret comes from a hidden prompt or from stdin, never from the command line, which other users of the machine can see.
No secret is ever printed; a token is, where it was asked for.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.shared_options import dry_run_option
from crosstrail.cli.translation import translated
from crosstrail.cli.words import out, say
from crosstrail.errors import ConfigError, InvalidRequest, SecretUnreadable

if TYPE_CHECKING:
    from crosstrail.accounts.database import AccountDatabase
    from crosstrail.accounts.secrets import SecretBox
    from crosstrail.models import Account
    from crosstrail.settings.config import Settings

_ACCOUNT_ID = click.argument("account_id", metavar="ID")


class _AddCommand(Command):
    """With the options that clouds add: which they are takes loading all clouds, which no other command should."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        names = [param.name for param in self.params]
        if "cloud" not in names:
            place = names.index("region") + 1
            self.params[place:place] = _cloud_options()
        return super().get_params(ctx)


def _cloud_options() -> list[click.Parameter]:
    """`--role-arn` and the like, one for each name that a cloud has for its roles, and `--cloud`."""
    from crosstrail.account_forms import account_forms
    from crosstrail.models import DEFAULT_CLOUD

    forms = {cloud: form for cloud, form in account_forms().items() if form.table}
    titles: dict[str, list[str]] = {}
    for form in forms.values():
        if form.role_column:
            titles.setdefault(form.role_column, []).append(form.title)
    roles = (
        click.Option(
            [_option(column)], default="", help=f"The role to assume in it, of an account of {' or '.join(named)}."
        )
        for column, named in titles.items()
    )
    of_which = f"Whose account it is; else the cloud of the role, or {DEFAULT_CLOUD}."
    return [*roles, click.Option(["--cloud"], type=click.Choice(list(forms)), default=None, help=of_which)]


def _option(column: str) -> str:
    return f"--{column.replace('_', '-')}"


@click.command("add", cls=_AddCommand)
@_ACCOUNT_ID
@click.option("--alias", default="", help="A name to use for it.")
@click.option("--region", default="", help="The region asked when a call names none.")
@click.option("--external-id", default="", help="What that role's trust policy asks for.")
@click.option("--access-key-id", default="", help="Its access key; the secret is asked for, or read from stdin.")
@click.option("--replace", is_flag=True, help="Change an account that is there already.")
@with_settings
def add(
    settings: Settings,
    account_id: str,
    alias: str,
    region: str,
    cloud: str | None,
    external_id: str,
    access_key_id: str,
    replace: bool,
    **roles: str,
) -> None:
    """Add an account to the database.

    It is used by a role, which needs no stored secret, or by an access key.
    """
    from crosstrail.account_forms import account_forms, cloud_of_role
    from crosstrail.accounts.account_import import add as store
    from crosstrail.accounts.listing import Listing
    from crosstrail.accounts.registry import Registry
    from crosstrail.accounts.table_rows import KEYS, ROLE, account_of
    from crosstrail.models import DEFAULT_CLOUD

    given = [name for name, role in roles.items() if role]
    if len(given) + bool(access_key_id) != 1:
        known = ", ".join(map(_option, roles))
        raise InvalidRequest(f"give one of {known} and --access-key-id", hint="A role needs no stored secret.")
    if not cloud:
        cloud = cloud_of_role(given[0], roles[given[0]], DEFAULT_CLOUD) if given else DEFAULT_CLOUD
    if external_id and not (given and account_forms()[cloud].external_ids):
        asking = dict.fromkeys(_option(form.role_column) for form in account_forms().values() if form.external_ids)
        raise InvalidRequest(f"--external-id belongs to {' or '.join(asking)}")
    database = _database(settings)
    row = {"account_id": account_id, "alias": alias, "region": region, "auth_type": ROLE}
    row |= roles
    if access_key_id:
        # what is wrong with the rest should be said before anybody types a secret
        row |= {"auth_type": KEYS, "access_key_id": access_key_id, "secret_access_key_encrypted": "asked for below"}
        row["secret_access_key_encrypted"] = _encrypted(settings, account_of(row, "the account", cloud=cloud).id)
    account = account_of(row, "the account", external_id, cloud=cloud)
    if alias and not account.alias:
        raise ConfigError("the alias has no letter of a-z in it", hint="Choose another --alias.")
    Registry.merged([Listing("crosstrail.yaml", settings.accounts), Listing("the new one", (account,))])
    store(database, account, replace=replace)
    out(f"Stored {_named(account)} in {database.name}.")


@click.command("import", cls=Command)
@click.argument("file", type=click.File("rb"))
@dry_run_option()
@with_settings
def import_(settings: Settings, file: BinaryIO, dry_run: bool) -> None:
    """Add all accounts of a file, or none.

    FILE is CSV with a header, or JSON lines; - is stdin. The columns are those of the table: account_id, alias, auth_type
    (aksk or iam_role), access_key_id, secret_access_key_encrypted (or secret_access_key in plain text), role_arn (of
    another cloud its own), region, org_id (or external_id), and cloud.
    """
    from crosstrail.accounts.account_import import import_accounts

    try:
        text = file.read().decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("the file is not UTF-8 text", hint="Save it as UTF-8.") from None
    database = _database(settings)
    added, ignored = import_accounts(database, text, lambda: _box(settings), settings.accounts, dry_run=dry_run)
    for account in added:
        out(f"{'would add' if dry_run else 'added'} {_named(account)}")
    counted = f"{len(added)} account{'s' * (len(added) != 1)}"
    say(f"{counted}{' would be' if dry_run else ''} stored in {database.name}.")
    if ignored:
        say(f"ignored columns: {', '.join(ignored)}")


@click.command("encrypt", cls=Command)
@_ACCOUNT_ID
@with_settings
def encrypt(settings: Settings, account_id: str) -> None:
    """Turn a secret key into a token for crosstrail.yaml.

    No account but ID can use the token.
    """
    from crosstrail.account_forms import account_forms

    if not any(form.is_id(account_id) for form in account_forms().values()):
        raise InvalidRequest("this is no account id of an installed cloud")
    out(_encrypted(settings, account_id))
    say("Write it as auth.secret_access_key_encrypted of this account in crosstrail.yaml.")


@click.command("rotate", cls=Command)
@with_settings
def rotate(settings: Settings) -> None:
    """Encrypt all stored secrets with the first key.

    That is the first of ENCRYPTION_KEY; the others are needed to read what they encrypted. Safe to run twice.
    """
    from crosstrail.workspace.account_sources import account_database

    box = _box(settings)
    database = account_database(settings)
    if database:
        from crosstrail.accounts.account_import import rotate as encrypt_again

        count = encrypt_again(database, box)
        out(f"{count} secret{'s' * (count != 1)} encrypted again in {database.name}.")
    outdated = _outdated_tokens(settings)
    if outdated:
        out("To be replaced by hand in crosstrail.yaml, before an old key is dropped:")
        for account, token in outdated:
            out(f"{_named(account)}: secret_access_key_encrypted: {box.rotate(token, account.id)}")
    elif not database:
        out("No secret is stored under another key.")


def _database(settings: Settings) -> AccountDatabase:
    from crosstrail.workspace.account_sources import account_database

    if database := account_database(settings):
        return database
    raise ConfigError("no account database is configured", hint="Set DATABASE_URL or RDS_SECRET_NAME.")


def _box(settings: Settings) -> SecretBox:
    from crosstrail.accounts.secrets import SecretBox

    return SecretBox(settings.encryption_key.get_secret_value())


def _encrypted(settings: Settings, account_id: str) -> str:
    """The token of a secret that is asked for, or read from the first line of stdin."""

    from pydantic import SecretStr

    box = _box(settings)  # a missing key should be said before anybody types a secret
    if sys.stdin.isatty():
        secret = click.prompt(translated("Secret access key"), hide_input=True, default="", show_default=False)
    else:
        secret = sys.stdin.readline()
    if not secret.strip():
        raise InvalidRequest("no secret was given", hint="Type it when asked, or pipe it to stdin.")
    return box.encrypt(SecretStr(secret.strip()), account_id)


def _outdated_tokens(settings: Settings) -> list[tuple[Account, str]]:
    """Accounts of the file whose token the first key does not open, each with that token."""
    from crosstrail.account_auth import KeysAuth
    from crosstrail.accounts.secrets import SecretBox

    first = next(key for key in settings.encryption_key.get_secret_value().split(",") if key.strip())
    outdated = []
    for account in settings.accounts:
        held = account.auth.secret_access_key_encrypted if isinstance(account.auth, KeysAuth) else None
        if held is None:
            continue
        try:
            SecretBox(first).decrypt(held.get_secret_value(), account.id)
        except SecretUnreadable:
            outdated.append((account, held.get_secret_value()))
    return outdated


def _named(account: Account) -> str:
    return f"{account.alias} ({account.id})" if account.alias else account.id
