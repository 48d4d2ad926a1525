"""`crosstrail collect`: log files into the lake."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import click

from crosstrail.account_forms import account_forms
from crosstrail.cli import with_settings
from crosstrail.cli.collection_report import named, print_report
from crosstrail.cli.statuses import status_of
from crosstrail.cli.words import out_json, say
from crosstrail.lake.collector import MAX_BYTES, CollectionReport, Progress
from crosstrail.lake.collector import collect as collect_logs
from crosstrail.lake.sharding import Shard
from crosstrail.models import Account, AccountKey
from crosstrail.settings.config import Settings
from crosstrail.workspace.lake_catalog import opened_catalog


class _Source(NamedTuple):
    """What is read, the account of the records that name none, and whose events it may bring (None: everybody's)."""

    paths: tuple[Path, ...]
    account: str
    accounts: frozenset[AccountKey] | None


class _ShardType(click.ParamType[Shard]):
    name = "N/COUNT"

    def convert(self, value: str | Shard, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        try:
            return value if isinstance(value, Shard) else Shard.parse(value)
        except ValueError:
            self.fail("write it as 2/8: the second of eight collectors, 1,000 at most", param, ctx)


@click.command()
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--api", is_flag=True, help="Ask the accounts' own event history (LookupEvents) instead of reading files."
)
@click.option(
    "--account", metavar="ID", default="", help="Account of the records that name none. With --api: id, alias, glob, *."
)
@click.option("--region", default="", help="With --api: region, comma list, glob; all if not given.")
@click.option("--since", default="", help="With --api: from when; as far back as the cloud keeps if not given.")
@click.option("--until", default="", help="With --api: to when; now if not given.")
@click.option("--follow", is_flag=True, help="With --api: ask again and again, until stopped.")
@click.option(
    "--interval",
    type=click.FloatRange(1, 86_400),
    default=60,
    show_default=True,
    help="Seconds between, with --follow.",
)
@click.option("--workers", type=click.IntRange(0, 64), default=0, help="Processes to use; 0: one a processor.")
@click.option(
    "--max-bytes", type=click.IntRange(1), default=MAX_BYTES, help="What one file may unpack to; by default 64 GB."
)
@click.option(
    "--shard",
    type=_ShardType(),
    default=None,
    help="Take only the accounts of this collector, such as 2/8: second of eight.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_settings
def collect(
    settings: Settings,
    paths: tuple[Path, ...],
    api: bool,
    account: str,
    region: str,
    since: str,
    until: str,
    follow: bool,
    interval: float,
    workers: int,
    max_bytes: int,
    shard: Shard | None,
    as_json: bool,
) -> int:
    """Read events into the lake: files, folders and archives; without PATH every archive in crosstrail.yaml.

    With --api from the event history that the cloud keeps of every live account, with a trail or without: management events of
    90 days. What was collected so is not asked for again; what failed is, by the next collection.

    Each event goes in once, however often and in whatever order its file is read. Files are told by what is in them, packed
    or not; what holds no audit event is counted by its kind. Exit status 3: something could not be read; the rest went in,
    and what failed is tried again next time. 1: nothing could be read.
    """
    if api:
        from crosstrail.cli.collect_api import collect_api

        if paths:
            raise click.UsageError("--api takes no PATH")
        again = interval if follow else 0.0
        return collect_api(settings, account, region, (since, until), again=again, shard=shard, as_json=as_json)
    if region or since or until or follow:
        raise click.UsageError("--region, --since, --until and --follow go with --api")
    for path in paths:
        if not path.exists():
            raise click.BadParameter(f"there is no file or folder {path}", param_hint="PATH")
    if account and not any(form.is_id(account) for form in account_forms().values()):
        raise click.BadParameter("this is no account id of an installed cloud", param_hint="--account")
    report = CollectionReport()
    with opened_catalog(settings) as catalog:
        for source in [_Source(paths, account, None)] if paths else _archives(settings, account):
            with _progress() as progress:
                report.add(
                    collect_logs(
                        source.paths,
                        settings.lake.folder,
                        catalog=catalog,
                        account=source.account,
                        accounts=source.accounts,
                        workers=workers,
                        max_bytes=max_bytes,
                        shard=shard,
                        progress=progress,
                    )
                )
    if report.not_compacted:
        say(
            f"every event is in, but small files were not made into larger ones: {named(report.not_compacted)}. The next "
            "collection tries again."
        )
    if as_json:
        out_json(asdict(report), indent=True)
    else:
        print_report(report, settings.lake.folder)
    done = report.objects_read + report.objects_known + report.new + report.known
    return status_of(done=done, failed=report.problem_count)


def _archives(settings: Settings, account: str) -> list[_Source]:
    """The archives listed, each for the accounts that list it and those they add: nobody else's events come from there."""
    owners: dict[Path, list[Account]] = defaultdict(list)
    for one in settings.accounts:
        if one.archive:
            owners[Path(one.archive).resolve()].append(one)
    if not owners:
        raise click.UsageError("name log files or folders, or list archives in crosstrail.yaml")
    found = []
    for path, listed in owners.items():
        speaks_for = frozenset((one.cloud, number) for one in listed for number in (one.id, *one.accounts))
        everybody = any("*" in one.accounts for one in listed)
        nameless = account or (listed[0].id if len(listed) == 1 else "")
        found.append(_Source((path,), nameless, None if everybody else speaks_for))
    return found


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("Collecting"), BarColumn(), MofNCompleteColumn(), TextColumn("files,"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
