"""`crosstrail collect`: log files, and objects of buckets, into the lake."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.collection_report import ReportPrinter, named, print_report, problems_of
from crosstrail.cli.command import Command
from crosstrail.cli.output import CommandOutput, with_output
from crosstrail.cli.shared_options import (
    account_option,
    dry_run_option,
    exit_code_option,
    region_option,
    since_option,
    until_option,
)
from crosstrail.cli.statuses import DONE, FAILED, PARTLY, found_status, status_of
from crosstrail.cli.words import say
from crosstrail.lake.sharding import Shard

if TYPE_CHECKING:
    from crosstrail.cli.collect_bucket import BucketCollection, Noticed
    from crosstrail.cli.collect_sources import CollectedSource, CollectingTerms
    from crosstrail.cli.detect_findings import Detection
    from crosstrail.lake.collector import CollectionReport
    from crosstrail.settings.config import Settings


class _ShardType(click.ParamType[Shard]):
    name = "N/COUNT"

    def convert(self, value: str | Shard, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        try:
            return value if isinstance(value, Shard) else Shard.parse(value)
        except ValueError:
            self.fail("write it as 2/8: the second of eight collectors, 1,000 at most", param, ctx)


@click.command(cls=Command)
@click.argument("paths", metavar="[PATH...]", nargs=-1)
@click.option(
    "--api", is_flag=True, help="Ask the accounts' own event history (LookupEvents) instead of reading files."
)
@account_option()
@click.option("--nameless", metavar="ID", default="", help="Account of the records that name none.")
@region_option()
@since_option("")
@until_option()
@click.option("--bucket-account", metavar="ACCOUNT", default="", help="Whose credentials open buckets.")
@click.option("--bucket-region", metavar="REGION", default="", help="Of the buckets; found out without it.")
@click.option("--requester-pays", is_flag=True, help="Pay for requests to a bucket whose owner does not.")
@dry_run_option("--plan", "as_plan")
@click.option("--follow", "follows", is_flag=True, help="Collect again and again, until SIGTERM or Ctrl-C.")
@click.option("--queue", metavar="URL", default="", help="With --follow: an SQS queue that tells of new objects.")
@click.option("--interval", type=click.FloatRange(1, 86_400), default=60.0, help="Seconds between, with --follow.")
@click.option("--workers", type=click.IntRange(0, 64), default=0, help="Processes to use; 0: one a processor.")
@click.option(
    "--max-bytes", type=click.IntRange(1), default=None, help="What one file may unpack to; by default 64 GB."
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
@click.option(
    "--detect",
    "detects",
    is_flag=True,
    help="Then run the rules over what is new, and print what they found: see `detect`.",
)
@exit_code_option()
@with_output(None, json_flag="json")
@with_settings
def collect(
    settings: Settings,
    paths: tuple[str, ...],
    api: bool,
    account: str,
    nameless: str,
    workers: int,
    max_bytes: int | None,
    shard: Shard | None,
    as_plan: bool,
    follows: bool,
    queue: str,
    interval: float,
    output: CommandOutput,
    region: str,
    since: str,
    until: str,
    bucket_account: str,
    bucket_region: str,
    requester_pays: bool,
    verifies: bool,
    keys: Path | None,
    keep_failed: bool,
    detects: bool,
    exits: bool,
) -> int:
    """Read log files into the lake: files, folders, archives and buckets (s3://bucket/prefix); without PATH every archive in
    crosstrail.yaml.

    Each event goes in once, however often and in whatever order its file is read. Files are told by what is in them, packed
    or not; what holds no audit event is counted by its kind. Of a bucket each account's and region's folder is listed from 26
    hours before the newest day that was seen, and once a day from seven days before it. Exit status 3: something could not be
    read; the rest went in, and what failed is tried again next time. 1: nothing could be read.

    --account, --region and --since choose from buckets and with --api; of files --account says what --nameless does. --until goes
    with --api.

    With --api from the event history that the cloud keeps of every live account, with a trail or without: management events of
    90 days. What was collected so is not asked for again; what failed is, by the next collection.

    With --detect each finding is printed once, and sent to detect.webhook; with --exit-code 10 is added to the status then.
    """
    from crosstrail.cli.collect_sources import (
        CollectingTerms,
        collect_checked,
        listed_archives,
        named_sources,
        one_by_one,
        open_buckets,
    )
    from crosstrail.lake.collector import MAX_BYTES, CollectionReport
    from crosstrail.object_store import BucketUri
    from crosstrail.workspace.lake_catalog import opened_catalog

    if exits and not detects:
        raise click.UsageError("--exit-code goes with --detect")
    detection = _detection(settings, output) if detects and not as_plan else None
    if api:
        from crosstrail.cli.collect_api import collect_api

        if paths:
            raise click.UsageError("--api takes no PATH")
        again = interval if follows else 0.0
        printer = ReportPrinter(output, findings=detects, one_line=True)
        status = collect_api(
            settings, account, region, (since, until), again=again, shard=shard, printer=printer, detection=detection
        )
        printer.close()
        if detection:
            detection.close()
        return found_status(status, found=exits and bool(detection and detection.told))
    if until:
        raise click.UsageError("--until goes with --api")
    if (keys or keep_failed) and not verifies:
        raise click.UsageError("--keys and --keep-failed go with --verify")
    named = named_sources(paths, account, nameless)
    sources = named or listed_archives(settings, nameless or account)
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

        sources = [one for source in sources for one in one_by_one(source)]
        whose = account if has_buckets else ""
        verify = VerifyOptions(
            keys, keep_failed, whose, region, since, bucket_account, bucket_region, requester_pays or None
        )
    with ExitStack() as stack:
        buckets: BucketCollection | None = None
        if has_buckets:
            options = BucketOptions(account, region, since, bucket_account, bucket_region, requester_pays)
            buckets = open_buckets(stack, settings, options)
        if as_plan and buckets:
            return _plan(buckets, sources, output)
        how = CollectingTerms(stack.enter_context(opened_catalog(settings)), shard, workers, max_bytes or MAX_BYTES)
        status = FAILED
        printer = ReportPrinter(output, findings=detects, one_line=follows)
        if detection:
            detection.begin()

        def told(report: CollectionReport) -> None:
            nonlocal status
            status = _told(report, settings.lake.folder, buckets, printer, quiet=follows)
            if detection and not detection.once():
                status = PARTLY if status == DONE else status

        def run() -> None:
            report = CollectionReport()
            for source in sources:
                report.add(collect_checked(settings, source, buckets, how, verify))
            told(report)

        if follows:
            noticed = _noticed(buckets, sources, queue, how, told) if queue else None
            follow(run, interval, noticed)
        else:
            run()
        printer.close()
        if detection:
            detection.close()
    return found_status(DONE if follows else status, found=exits and bool(detection and detection.told))


def _detection(settings: Settings, output: CommandOutput) -> Detection:
    """Its rules are read before anything is collected: what is wrong with them is told at once. Raises ConfigError."""
    from crosstrail.lake import require_libraries

    require_libraries()
    from crosstrail.cli.detect_findings import Detection

    return Detection(settings, replace(output, form="jsonl") if output.older else output)


def _noticed(
    buckets: BucketCollection | None,
    sources: list[CollectedSource],
    url: str,
    how: CollectingTerms,
    told: Callable[[CollectionReport], None],
) -> Noticed:
    from crosstrail.object_store import BucketUri

    uris = [one.paths for one in sources if isinstance(one.paths, BucketUri) and one.accounts is None]
    if buckets is None or len(uris) != 1 or len(sources) != 1:
        raise click.UsageError("--queue goes with one s3://bucket/prefix")
    [uri] = uris
    return buckets.noticed(url, uri, told, account=sources[0].account, **how._asdict())


def _plan(buckets: BucketCollection, sources: list[CollectedSource], output: CommandOutput) -> int:
    from crosstrail.cli.collect_bucket import print_plan
    from crosstrail.object_store import BucketUri

    for source in sources:
        if isinstance(source.paths, BucketUri):
            planned = buckets.plan(source.paths, source.opened_by)
            print_plan(planned, buckets.cost(planned.objects, planned.bytes), output)
    return DONE


def _told(
    report: CollectionReport,
    folder: Path,
    buckets: BucketCollection | None,
    printer: ReportPrinter,
    *,
    quiet: bool,
) -> int:
    """Prints the report; the exit status that it means."""

    if report.not_compacted:
        say(
            f"every event is in, but small files were not made into larger ones: {named(report.not_compacted)}. The next "
            "collection tries again."
        )
    cost = buckets.cost() if buckets else None

    def text(out: Callable[[str], None]) -> None:
        if not quiet or report.objects_read or report.problem_count:
            print_report(report, folder, out)
            if cost:
                out(f"Cost    {cost.text}")

    facts = {**asdict(report), **({"cost": asdict(cost)} if cost else {})}
    printer.print(report, facts, problems_of(report), text)
    done = report.objects_read + report.objects_known + report.new + report.known + report.expired
    return status_of(done=done, failed=report.problem_count)
