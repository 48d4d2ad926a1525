"""`crosstrail lake ddl`: statements that make a table of the log files of a bucket, for engines that run elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Group
from crosstrail.cli.statuses import DONE
from crosstrail.cli.words import out, out_document, say

if TYPE_CHECKING:
    from crosstrail.clouds.base import Cloud
    from crosstrail.engines.athena_ddl import LogTable
    from crosstrail.object_store import BucketUri
    from crosstrail.settings.config import Settings

_USUAL_REGION = "us-east-1"
"""Whose partition it is where no region is configured."""


@click.group(cls=Group)
def ddl() -> None:
    """Statements that make a table of the log files of a bucket, with nothing collected."""


@ddl.command("athena")
@click.option("--bucket", required=True, metavar="URI", help="Where the trail's log files are: s3://bucket[/prefix].")
@click.option("--organization", default="", metavar="ID", help="Of an organization trail: o-...")
@click.option("--accounts", default="", help="Ids, or a selector of listed accounts. Empty: statements name them.")
@click.option("--regions", default="", help="Regions, comma-separated. Empty: every region of the partition.")
@click.option("--since", metavar="DATE", default="", help="Day of the first log file, such as 2025-01-31.")
@click.option("--database", default="crosstrail", show_default=True, help="Where the tables are made.")
@click.option("--table", default="cloudtrail_logs", show_default=True, help="The external table over the log files.")
@click.option("--view", default="cloudtrail_events", show_default=True, help="CloudTrail Lake's columns over it.")
@click.option("--replace", is_flag=True, help="In place of a table and view of these names. Deletes no log file.")
@click.option(
    "--apply", is_flag=True, help="Run them in Athena, with the account and workgroup of the settings `athena`."
)
@with_settings
def athena(
    settings: Settings,
    bucket: str,
    organization: str,
    accounts: str,
    regions: str,
    since: str,
    database: str,
    table: str,
    view: str,
    replace: bool,
    apply: bool,
) -> int:
    """Print, or make, the database, the external table and the view of CloudTrail Lake's columns for Athena, over CloudTrail's log files.

    The table has partition projection by account, region and day: a condition on these decides what is read. What the
    columns lack is said on stderr.
    """
    from crosstrail.engines.athena_ddl import LogTable, statements
    from crosstrail.workspace.bucket_access import cloud_of_scheme

    uri = _bucket(bucket)
    cloud = cloud_of_scheme(uri.scheme)
    logs = LogTable(
        uri,
        _regions(settings, cloud, regions),
        organization,
        _accounts(settings, cloud, accounts),
        **({"since": _day(since)} if since else {}),
        database=database,
        table=table,
        view=view,
    )
    _run(settings, statements(logs, replace=replace), apply=apply)
    _explain(logs)
    return DONE


@ddl.command("athena-lake")
@click.option("--database", default="crosstrail", show_default=True, help="Of the lake's table in AWS Glue.")
@click.option("--table", default="events", show_default=True, help="The lake's table there.")
@click.option("--view", default="cloudtrail_events", show_default=True, help="CloudTrail Lake's columns over it.")
@click.option("--replace", is_flag=True, help="In place of a view of that name.")
@click.option(
    "--apply", is_flag=True, help="Run it in Athena, with the account and workgroup of the settings `athena`."
)
@with_settings
def athena_lake(settings: Settings, database: str, table: str, view: str, replace: bool, apply: bool) -> int:
    """Print, or make, the view of CloudTrail Lake's columns for Athena over the lake's own table (lake.catalog: glue)."""
    from crosstrail.engines.athena_ddl import create_lake_view

    _run(settings, [create_lake_view(database, table, view, replace=replace)], apply=apply)
    return DONE


def _run(settings: Settings, statements: Iterable[str], *, apply: bool) -> None:
    """Prints them, or runs them and prints what is done."""
    if not apply:
        for statement in statements:
            out_document(f"{statement};\n")
        return
    from crosstrail.workspace.athena_access import run_statements
    from crosstrail.workspace.workspace import Workspace

    run_statements(settings, Workspace, statements, lambda first: out(f"done: {first}"))


def _explain(logs: LogTable) -> None:
    from crosstrail.engines.athena_ddl import ABSENT, FIRST_DAY, LIMITS

    if logs.accounts:
        say(f"accounts: {len(logs.accounts):,} are in the table; of others it has no row until they are added.")
    else:
        say("accounts: every statement must say `account = '...'` or `account IN (...)`, as crosstrail's own do.")
    if logs.since == FIRST_DAY:
        say(
            "days: a statement without a condition on day lists a folder for each day since 2013 and region. "
            "--since DATE, the day of your first log file, makes that fewer."
        )
    else:
        say(f"days: log files from before {logs.since} are not in the table.")
    for name, why in ABSENT.items():
        say(f"{name}: {why}.")
    for limit in LIMITS:
        say(f"note: {limit}.")


def _bucket(uri: str) -> BucketUri:
    from crosstrail.errors import InvalidRequest
    from crosstrail.object_store import parsed_uri

    if found := parsed_uri(uri):
        return found
    raise InvalidRequest("--bucket is no address of a bucket", hint="Write it as s3://bucket or s3://bucket/prefix.")


def _day(text: str) -> date:
    from crosstrail.errors import BadTimeRange

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadTimeRange("--since is no date", hint="Write it as 2025-01-31.") from None


def _regions(settings: Settings, cloud: Cloud, listed: str) -> tuple[str, ...]:
    """Without a list all of the partition that the configured region is in."""
    if names := tuple(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip())):
        return names
    assert cloud.known_regions is not None  # noqa: S101 - of the cloud that has Athena
    return tuple(sorted(cloud.known_regions(settings.region or _USUAL_REGION)))


def _accounts(settings: Settings, cloud: Cloud, selector: str) -> tuple[str, ...]:
    """Ids as they are; anything else selects listed accounts of that cloud."""
    import anyio

    parts = tuple(dict.fromkeys(part.strip() for part in selector.split(",") if part.strip()))
    if all(part.isdigit() for part in parts):
        return parts
    from crosstrail.workspace.workspace import Workspace

    async def chosen() -> tuple[str, ...]:
        workspace = Workspace(settings)
        try:
            found = (await workspace.listed()).registry.select(selector)
        finally:
            await workspace.aclose()
        return tuple(account.id for account in found if account.cloud == cloud.name)

    return anyio.run(chosen)
