"""`crosstrail client`: the entry of this server in the files of MCP clients.

It writes no secret, changes nothing beside its entry, and says what has to be restarted.
"""

from __future__ import annotations

from pathlib import Path

import click

from crosstrail.cli import CONFIG_HELP
from crosstrail.cli.command import Group
from crosstrail.cli.output import Cell, CommandOutput, Meaning, RowColumn, RowType, with_output
from crosstrail.cli.statuses import DONE, FAILED, PARTLY
from crosstrail.cli.words import say
from crosstrail.clients.known import CLIENTS, client_of
from crosstrail.errors import InvalidRequest


def _meaning(cell: Cell) -> Meaning | None:
    return Meaning.FAILED if cell in ("broken", "unreadable") else None


CLIENT_ENTRIES = RowType(
    "client list",
    (
        RowColumn("client", whole=True, about="What commands call it."),
        RowColumn("installed", "flag", about="Whether it, or a file of its, is here."),
        RowColumn("entry", meaning=_meaning, about="ok, broken, unreadable (the file), or - where there is none."),
        RowColumn("file", cut="middle", about="Where it keeps its servers."),
        RowColumn("remedy", wide=True, about="What to do; empty where nothing is wrong."),
    ),
    first_to_go=("file",),
)
_NAMES = [one.name for one in CLIENTS]
_SERVER_NAME = click.option("--name", default="crosstrail", metavar="NAME", help="What the client calls the server.")
_PROJECT = click.option(
    "--project",
    metavar="FOLDER",
    default=None,
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="The file of that project instead of your own.",
)


@click.group(cls=Group)
def client() -> None:
    """Add this server to MCP clients: Claude, Cursor, Kiro, Trae, VS Code, Codex and others."""


@client.command()
@click.argument("clients", metavar="CLIENT...", nargs=-1, required=True, type=click.Choice(_NAMES))
@_PROJECT
@_SERVER_NAME
@click.option("--url", default="", help="Of a server that runs elsewhere, such as https://trails.example.com/mcp.")
@click.option(
    "--token-variable", default="", metavar="NAME", help="With --url: the environment variable with its bearer token."
)
@click.option("--print", "prints", is_flag=True, help="Print the entry and the client's own command; write nothing.")
@click.option("--config", metavar="FILE", default="", help=CONFIG_HELP)
@click.option("--lake", metavar="FOLDER", default="", help="Folder of the lake (else lake.path).")
def add(
    clients: tuple[str, ...],
    project: Path | None,
    name: str,
    url: str,
    token_variable: str,
    prints: bool,
    config: str,
    lake: str,
) -> int:
    """Write the entry of this server into a client's own file.

    The entry starts this very installation with the configuration that is found now, or names a server at --url. It holds
    names of variables and no secret. All else in the file stays as it is; a second time changes nothing.
    """
    from crosstrail.cli.client_entries import add_entry, print_entry, server_to_add

    if token_variable and not url:
        raise click.UsageError("--token-variable needs --url")
    server = server_to_add(config, lake, url, token_variable)
    failed = 0
    for chosen in map(client_of, clients):
        try:
            (print_entry if prints else add_entry)(chosen, server, name, project)
        except (InvalidRequest, OSError) as error:
            failed += 1
            say(f"{chosen.title}: {_told(error)}")
    return _status(len(clients), failed)


@client.command("list")
@_PROJECT
@_SERVER_NAME
@with_output(CLIENT_ENTRIES)
def list_(project: Path | None, name: str, output: CommandOutput) -> int:
    """Show the clients found here, and whether each has a working entry."""
    from crosstrail.cli.client_entries import entry_states

    states = entry_states(name, project)
    with output.rows(CLIENT_ENTRIES) as rows:
        rows.write_all([one.client.name, one.installed, one.entry, str(one.path), one.remedy] for one in states)
    for one in states if output.form == "table" else ():
        if one.remedy:
            say(f"{one.client.title}: {one.remedy}")
    if output.form == "table" and not any(one.entry == "ok" for one in states):
        say("Add it to one of them: crosstrail client add NAME")
    return DONE


@client.command()
@click.argument("clients", metavar="CLIENT...", nargs=-1, required=True, type=click.Choice(_NAMES))
@_PROJECT
@_SERVER_NAME
def remove(clients: tuple[str, ...], project: Path | None, name: str) -> int:
    """Take the entry out of a client's file; all else stays as it is."""
    from crosstrail.cli.client_entries import remove_entry

    failed = 0
    for chosen in map(client_of, clients):
        try:
            remove_entry(chosen, name, project)
        except (InvalidRequest, OSError) as error:
            failed += 1
            say(f"{chosen.title}: {_told(error)}")
    return _status(len(clients), failed)


def _status(count: int, failed: int) -> int:
    if not failed:
        return DONE
    return FAILED if failed == count else PARTLY


def _told(error: InvalidRequest | OSError) -> str:
    if isinstance(error, InvalidRequest):
        return error.operators_text
    return f"{error.strerror or type(error).__name__}: {error.filename}" if error.filename else str(error)
