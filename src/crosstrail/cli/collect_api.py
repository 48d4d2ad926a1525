"""`crosstrail collect --api`: the event histories of live accounts into the lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio

from crosstrail.answers.coverage_text import asked as named_targets
from crosstrail.answers.coverage_text import failed as named_failures
from crosstrail.answers.render import listed
from crosstrail.cli.collection_report import ReportPrinter, print_report, problems_of
from crosstrail.cli.progress import progress_line
from crosstrail.cli.statuses import DONE, INTERRUPTED, PARTLY, status_of
from crosstrail.cli.words import say
from crosstrail.clouds.base import AuditTrail
from crosstrail.clouds.paging import LOOKUP_HISTORY
from crosstrail.errors import CrosstrailError, InvalidRequest
from crosstrail.lake.history_collector import HistoryReport, collect_histories
from crosstrail.lake.sharding import Shard
from crosstrail.lake.sources.histories import LATE
from crosstrail.lake.spans import TICK, Span
from crosstrail.lookup.fanout import Failure
from crosstrail.lookup.targets import OpenTarget
from crosstrail.models import Account, Target
from crosstrail.settings.config import Settings
from crosstrail.stop_signals import on_stop_signal
from crosstrail.timerange import iso, parse_range
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

if TYPE_CHECKING:
    from crosstrail.cli.detect_findings import Detection

_EVERY_REGION = "all"
_NAMES = 6


def collect_api(
    settings: Settings,
    account: str,
    region: str,
    between: tuple[str, str],
    *,
    again: float,
    shard: Shard | None,
    printer: ReportPrinter,
    detection: Detection | None = None,
) -> int:
    """The exit status. `between`: since and until. `shard`: which of the accounts this collector asks. `again`: seconds until the histories are asked again; 0 for once."""
    _span(between)  # a time that cannot be read is told before an account is asked
    return anyio.run(_collect, settings, account, region or _EVERY_REGION, between, again, shard, printer, detection)


def _span(between: tuple[str, str]) -> Span:
    now = datetime.now(UTC).replace(microsecond=0)
    asked = parse_range(*between, now=now, default_age=LOOKUP_HISTORY)
    return Span(asked.start or now - LOOKUP_HISTORY, min((asked.end or now) + TICK, now))


async def _collect(
    settings: Settings,
    account: str,
    region: str,
    between: tuple[str, str],
    again: float,
    shard: Shard | None,
    printer: ReportPrinter,
    detection: Detection | None,
) -> int:
    workspace = Workspace(settings)
    stopped = anyio.Event()

    async def stop(number: int) -> None:
        stopped.set()

    try:
        if detection:
            await detection.begin_in(workspace)
        async with on_stop_signal(stop):
            while True:
                status = await _once(workspace, account, region, shard, _span(between), stopped, printer)
                if detection and not await detection.once_in(workspace) and status == DONE:
                    status = PARTLY
                if stopped.is_set():
                    return DONE if again else INTERRUPTED
                if not again:
                    return status
                with anyio.move_on_after(again):
                    await stopped.wait()
                if stopped.is_set():
                    return DONE
    finally:
        await workspace.aclose()


async def _once(
    workspace: Workspace,
    account: str,
    region: str,
    shard: Shard | None,
    span: Span,
    stopped: anyio.Event,
    printer: ReportPrinter,
) -> int:
    settings = workspace.settings
    targets, archived = await _targets(workspace, account, region, shard)
    open_ones: list[tuple[Target, AuditTrail]] = []
    failures: list[Failure] = []
    for target in targets:
        try:
            open_ones.append((target, target.trail))
        except CrosstrailError as error:
            failures.append(Failure(target, error))
    catalog = await anyio.to_thread.run_sync(lambda: workspace.lake_catalog)
    keeping = settings.lake.keeping(settings.accounts)
    with progress_line("Collecting", "targets") as bar:
        report = await collect_histories(
            open_ones,
            settings.lake.folder,
            span,
            catalog=catalog,
            keeping=keeping,
            progress=bar.count,
            stop=stopped,
        )
    by_target = {(target.account.key, target.region): target for target in targets}
    failures += [Failure(by_target[one.account.key, one.region], error) for one, error in report.failures]
    printer.print(
        report.collection,
        _as_json(targets, span, report, failures),
        [*problems_of(report.collection), *(named_failures([one]) for one in failures)],
        lambda out: _print(settings, targets, span, report, failures, archived, out),
        targets=(len(targets), len(failures)),
    )
    failed = len(failures) + report.collection.problem_count
    return status_of(done=len(targets) - len(failures), failed=failed)


async def _targets(
    workspace: Workspace, account: str, region: str, shard: Shard | None
) -> tuple[tuple[OpenTarget, ...], list[Account]]:
    """All of them, and the accounts named that have no history to ask. Raises InvalidRequest where none has one."""
    visible = ScopedWorkspace(workspace)
    accounts = (await visible.registry()).select(account)
    live = [one for one in accounts if one.auth and (shard is None or shard.takes(*one.key))]
    if shard and not live and any(one.auth for one in accounts):
        return (), []
    if not live:
        raise InvalidRequest(
            f"no account named is live: {listed([one.name for one in accounts], _NAMES)}",
            hint="An archive has no event history to ask: collect its log files, or list the account with credentials (auth).",
        )
    targets: list[OpenTarget] = []
    while True:
        chosen = await visible.targets_of(live, region, start=len(targets))
        targets += chosen.targets
        if not chosen.left:
            return tuple(targets), [one for one in accounts if not one.auth]


def _as_json(
    targets: Sequence[OpenTarget], span: Span, report: HistoryReport, failures: Sequence[Failure]
) -> dict[str, object]:
    return {
        "source": "lookup-events",
        "start": span.start,
        "end": span.end,
        "targets": len(targets),
        "asked": report.asked,
        "events": report.events,
        "failed": [
            {
                "cloud": one.target.account.cloud,
                "account": one.target.account.id,
                "region": one.target.region,
                "error": one.error.text,
            }
            for one in failures
        ],
        "left": [
            {
                "cloud": target.account.cloud,
                "account": target.account.id,
                "region": target.region,
                "spans": [[gap.start, gap.end] for gap in gaps],
            }
            for target, gaps in report.left
        ],
        "collection": asdict(report.collection),
    }


def _print(
    settings: Settings,
    targets: Sequence[OpenTarget],
    span: Span,
    report: HistoryReport,
    failures: Sequence[Failure],
    archived: Sequence[Account],
    out: Callable[[str], None],
) -> None:
    if failures:
        say(named_failures(failures))
    if archived:
        say(f"NOT asked, because these are archives: {listed([one.name for one in archived], _NAMES)}.")
    until = min(span.end, datetime.now(UTC).replace(microsecond=0) - LATE)
    broken = {(one.target.account.key, one.target.region) for one in failures}
    whole = len([one for one in targets if (one.account.key, one.region) not in broken])
    out(f"Asked   {named_targets(targets)}, from {iso(span.start)}")
    if whole and until > span.start:
        out(
            f"Whole   {whole} of {len(targets)} until {iso(until.replace(microsecond=0))}: management events; what is newer is asked for again"
        )
    print_report(report.collection, settings.lake.folder, out, files_read=False)
