"""Statements compiled in worker processes, where what a caller sends can take no more time and memory than it may.

Decides what is said of one that takes too much. It runs nothing: the engines do.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio
import anyio.to_thread

from crosstrail.engines.base import QueryScope
from crosstrail.engines.jobs import reach
from crosstrail.engines.messages import CompileRequest, EventsTable, Reply, type_of
from crosstrail.engines.sql.trino_versions import DEFAULT_TRINO
from crosstrail.engines.sql.types import Type
from crosstrail.engines.statement import check_length
from crosstrail.engines.workers import (
    PROCESSES,
    QueryWorkers,
    Ticket,
    WorkerDied,
    WorkerLate,
    WorkerStopped,
    shared,
)
from crosstrail.errors import LakeError, SqlRejected
from crosstrail.models import AccountKey
from crosstrail.timerange import TimeRange
from crosstrail.vocabulary import words

_SECONDS = 10.0
_AT_ONCE = 8
"""Threads that may wait for workers: those of the process are for everybody."""


@dataclass(frozen=True, slots=True)
class EngineStatement:
    """A caller's statement as an engine elsewhere is asked: limited to the accounts of the call."""

    sql: str
    columns: tuple[str, ...]
    """As Trino names them, `_col0` for what has no name."""
    types: tuple[Type, ...]
    accounts: tuple[AccountKey, ...]
    """Those it reads."""
    span: TimeRange
    """The event times that it can need."""


class StatementCompiler:
    """`workers`: None for those that this process shares. `trino_version`: whose values statements of the lake have."""

    def __init__(self, workers: QueryWorkers | None = None, trino_version: int = DEFAULT_TRINO) -> None:
        self._trino_version = trino_version
        self._workers = workers or shared(PROCESSES)
        self._waiting: anyio.CapacityLimiter | None = None

    def compile(
        self, sql: str, scope: QueryScope, ticket: Ticket, *, records: bool = False, table: EventsTable | None = None
    ) -> Reply:
        """For the embedded engine, with `table` for one elsewhere. Raises SqlRejected, also for what takes too long or too much."""
        check_length(sql)
        request: CompileRequest = {
            "work": "compile",
            "sql_page": words().sql_page,
            "sql": sql,
            "accounts": [(account.cloud, account.id, account.alias) for account in scope.accounts],
            "aliases": dict(scope.store_aliases),
            "trino_version": self._trino_version,
            "seconds": _SECONDS,
            "export": records,
        }
        if table:
            request["table"] = table
        try:
            answer = self._workers.ask(request, ticket, seconds=_SECONDS)
        except WorkerStopped:
            raise LakeError("the server is shutting down") from None
        except WorkerLate:
            raise SqlRejected("the statement takes too long to compile", hint="Split it, or nest it less.") from None
        except WorkerDied:
            answer = {"failed": "memory"}
        if "failed" in answer:
            raise SqlRejected("the statement takes too much memory to compile", hint="Split it, or nest it less.")
        if "rejected" in answer:
            raise SqlRejected(answer["rejected"], line=answer["line"], column=answer["column"], hint=answer["hint"])
        return answer

    async def reply(self, sql: str, scope: QueryScope, *, table: EventsTable | None = None) -> Reply:
        """The same, in a thread; it ends with who waits for it. Raises what `compile` does."""
        self._waiting = self._waiting or anyio.CapacityLimiter(_AT_ONCE)
        ticket = Ticket()
        try:
            return await anyio.to_thread.run_sync(
                lambda: self.compile(sql, scope, ticket, table=table), abandon_on_cancel=True, limiter=self._waiting
            )
        except anyio.get_cancelled_exc_class():
            ticket.stop()
            raise

    async def text(self, sql: str, scope: QueryScope, table: EventsTable) -> EngineStatement:
        """The statement for an engine that finds the events in `table`. Raises SqlRejected."""
        answer = await self.reply(sql, scope, table=table)
        accounts, span = reach(answer)
        types = tuple(type_of(each) for each in answer["types"])
        return EngineStatement(answer["text"], tuple(answer["columns"]), types, accounts, span)
