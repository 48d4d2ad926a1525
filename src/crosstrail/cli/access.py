"""`crosstrail access`: what the access rules give a principal, by the very code that the server asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Group
from crosstrail.cli.output import Cell, CommandOutput, Meaning, RowColumn, RowType, with_output
from crosstrail.cli.words import say
from crosstrail.errors import InvalidRequest

if TYPE_CHECKING:
    from crosstrail.accounts.policy import Grant, Principal
    from crosstrail.models import Account
    from crosstrail.settings.config import Settings


def _meaning(value: Cell) -> Meaning | None:
    return Meaning.WRITE if value == "yes" else None


ALLOWED = RowType(
    "access test",
    (
        RowColumn("account", whole=True, about="The account's id."),
        RowColumn("alias", about="Its name; empty where it has none."),
        RowColumn("cloud", about="aws, volcengine, alibaba, or what a distribution brings."),
        RowColumn("toolsets", "list", about="The toolsets that they may use there."),
        RowColumn(
            "write", meaning=_meaning, about="Whether they may change something: yes, no, or no with the reason."
        ),
    ),
    first_to_go=("cloud",),
)


class _Allowed(TypedDict):
    account: str
    alias: str
    cloud: str
    toolsets: list[str]
    write: str


@click.group(cls=Group)
def access() -> None:
    """Who may use which accounts."""


@access.command("test")
@click.argument("who")
@click.option("--group", "groups", multiple=True, help="A group they are in. Repeatable.")
@click.option("--scope", "scopes", multiple=True, help="A scope of their token. Repeatable.")
@click.option("--issuer", default="", help="`iss` of their token, where jwt has several issuers.")
@with_output(ALLOWED, json_flag="json")
@with_settings
def test_(
    settings: Settings, who: str, groups: tuple[str, ...], scopes: tuple[str, ...], issuer: str, output: CommandOutput
) -> None:
    """Show what someone may do over HTTP.

    WHO is an e-mail address, or login:NAME, subject:ID or client:ID as their token would say.
    """
    import anyio

    several = settings.serve.auth == "jwt" and len(settings.jwt.accepted) > 1
    principal = replace(_principal(who, groups, scopes), issuer=issuer, needs_issuer=several)
    grant, accounts = anyio.run(_given, settings, principal)
    writes = settings.allow_writes and not settings.serve.read_only
    found = [_row(grant, account, writes) for account in accounts]
    if output.older:
        listed = [{**one, "toolsets": " ".join(one["toolsets"])} for one in found]
        output.json_document({"who": who, "accounts": listed})
    elif found or output.form != "table":
        with output.rows(ALLOWED) as rows:
            rows.write_all([one["account"], one["alias"], one["cloud"], one["toolsets"], one["write"]] for one in found)
    else:
        output.line(f"{who} may use nothing: no access rule that names them names an account.")
    if output.form == "table" and any(row["write"].startswith("no,") for row in found):
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


def _row(grant: Grant, account: Account, writes: bool) -> _Allowed:
    from crosstrail.accounts.policy import TOOLSETS

    may_write = any(grant.sees(account, toolset, write=True) for toolset in TOOLSETS if toolset != "accounts")
    return {
        "account": account.id,
        "alias": account.alias,
        "cloud": account.cloud,
        "toolsets": [toolset for toolset in TOOLSETS if grant.sees(account, toolset)],
        "write": "yes" if may_write and writes else "no, the server allows none" if may_write else "no",
    }
