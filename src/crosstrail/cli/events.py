"""`crosstrail lookup` and `crosstrail query`: the two questions about events, for people and scripts.

What they can be asked, alone, so that --help loads nothing else; event_answers.py answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import click

from crosstrail.cli import with_settings, with_settings_after
from crosstrail.cli.command import Command
from crosstrail.cli.event_rows import EVENTS
from crosstrail.cli.output import CommandOutput, with_output
from crosstrail.cli.shared_options import account_option, region_option, since_option, until_option

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings

StatusT = TypeVar("StatusT")
_FILTERS: dict[str, tuple[str, str]] = {
    "name": ("EventName", "Event name, such as ConsoleLogin."),
    "user": ("Username", "User name, or the session name of an assumed role."),
    "role": ("Role", "Role, by name or ARN: everything its sessions did."),
    "arn": ("Principal", "ARN of who did it, or the principal as the table shows it."),
    "ip": ("SourceIPAddress", "Source address, or a network such as 10.0.0.0/8."),
    "error": ("ErrorCode", "Error code, such as AccessDenied; * for any failure."),
    "user_agent": ("UserAgent", "A part of the user agent."),
    "access_key": ("AccessKeyId", "Access key id."),
    "source": ("EventSource", "Service, such as iam or iam.amazonaws.com."),
    "resource": ("ResourceName", "Resource name or ARN."),
    "resource_type": ("ResourceType", "Resource type, such as AWS::S3::Bucket."),
    "event_id": ("EventId", "Event id."),
    "read_only": ("ReadOnly", "true or false."),
}
"""Option -> key (filters.py has them all), help."""


AS_OF = "The lake as it was then, and no live account: 6h, 2026-11-20T09:00Z."


def lookup_filters(command: Callable[..., StatusT]) -> Callable[..., StatusT]:
    """Gives a command the options that choose events."""
    for name, (_, text) in reversed(_FILTERS.items()):
        command = click.option(f"--{name.replace('_', '-')}", name, default="", help=text)(command)
    return command


def named_filters(filters: Mapping[str, str]) -> list[tuple[str, str]]:
    """(key, value) of each option that was given."""
    return [(_FILTERS[name][0], value) for name, value in filters.items() if value]


@click.command(cls=Command)
@account_option("")
@region_option("")
@since_option()
@until_option()
@lookup_filters
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Most events to list.")
@click.option("--as-of", metavar="TIME", default="", help=AS_OF)
@with_output(EVENTS, forms=("ocsf",), json_flag="jsonl")
@with_settings
def lookup(
    settings: Settings,
    account: str,
    region: str,
    since: str,
    until: str,
    limit: int,
    as_of: str,
    output: CommandOutput,
    **filters: str,
) -> int:
    """List events, newest first. Filters may be combined: events meet all of them.

    --format ocsf: a line of OCSF 1.5.0 for each.

    Exit status 3: some account or region could not be asked, or is in no cloud that was; 1: none could.
    """
    from crosstrail.cli.event_answers import print_events, read_as_of

    given = named_filters(filters)
    options = {key: f"--{name.replace('_', '-')}" for name, (key, _) in _FILTERS.items()}
    return print_events(read_as_of(settings, as_of), account, region, (since, until), limit, given, options, output)


def start_worker() -> None:
    """The process that will compile and run the statement loads beside this one."""
    from crosstrail.engines.workers import start_early
    from crosstrail.lake import missing_libraries

    if not missing_libraries():
        start_early()


@click.command(cls=Command)
@click.argument("sql", required=False, metavar="[SQL|@FILE|-]")
@click.option("--saved", metavar="NAME", default="", help="Run a saved query: NAME.sql of the folder query.saved.")
@click.option(
    "--set", "values", metavar="NAME=VALUE", multiple=True, help="The value of a parameter :NAME, as a literal."
)
@click.option("--list-saved", is_flag=True, help="List the saved queries, what they are and take.")
@account_option()
@click.option(
    "--limit", type=click.IntRange(min=1), default=None, help="Most rows to print; on a terminal a table stops at 100."
)
@click.option("--as-of", metavar="TIME", default="", help=AS_OF)
@click.option(
    "--engine",
    metavar="NAME",
    default="",
    help="lake, trino, athena or cloudtrail_lake; see `crosstrail help engines`.",
)
@click.option(
    "--explain", is_flag=True, help="Run nothing: say what would be read, and what each engine would be sent."
)
@with_output(None)
@with_settings_after(start_worker)
def query(
    settings: Settings,
    sql: str | None,
    saved: str,
    values: tuple[str, ...],
    account: str,
    output: CommandOutput,
    limit: int | None,
    as_of: str,
    engine: str,
    *,
    list_saved: bool,
    explain: bool,
) -> None:
    """Run one SELECT in CloudTrail Lake's SQL. FROM names `events`, an account, or an event data store id.

    The statement stands on the command line, in a file (@FILE), on standard input (-), or is a saved one.
    """
    from crosstrail.cli.query_source import print_saved, statement_of

    if list_saved:
        print_saved(settings, output)
        return
    statement = statement_of(settings, sql, saved, values)
    from crosstrail.cli.event_answers import print_explained, print_rows, read_as_of
    from crosstrail.cli.sql_excerpt import excerpts_of

    settings = read_as_of(settings, as_of)
    with excerpts_of(statement):
        if explain:
            print_explained(settings, statement, account, engine)
        else:
            print_rows(settings, statement, account, output, limit, engine)
