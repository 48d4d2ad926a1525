"""The engine `athena`: the same SQL run by Amazon Athena, over CloudTrail's log files where they are or over the lake's table.

Decides what a query may take and what it costs. The caller's statement comes limited to the accounts of the call
(compiling.py), and to the days that it can need where the table has a folder for each; it reads one view. Results are fetched
into the ResultStore: a query id is one of ours, never Athena's, so that nothing that others started in the workgroup can be
read through it. It never chooses accounts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace

import anyio

from crosstrail.call_context import current_call
from crosstrail.engines.athena_cells import json_statement
from crosstrail.engines.athena_ddl import DAY
from crosstrail.engines.athena_query import MAX_STATEMENT_BYTES, AthenaAccess, AthenaPlace, AthenaQuery
from crosstrail.engines.base import QueryScope
from crosstrail.engines.compiling import EngineStatement, StatementCompiler
from crosstrail.engines.messages import EventsTable
from crosstrail.engines.query_runs import QueryRuns, in_thread, ref_of
from crosstrail.engines.remote_runs import RUNS_AT_ONCE, RemoteLimits, RemoteRun, text_types
from crosstrail.engines.results import Record, ResultStore
from crosstrail.engines.trino_view import DAY as LAKE_DAY
from crosstrail.errors import SqlRejected
from crosstrail.models import QueryRef, QueryState, QueryStatus, ResultPage

PRICE_PER_TB = 5.0
"""US dollars in most regions, aws.amazon.com/athena/pricing, 2026-11."""
LEAST_BYTES = 10 * 10**6
"""What a query is billed for at least, by the same page."""
_TB = 10**12


@dataclass(frozen=True, slots=True)
class AthenaTable:
    """What statements read: a view, and whether the table below has a folder a day (`lake ddl athena`) or is the lake's."""

    place: AthenaPlace = field(default_factory=AthenaPlace)
    view: str = "cloudtrail_events"
    by_day: bool = True
    late_days: int = 1
    """How many days after an event its log file may still come."""

    def events(self) -> EventsTable:
        relation = f'"{self.place.catalog}"."{self.place.database}"."{self.view}"'
        if self.by_day:
            return {"relation": relation, "day": DAY, "day_format": "yyyy/MM/dd", "late_days": self.late_days}
        return {"relation": relation, "day": LAKE_DAY, "day_format": "date", "late_days": 0}


class AthenaEngine:
    """The QueryEngine over one view. `close` stops what still runs, and waits for the threads to end."""

    name = "athena"

    def __init__(
        self,
        access: Callable[[], AbstractContextManager[AthenaAccess]],
        table: AthenaTable,
        store: ResultStore,
        *,
        price_per_tb: float = PRICE_PER_TB,
        limits: RemoteLimits = RemoteLimits(),  # noqa: B008 - frozen
        compiler: StatementCompiler | None = None,
    ) -> None:
        """`access` is opened for the first query, in a thread, and closed with the engine."""
        self._access = access
        self._opened: AthenaAccess | None = None
        self._held = ExitStack()
        self._opening = threading.Lock()
        self._table = table
        self._store = store
        self._price = price_per_tb
        self._limits = limits
        self._runs = QueryRuns(self.name, store, RUNS_AT_ONCE)
        self._compiler = compiler or StatementCompiler()

    async def start(self, sql: str, scope: QueryScope) -> QueryRef:
        """Raises SqlRejected; what Athena itself refuses is how the query ends."""
        statement = await self.text(sql, scope)
        text = statement.sql
        columns = statement.columns
        record = Record(
            *(QueryState.QUEUED, statement.accounts, columns, text_types(columns), time.time()),
            who=current_call().key,
            type_names=tuple(map(str, statement.types)),
        )
        access = await in_thread(self._open)
        query = AthenaQuery(access, self._table.place, text, columns, statement.types)
        run = RemoteRun(query, self._limits, self._store)
        try:
            native_id = await in_thread(lambda: self._runs.submit(record, run))
        except anyio.get_cancelled_exc_class():
            run.stop()
            raise
        return ref_of(self.name, scope, native_id)

    async def text(self, sql: str, scope: QueryScope) -> EngineStatement:
        """The statement as Athena is sent it. Raises SqlRejected."""
        statement = await self._compiler.text(sql, scope, self._table.events())
        text = await in_thread(lambda: json_statement(statement.sql, statement.types))
        if len(text.encode()) > MAX_STATEMENT_BYTES:
            raise SqlRejected(
                f"limited to {len(scope.accounts):,} accounts, the statement is longer than Athena's {MAX_STATEMENT_BYTES:,} bytes",
                hint="Name fewer accounts, or read the table in fewer places.",
            )
        return replace(statement, sql=text)

    def _open(self) -> AthenaAccess:
        """Raises InvalidRequest, AccountNotFound for an athena.account that is none."""
        with self._opening:
            if self._opened is None:
                self._opened = self._held.enter_context(self._access())
            return self._opened

    async def status(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        return self._priced(await in_thread(lambda: self._runs.status(ref, scope)))

    async def results(self, ref: QueryRef, scope: QueryScope, *, page_token: str = "", limit: int = 100) -> ResultPage:
        page = await in_thread(lambda: self._runs.page(ref, scope, page_token, limit))
        return replace(page, status=self._priced(page.status))

    async def cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        return self._priced(await in_thread(lambda: self._runs.cancel(ref, scope)))

    def has_ended(self, native_id: str) -> bool:
        """Whether a query has ended, on whichever process: for who counts queries, not for who reads them."""
        return self._store.has_ended(native_id)

    def close(self) -> None:
        """May be called twice."""
        self._runs.close()
        with self._opening:
            self._opened = None
            self._held.close()

    async def aclose(self) -> None:
        await in_thread(self.close)

    def _priced(self, status: QueryStatus) -> QueryStatus:
        """With what it cost. Athena bills nothing for a query that failed, or that gave an older result again."""
        if not status.scanned_bytes or status.state is QueryState.FAILED:
            return status
        return replace(status, cost=cost(status.scanned_bytes, self._price))


def cost(scanned_bytes: int, price_per_tb: float) -> str:
    """In words that say it is an estimate."""
    money = max(scanned_bytes, LEAST_BYTES) * price_per_tb / _TB
    return (
        f"about {money:.{2 if money >= 1 else 5}f} USD (estimated: {price_per_tb:g} USD a TB scanned, 10 MB at least)"
    )
