"""`crosstrail access`: what the access rules give a principal, by the very code that the server asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Group
from crosstrail.cli.tables import print_table
from crosstrail.cli.words import out, out_json, say
from crosstrail.errors import InvalidRequest

if TYPE_CHECKING:
    from crosstrail.accounts.policy import Grant, Principal
    from crosstrail.models import Account
    from crosstrail.settings.config import Settings


@click.group(cls=Group)
def access() -> None:
    """Who may use which accounts."""


@access.command("test")
@click.argument("who")
@click.option("--group", "groups", multiple=True, help="A group they are in. Repeatable.")
@click.option("--scope", "scopes", multiple=True, help="A scope of their token. Repeatable.")
@click.option("--issuer", default="", help="`iss` of their token, where jwt has several issuers.")
@click.option("--json", "as_json", is_flag=True, help="JSON for scripts.")
@with_settings
def test_(
    settings: Settings, who: str, groups: tuple[str, ...], scopes: tuple[str, ...], issuer: str, as_json: bool
) -> None:
    """Show what someone may do over HTTP.

    WHO is an e-mail address, or login:NAME, subject:ID or client:ID as their token would say.
    """
    import anyio

    several = settings.serve.auth == "jwt" and len(settings.jwt.accepted) > 1
    principal = replace(_principal(who, groups, scopes), issuer=issuer, needs_issuer=several)
    grant, accounts = anyio.run(_given, settings, principal)
    writes = settings.allow_writes and not settings.serve.read_only
    rows = [_row(grant, account, writes) for account in accounts]
    if as_json:
        out_json({"who": who, "accounts": rows}, indent=True)
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        out(f"{who} may use nothing: no access rule that names them names an account.")
    if rows and not as_json and any(row["write"].startswith("no,") for row in rows):
        say("A rule lets them write, the server does not: it needs --allow-writes and no --read-only.")


def _principal(who: str, groups: tuple[str, ...], scopes: tuple[str, ...]) -> Principal:
    """Raises InvalidRequest for a name of no kind."""
    from crosstrail.accounts.policy import Principal

    kind, _, value = who.partition(":")
    if kind not in ("email", "login", "subject", "client") or not value:
        if "@" not in who:
            raise InvalidRequest(
                f"{who[:60]!r} says not what it is",
                hint="Write an e-mail address, or login:, subject: or client: before it; add groups with --group, scopes with --scope.",
            )
        kind, value = "email", who
    named = {"email": "", "login": "", "subject": "", "client": "", kind: value}
    return Principal(
        subject=named["subject"],
        email=named["email"],
        login=named["login"],
        client=named["client"],
        groups=frozenset(groups),
        scopes=frozenset(scopes),
    )


async def _given(settings: Settings, principal: Principal) -> tuple[Grant, tuple[Account, ...]]:
    from crosstrail.accounts.policy import granted
    from crosstrail.workspace.scoped import ScopedWorkspace
    from crosstrail.workspace.workspace import Workspace

    workspace = Workspace(settings)
    try:
        grant = granted(principal, await workspace.access_rules())
        return grant, (await ScopedWorkspace(workspace, grant).registry()).accounts
    finally:
        await workspace.aclose()


def _row(grant: Grant, account: Account, writes: bool) -> dict[str, str]:
    from crosstrail.accounts.policy import TOOLSETS

    may_write = any(grant.sees(account, toolset, write=True) for toolset in TOOLSETS if toolset != "accounts")
    return {
        "account": account.id,
        "alias": account.alias,
        "cloud": account.cloud,
        "toolsets": " ".join(toolset for toolset in TOOLSETS if grant.sees(account, toolset)),
        "write": "yes" if may_write and writes else "no, the server allows none" if may_write else "no",
    }
