"""The engine `trino`: the same SQL over the lake's table, run by a Trino cluster.

Decides what a query may take and what is told of one. The caller's statement comes limited to the accounts of the call
(compiling.py), and reads one view. Results are fetched into the ResultStore, where any process sharing it answers for them; a
query id grants nothing: what may be read is checked against the scope of every call. It never chooses accounts.
"""

from __future__ import annotations

import math
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio

from crosstrail.call_context import current_call
from crosstrail.engines.base import QueryScope
from crosstrail.engines.compiling import EngineStatement, StatementCompiler
from crosstrail.engines.messages import EventsTable
from crosstrail.engines.query_runs import QueryRuns, in_thread, ref_of
from crosstrail.engines.remote_runs import RUNS_AT_ONCE, RemoteLimits, RemoteRun, text_types
from crosstrail.engines.results import Record, ResultStore
from crosstrail.engines.trino_access import TrinoAccess
from crosstrail.engines.trino_faults import Statement
from crosstrail.engines.trino_view import DAY
from crosstrail.errors import LakeError
from crosstrail.models import QueryRef, QueryState, QueryStatus, ResultPage

if TYPE_CHECKING:
    from crosstrail.engines.trino_query import TrinoConnection, TrinoRun

_ACCEPTED_SECONDS = 5.0
"""So long `start` waits for Trino to say whether the statement is one."""
_LOOK_SECONDS = 0.02
_MAX_RUN_TIME = "query_max_run_time"


def require_client() -> None:
    """Raises LakeError where the extra that brings Trino's client is not installed."""
    if find_spec("trino") is None:
        from crosstrail.origin import install_hint

        raise LakeError("the engine trino needs Trino's client", hint=install_hint("trino"))


class TrinoEngine:
    """The QueryEngine over the view of `access`. `close` cancels what still runs, and waits for the threads to end."""

    name = "trino"

    def __init__(
        self,
        access: TrinoAccess,
        store: ResultStore,
        *,
        limits: RemoteLimits = RemoteLimits(),  # noqa: B008 - frozen
        compiler: StatementCompiler | None = None,
    ) -> None:
        """Raises LakeError without the client."""
        require_client()
        self._access = access
        self._opened: TrinoConnection | None = None
        self._opening = threading.Lock()
        self._store = store
        self._limits = limits
        self._runs = QueryRuns(self.name, store, RUNS_AT_ONCE)
        self._compiler = compiler or StatementCompiler()
        self._table: EventsTable = {"relation": access.relation, "day": DAY, "day_format": "date", "late_days": 0}

    async def start(self, sql: str, scope: QueryScope) -> QueryRef:
        """Raises SqlRejected also for what Trino itself refuses, where it says so within seconds; LakeError where Trino does
        not answer."""
        connection = await in_thread(self._connection)
        statement = await self.text(sql, scope)
        columns = statement.columns
        record = Record(
            *(QueryState.QUEUED, statement.accounts, columns, text_types(columns), time.time()),
            who=current_call().key,
            type_names=tuple(map(str, statement.types)),
        )
        query = self._query(connection, Statement(sql, statement.sql))
        run = RemoteRun(query, self._limits, self._store)
        try:
            native_id = await in_thread(lambda: self._runs.submit(record, run))
            with anyio.move_on_after(_ACCEPTED_SECONDS):  # in no thread: those of the process are for everybody
                while not query.accepted.is_set():  # noqa: ASYNC110 - of a thread
                    await anyio.sleep(_LOOK_SECONDS)
        except anyio.get_cancelled_exc_class():
            run.stop()
            raise
        if query.refused:
            raise query.refused.reason
        return ref_of(self.name, scope, native_id)

    async def text(self, sql: str, scope: QueryScope) -> EngineStatement:
        """The statement as Trino is sent it. Raises SqlRejected."""
        return await self._compiler.text(sql, scope, self._table)

    def _connection(self) -> TrinoConnection:
        """In a thread: it loads libraries and reads certificates. Raises ConfigError for those that cannot be used."""
        from crosstrail.engines.trino_query import TrinoConnection

        with self._opening:
            if self._opened is None:
                self._opened = TrinoConnection.made(self._access)
            return self._opened

    def _query(self, connection: TrinoConnection, statement: Statement) -> TrinoRun:
        from crosstrail.engines.trino_query import TrinoRun

        # Trino ends it by itself where this process cannot say so any more
        properties = {_MAX_RUN_TIME: f"{math.ceil(self._limits.seconds) + 5}s"}
        return TrinoRun(connection, statement, properties, current_call().who)

    async def status(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        return await in_thread(lambda: self._runs.status(ref, scope))

    async def results(self, ref: QueryRef, scope: QueryScope, *, page_token: str = "", limit: int = 100) -> ResultPage:
        return await in_thread(lambda: self._runs.page(ref, scope, page_token, limit))

    async def cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        return await in_thread(lambda: self._runs.cancel(ref, scope))

    def has_ended(self, native_id: str) -> bool:
        """Whether a query has ended, on whichever process: for who counts queries, not for who reads them."""
        return self._store.has_ended(native_id)

    def close(self) -> None:
        """May be called twice."""
        self._runs.close()

    async def aclose(self) -> None:
        await in_thread(self.close)
