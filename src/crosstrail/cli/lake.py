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
from crosstrail.cli.statuses import status_of
from crosstrail.cli.words import out, out_json, say
from crosstrail.lake.collector import MAX_BYTES, CollectionReport, Progress
from crosstrail.lake.collector import collect as collect_logs
from crosstrail.models import Account, AccountKey
from crosstrail.settings.config import Settings
from crosstrail.text import clean

_MAX_LISTED = 20
_MAX_LETTERS = 60


class _Source(NamedTuple):
    """What is read, the account of the records that name none, and whose events it may bring (None: everybody's)."""

    paths: tuple[Path, ...]
    account: str
    accounts: frozenset[AccountKey] | None


@click.command()
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--account", metavar="ID", default="", help="Account of the records that name none.")
@click.option("--workers", type=click.IntRange(0, 64), default=0, help="Processes to use; 0: one a processor.")
@click.option(
    "--max-bytes", type=click.IntRange(1), default=MAX_BYTES, help="What one file may unpack to; by default 64 GB."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_settings
def collect(
    settings: Settings, paths: tuple[Path, ...], account: str, workers: int, max_bytes: int, as_json: bool
) -> int:
    """Read log files into the lake: files, folders and archives; without PATH every archive in crosstrail.yaml.

    Each event goes in once, however often and in whatever order its file is read. Files are told by what is in them, packed
    or not; what holds no audit event is counted by its kind. Exit status 3: something could not be read; the rest went in,
    and what failed is tried again next time. 1: nothing could be read.
    """
    for path in paths:
        if not path.exists():
            raise click.BadParameter(f"there is no file or folder {path}", param_hint="PATH")
    if account and not any(form.is_id(account) for form in account_forms().values()):
        raise click.BadParameter("this is no account id of an installed cloud", param_hint="--account")
    report = CollectionReport()
    for source in [_Source(paths, account, None)] if paths else _archives(settings, account):
        with _progress() as progress:
            report.add(
                collect_logs(
                    source.paths,
                    settings.lake.folder,
                    catalog=settings.lake.catalog,
                    account=source.account,
                    accounts=source.accounts,
                    workers=workers,
                    max_bytes=max_bytes,
                    progress=progress,
                )
            )
    if report.not_compacted:
        say(
            f"every event is in, but small files were not made into larger ones: {_named(report.not_compacted)}. The next "
            "collection tries again."
        )
    if as_json:
        out_json(asdict(report), indent=True)
    else:
        _print(report, settings.lake.folder)
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


def _print(report: CollectionReport, folder: Path) -> None:
    for problem in report.problems[:_MAX_LISTED]:
        say(f"unreadable: {_named(problem.path)}, {problem.position}: {problem.reason}")
    if report.problem_count > _MAX_LISTED:
        say(f"... and {report.problem_count - _MAX_LISTED:,} more; --json lists up to 1,000")
    for conflict in report.conflicts[:_MAX_LISTED]:
        say(
            f"conflict: account {conflict.account}, event {_named(conflict.event_id)} came again with other content in "
            f"{_named(conflict.source)}; its row shows which holds, and keeps the other in other_versions"
        )
    if report.conflicting > _MAX_LISTED:
        say(f"... and {report.conflicting - _MAX_LISTED:,} more conflicts")
    files = [f"{report.objects_read:,} read", f"{report.objects_known:,} known"]
    files += [f"{report.objects_ignored:,} without audit events"] if report.objects_ignored else []
    files += [f"{report.objects_failed:,} unreadable"] if report.objects_failed else []
    events = [f"{report.new:,} new", f"{report.known:,} known"]
    events += [f"{report.conflicting:,} conflicting"] if report.conflicting else []
    rate = (report.new + report.known) / report.seconds if report.seconds else 0
    out(f"Files   {', '.join(files)}")
    for kind, one in sorted(report.left_out.items(), key=lambda item: -item[1].files):
        out(f"        {one.files:,} {_named(kind)}: {', '.join(map(_short, one.examples))}")
    out(f"Events  {', '.join(events)}")
    for account, count in sorted(report.kept_out.items(), key=lambda item: -item[1])[:_MAX_LISTED]:
        out(f"        {count:,} of {account} kept out: list it under `accounts` of the archive, if it speaks for it")
    speed = f", {rate:,.0f} events/s" if report.new + report.known else ""
    out(f"Time    {report.seconds:.1f} s{speed}")
    out(f"Lake    {folder}")


def _short(path: str) -> str:
    """The end of a path, which tells more than its beginning."""
    named = _named(path[-200:])
    return named if len(named) <= _MAX_LETTERS else f"...{named[-_MAX_LETTERS:]}"


def _named(text: str) -> str:
    """The name of a file or an event's id: hostile, and of any length."""
    return clean(text, 300)
