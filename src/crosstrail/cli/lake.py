"""`crosstrail collect`: log files, and objects of buckets, into the lake."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from crosstrail.account_forms import account_forms
from crosstrail.cli import with_settings
from crosstrail.cli.collection_report import named, print_report, progress_bar
from crosstrail.cli.statuses import DONE, FAILED, status_of
from crosstrail.cli.words import out, out_json, say
from crosstrail.lake.collector import MAX_BYTES, CollectionReport
from crosstrail.lake.collector import collect as collect_logs
from crosstrail.lake.sharding import Shard
from crosstrail.lake.sources.base import LogSource, as_it_is
from crosstrail.lake.sources.files import FileSource
from crosstrail.lake.warehouse import LakeCatalog
from crosstrail.models import AccountKey
from crosstrail.object_store import BucketUri, parsed_uri
from crosstrail.settings.config import Settings
from crosstrail.workspace.archives import archives_of
from crosstrail.workspace.lake_catalog import opened_catalog

if TYPE_CHECKING:
    from crosstrail.cli.collect_bucket import BucketCollection, BucketOptions, Noticed
    from crosstrail.workspace.digest_checked_collection import VerifyOptions


class _How(NamedTuple):
    """How all sources of one command are read."""

    catalog: str | LakeCatalog
    shard: Shard | None
    workers: int
    max_bytes: int


class _Source(NamedTuple):
    """What is read, the account of the records that name none, and whose events it may bring (None: everybody's). A bucket's
    is opened with the credentials of `opened_by`."""

    paths: tuple[Path, ...] | BucketUri
    account: str
    accounts: frozenset[AccountKey] | None
    opened_by: str = ""


class _ShardType(click.ParamType[Shard]):
    name = "N/COUNT"

    def convert(self, value: str | Shard, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        try:
            return value if isinstance(value, Shard) else Shard.parse(value)
        except ValueError:
            self.fail("write it as 2/8: the second of eight collectors, 1,000 at most", param, ctx)


@click.command()
@click.argument("paths", metavar="[PATH...]", nargs=-1)
@click.option(
    "--api", is_flag=True, help="Ask the accounts' own event history (LookupEvents) instead of reading files."
)
@click.option(
    "--account",
    metavar="SELECTOR",
    default="",
    help="Whose events, of buckets and with --api: ids, aliases, globs. Of files: as --nameless.",
)
@click.option("--nameless", metavar="ID", default="", help="Account of the records that name none.")
@click.option(
    "--region", metavar="SELECTOR", default="", help="Of which regions, of buckets and with --api; all if not given."
)
@click.option(
    "--since",
    metavar="TIME",
    default="",
    help="From when; of buckets, what was delivered from then on is listed again. All if not given.",
)
@click.option("--until", metavar="TIME", default="", help="With --api: to when; now if not given.")
@click.option("--bucket-account", metavar="ACCOUNT", default="", help="Whose credentials open buckets.")
@click.option("--bucket-region", metavar="REGION", default="", help="Of the buckets; found out without it.")
@click.option("--requester-pays", is_flag=True, help="Pay for requests to a bucket whose owner does not.")
@click.option(
    "--plan", "as_plan", is_flag=True, help="List buckets, say what would be read and its price, read nothing."
)
@click.option("--follow", "follows", is_flag=True, help="Collect again and again, until SIGTERM or Ctrl-C.")
@click.option("--queue", metavar="URL", default="", help="With --follow: an SQS queue that tells of new objects.")
@click.option("--interval", type=click.FloatRange(1, 86_400), default=60.0, help="Seconds between, with --follow.")
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
@click.option(
    "--verify", "verifies", is_flag=True, help="Check every file by the digests of its archive, and mark its rows."
)
@click.option(
    "--keys", metavar="FILE", type=click.Path(path_type=Path), help="With --verify: as `crosstrail verify` takes."
)
@click.option("--keep-failed", is_flag=True, help="With --verify: what fails comes in all the same, and is marked so.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_settings
def collect(
    settings: Settings,
    paths: tuple[str, ...],
    api: bool,
    account: str,
    nameless: str,
    workers: int,
    max_bytes: int,
    shard: Shard | None,
    as_plan: bool,
    follows: bool,
    queue: str,
    interval: float,
    as_json: bool,
    region: str,
    since: str,
    until: str,
    bucket_account: str,
    bucket_region: str,
    requester_pays: bool,
    verifies: bool,
    keys: Path | None,
    keep_failed: bool,
) -> int:
    """Read log files into the lake: files, folders, archives and buckets (s3://bucket/prefix); without PATH every archive in
    crosstrail.yaml.

    Each event goes in once, however often and in whatever order its file is read. Files are told by what is in them, packed
    or not; what holds no audit event is counted by its kind. Of a bucket each account's and region's folder is listed from 26
    hours before the newest day that was seen, and once a day from seven days before it. Exit status 3: something could not be
    read; the rest went in, and what failed is tried again next time. 1: nothing could be read.

    With --api from the event history that the cloud keeps of every live account, with a trail or without: management events of
    90 days. What was collected so is not asked for again; what failed is, by the next collection.
    """
    if api:
        from crosstrail.cli.collect_api import collect_api

        if paths:
            raise click.UsageError("--api takes no PATH")
        again = interval if follows else 0.0
        return collect_api(settings, account, region, (since, until), again=again, shard=shard, as_json=as_json)
    if until:
        raise click.UsageError("--until goes with --api")
    if (keys or keep_failed) and not verifies:
        raise click.UsageError("--keys and --keep-failed go with --verify")
    named = _named_sources(paths, account, nameless)
    sources = named or _archives(settings, nameless or account)
    if queue and not follows:
        raise click.UsageError("--queue goes with --follow")
    if queue and verifies:
        raise click.UsageError("--queue does not go with --verify: digests come after what a queue tells")
    has_buckets = any(isinstance(one.paths, BucketUri) for one in sources)
    if (as_plan or region or since or bucket_account or bucket_region or requester_pays) and not has_buckets:
        raise click.UsageError(
            "--region and --since go with s3://bucket/prefix or --api; --plan, --bucket-... and --requester-pays with a bucket"
        )
    from crosstrail.cli.collect_bucket import BucketOptions, follow

    verify = None
    if verifies:
        from crosstrail.workspace.digest_checked_collection import VerifyOptions

        sources = [one for source in sources for one in _one_by_one(source)]
        whose = account if has_buckets else ""
        verify = VerifyOptions(
            keys, keep_failed, whose, region, since, bucket_account, bucket_region, requester_pays or None
        )
    with ExitStack() as stack:
        buckets: BucketCollection | None = None
        if has_buckets:
            options = BucketOptions(account, region, since, bucket_account, bucket_region, requester_pays)
            buckets = _open_buckets(stack, settings, options)
        if as_plan and buckets:
            return _plan(buckets, sources, as_json=as_json)
        how = _How(stack.enter_context(opened_catalog(settings)), shard, workers, max_bytes)
        status = FAILED

        def told(report: CollectionReport) -> None:
            nonlocal status
            status = _told(report, settings.lake.folder, buckets, as_json=as_json, one_line=follows)

        def run() -> None:
            report = CollectionReport()
            for source in sources:
                report.add(_checked(settings, source, buckets, how, verify))
            told(report)

        if follows:
            noticed = _noticed(buckets, sources, queue, how, told) if queue else None
            follow(run, interval, noticed)
        else:
            run()
    return DONE if follows else status


def _named_sources(paths: tuple[str, ...], account: str, nameless: str) -> list[_Source]:
    """What the command line names: buckets one by one, files together."""
    uris = [uri for path in paths if (uri := parsed_uri(path)) and not Path(path).exists()]
    files = tuple(Path(path) for path in paths if not parsed_uri(path) or Path(path).exists())
    for path in files:
        if not path.exists():
            raise click.BadParameter(f"there is no file or folder {path}", param_hint="PATH")
    if uris and files and account:
        raise click.UsageError(
            "--account means another thing of files than of buckets: collect them one after the other"
        )
    if not uris and not nameless:
        nameless = account
    if nameless and not any(form.is_id(nameless) for form in account_forms().values()):
        raise click.BadParameter("this is no account id of an installed cloud", param_hint="--account")
    return ([_Source(files, nameless, None)] if files else []) + [_Source(uri, nameless, None) for uri in uris]


def _open_buckets(stack: ExitStack, settings: Settings, options: BucketOptions) -> BucketCollection:
    from crosstrail.cli.collect_bucket import BucketCollection
    from crosstrail.object_store import require_library
    from crosstrail.workspace.buckets import opened_buckets

    require_library()
    return BucketCollection(settings, stack.enter_context(opened_buckets(settings)), options)


def _noticed(
    buckets: BucketCollection | None,
    sources: list[_Source],
    url: str,
    how: _How,
    told: Callable[[CollectionReport], None],
) -> Noticed:
    uris = [one.paths for one in sources if isinstance(one.paths, BucketUri) and one.accounts is None]
    if buckets is None or len(uris) != 1 or len(sources) != 1:
        raise click.UsageError("--queue goes with one s3://bucket/prefix")
    [uri] = uris
    return buckets.noticed(url, uri, told, account=sources[0].account, **how._asdict())


def _plan(buckets: BucketCollection, sources: list[_Source], *, as_json: bool) -> int:
    from crosstrail.cli.collect_bucket import print_plan

    for source in sources:
        if isinstance(source.paths, BucketUri):
            planned = buckets.plan(source.paths, source.opened_by)
            print_plan(planned, buckets.cost(planned.objects, planned.bytes), as_json=as_json)
    return DONE


def _one_by_one(source: _Source) -> Iterator[_Source]:
    """Each path is an archive of its own."""
    if isinstance(source.paths, BucketUri):
        yield source
    else:
        yield from (source._replace(paths=(path,)) for path in source.paths)


def _checked(
    settings: Settings, source: _Source, buckets: BucketCollection | None, how: _How, verify: VerifyOptions | None
) -> CollectionReport:
    """By digests, where that is asked for."""
    if verify is None:
        return _collected(settings, source, buckets, how)
    from crosstrail.workspace.digest_checked_collection import collect_with_digests

    options = replace(verify, bucket_account=verify.bucket_account or source.opened_by)
    place = str(source.paths if isinstance(source.paths, BucketUri) else source.paths[0])
    return collect_with_digests(
        settings, place, options, how.catalog, lambda checked: _collected(settings, source, buckets, how, checked)
    )


def _collected(
    settings: Settings,
    source: _Source,
    buckets: BucketCollection | None,
    how: _How,
    checked: Callable[[LogSource], LogSource] = as_it_is,
) -> CollectionReport:
    with progress_bar() as progress:
        if isinstance(source.paths, BucketUri) and buckets:
            return buckets.collect(
                source.paths,
                account=source.account,
                accounts=source.accounts,
                bucket_account=source.opened_by,
                catalog=how.catalog,
                shard=how.shard,
                workers=how.workers,
                max_bytes=how.max_bytes,
                progress=progress,
                checked=checked,
            )
        assert not isinstance(source.paths, BucketUri)  # noqa: S101 - where there is one, buckets were opened
        return collect_logs(
            checked(FileSource(source.paths)),
            settings.lake.folder,
            catalog=how.catalog,
            account=source.account,
            accounts=source.accounts,
            workers=how.workers,
            max_bytes=how.max_bytes,
            shard=how.shard,
            keeping=settings.lake.keeping(settings.accounts),
            progress=progress,
        )


def collect_again(settings: Settings, names: Iterable[str]) -> tuple[CollectionReport, list[str]]:
    """Log objects by the names that the ledger has for them, and those files of them that are no longer there. What came from a
    configured archive comes from there alone, with the events of its own accounts."""
    from crosstrail.lake.forgetting import taken_apart

    report = CollectionReport()
    objects = {taken_apart(name) for name in names}
    files = {name for name, _ in objects if not parsed_uri(name)}
    here = {name for name in files if Path(name).is_file()}
    own = tuple(sorted(Path(name) for name, scoped in objects if name in here and not scoped))
    buckets_of: dict[str, list[str]] = defaultdict(list)
    for name, scoped in objects:
        if name not in files and not scoped:
            buckets_of["/".join(name.split("/")[:3])].append(name)
    sources = [_Source(own, "", None)] if own else []
    sources += [_Source(uri, "", None) for some in buckets_of.values() if (uri := parsed_uri(_folder_of(some)))]
    sources += _archives(settings, "") if any(scoped for _, scoped in objects) else []
    with ExitStack() as stack:
        buckets: BucketCollection | None = None
        if any(isinstance(one.paths, BucketUri) for one in sources):
            from crosstrail.cli.collect_bucket import BucketOptions

            buckets = _open_buckets(stack, settings, BucketOptions())
        how = _How(stack.enter_context(opened_catalog(settings)), None, 0, MAX_BYTES)
        for source in sources:
            report.add(_collected(settings, source, buckets, how))
    return report, sorted(files - here)


def _folder_of(uris: Sequence[str]) -> str:
    """What all of them lie below, from where the folders of accounts begin."""
    first, last = min(uris), max(uris)  # what these two have in common, all have
    same = next((place for place, sign in enumerate(first) if last[place : place + 1] != sign), len(first))
    return first[:same].rpartition("/")[0].partition("/AWSLogs")[0]


def _told(
    report: CollectionReport, folder: Path, buckets: BucketCollection | None, *, as_json: bool, one_line: bool
) -> int:
    """Prints the report; the exit status that it means."""
    if report.not_compacted:
        say(
            f"every event is in, but small files were not made into larger ones: {named(report.not_compacted)}. The next "
            "collection tries again."
        )
    cost = buckets.cost() if buckets else None
    if as_json:
        out_json({**asdict(report), **({"cost": asdict(cost)} if cost else {})}, indent=not one_line)
    elif not one_line or report.objects_read or report.problem_count:
        print_report(report, folder)
        if cost:
            out(f"Cost    {cost.text}")
    sys.stdout.flush()
    done = report.objects_read + report.objects_known + report.new + report.known + report.expired
    return status_of(done=done, failed=report.problem_count)


def _archives(settings: Settings, account: str) -> list[_Source]:
    """Those that are listed; `account`: of the records that name none."""
    found = archives_of(settings)
    if not found:
        raise click.UsageError("name log files or folders, or list archives in crosstrail.yaml")
    return [
        _Source(
            one.place if isinstance(one.place, BucketUri) else (one.place,),
            account or one.nameless,
            one.accounts,
            one.opened_by,
        )
        for one in found
    ]
