"""`lake.collect_on_demand`: what a statement is about to read of live accounts is collected first, and what it lacks is said.

Decides whose history is asked, for which time, and within which bounds. Off unless the operator turns it on, since a question
then writes into the lake. One collection at a time in a process: whoever waits finds what the one before brought.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from crosstrail.clouds.base import AuditTrail
from crosstrail.engines.base import QueryScope
from crosstrail.errors import CrosstrailError
from crosstrail.lake.history_collector import Bounds, HistoryReport, collect_histories
from crosstrail.lake.keeping import Keeping
from crosstrail.lake.sources.histories import LATE
from crosstrail.lake.spans import Span
from crosstrail.lake.warehouse import LakeCatalog
from crosstrail.lookup.targets import Chosen, OpenTarget
from crosstrail.models import Account, Target
from crosstrail.settings.lake_settings import LakeSettings
from crosstrail.timerange import TimeRange

if TYPE_CHECKING:
    from crosstrail.engines.duckdb import LakeEngine

DEFAULT_SPAN = timedelta(hours=24)
"""OnDemandCollection for a statement that names no eventtime from which it reads on."""
_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class OnDemandCollection:
    """What was collected for one statement. `default`: its span is not the statement's own, which names none."""

    span: Span
    default: bool
    targets: int
    events: int
    failures: tuple[tuple[Target, CrosstrailError], ...] = ()
    left: tuple[Target, ...] = ()
    """Targets whose part of the span could not be collected whole within the bounds."""
    busy: bool = False
    """Others were collecting for as long as this call may take."""


class OnDemand:
    """For one event loop."""

    def __init__(
        self,
        settings: LakeSettings,
        engine: Callable[[], LakeEngine],
        targets_of: Callable[[Sequence[Account], str], Awaitable[Chosen]],
        catalog: Callable[[], LakeCatalog],
        keeping: Keeping,
    ) -> None:
        """`catalog` opens the lake's, in a thread."""
        self._settings = settings
        self._engine = engine
        self._targets_of = targets_of
        self._catalog = catalog
        self._keeping = keeping
        self._turn = anyio.Lock()

    async def collect(self, sql: str, scope: QueryScope) -> OnDemandCollection | None:
        """None where the settings do not say so, or where the statement reads no live account.

        Raises SqlRejected, and LakeError for a lake that cannot be written.
        """
        if not self._settings.collect_on_demand or not any(account.auth for account in scope.accounts):
            return None
        keys, span = await self._engine().reach(sql, scope)
        live = [account for account in scope.accounts if account.auth and account.key in keys]
        targets = (await self._targets_of(live, "all")).targets if live else ()
        return await self._ask(targets, span) if targets else None

    async def _ask(self, targets: Sequence[OpenTarget], asked: TimeRange) -> OnDemandCollection:
        now = datetime.now(UTC).replace(microsecond=0)
        end = min(asked.end or now, now)
        span = Span(asked.start or end - DEFAULT_SPAN, end)
        default = asked.start is None
        open_ones: list[tuple[Target, AuditTrail]] = []
        failures: list[tuple[Target, CrosstrailError]] = []
        for target in targets:
            try:
                open_ones.append((target, target.trail))
            except CrosstrailError as error:
                failures.append((target, error))
        if span.start >= span.end:
            return OnDemandCollection(span, default, 0, 0)
        with anyio.move_on_after(self._settings.on_demand_seconds) as waiting:
            await self._turn.acquire()
        if waiting.cancelled_caught:
            return OnDemandCollection(span, default, len(targets), 0, busy=True)
        try:
            report = await self._collected(open_ones, span)
        finally:
            self._turn.release()
        failures += report.failures
        failed = {(target.account.key, target.region) for target, _ in failures}
        late = now - LATE - _SLACK  # the last minutes are never known whole
        left = tuple(
            target
            for target, gaps in report.left
            if (target.account.key, target.region) not in failed and any(gap.start < late for gap in gaps)
        )
        return OnDemandCollection(span, default, len(targets), report.events, tuple(failures), left)

    async def _collected(self, targets: Sequence[tuple[Target, AuditTrail]], span: Span) -> HistoryReport:
        settings = self._settings
        bounds = Bounds(settings.on_demand_seconds, settings.on_demand_requests)
        catalog = await anyio.to_thread.run_sync(self._catalog)
        return await collect_histories(
            targets, settings.folder, span, catalog=catalog, bounds=bounds, keeping=self._keeping
        )
