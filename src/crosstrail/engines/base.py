"""The one seam to SQL: a QueryEngine starts a query, says where it stands, gives pages of results, stops it.

`run` is the only loop that waits for a query. Engines never wait for one to end themselves, never choose accounts, and
never trust a QueryRef: what may be read comes with every call, in the QueryScope.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import anyio
from anyio import CancelScope

from crosstrail.errors import QueryCancelled, QueryFailed, QueryTimedOut
from crosstrail.models import Account, QueryRef, QueryState, QueryStatus, ResultPage
from crosstrail.vocabulary import words

FIRST_POLL_SECONDS = 0.02
LONGEST_POLL_SECONDS = 5.0
_CANCEL_GRACE_SECONDS = 5.0
_NARROWER = "Narrow it: fewer accounts, a shorter eventtime range, fewer columns."

Progress = Callable[[float, str], Awaitable[None]]
"""(seconds waited so far, a few words) -> None."""


@dataclass(frozen=True, slots=True)
class QueryScope:
    """What this call may read: accounts the principal may see, already narrowed to those the call selected."""

    accounts: tuple[Account, ...]
    store_aliases: Mapping[str, str] = field(default_factory=dict)
    """Foreign event data store id -> an account's id or alias, or `all`."""
    region: str = ""


class QueryEngine(Protocol):
    """Contract: tests/contract/test_engines.py."""

    @property
    def name(self) -> str:
        """The first part of this engine's query ids."""
        ...

    async def start(self, sql: str, scope: QueryScope) -> QueryRef:
        """Raises SqlRejected before anything runs when the statement is not one this engine may run."""
        ...

    async def status(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        """Raises InvalidRequest for a query that is unknown, expired or not readable in this scope: all read alike."""
        ...

    async def results(self, ref: QueryRef, scope: QueryScope, *, page_token: str = "", limit: int = 100) -> ResultPage:
        """A page of a finished query; of any other, its status and no rows. Raises StalePageToken, InvalidRequest."""
        ...

    async def cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        """Stops it; a query that has ended stays as it ended."""
        ...


async def run(
    engine: QueryEngine,
    sql: str,
    scope: QueryScope,
    *,
    limit: int,
    wait_seconds: float,
    progress: Progress | None = None,
) -> ResultPage:
    """Start a query, wait for its end, return its first page.

    Cancelling the caller stops the query upstream. After `wait_seconds` the query is left running.
    Raises QueryTimedOut (with the id to ask again), QueryFailed, QueryCancelled and what `start` raises.
    """
    ref = await engine.start(sql, scope)
    return await ended(engine, ref, scope, limit=limit, wait_seconds=wait_seconds, progress=progress)


async def ended(
    engine: QueryEngine,
    ref: QueryRef,
    scope: QueryScope,
    *,
    limit: int,
    wait_seconds: float,
    progress: Progress | None = None,
) -> ResultPage:
    """The same for a query that was started. Raises what `run` does, but for what `start` raises."""
    began = anyio.current_time()
    pause = FIRST_POLL_SECONDS
    try:
        while True:
            page = await engine.results(ref, scope, limit=limit)
            if page.status.state.ended:
                return finished(page)
            waited = anyio.current_time() - began
            if waited >= wait_seconds:
                raise QueryTimedOut(
                    f"the query still runs after {waited:.0f} s",
                    query_id=str(ref),
                    hint=_NARROWER,
                )
            if progress:
                await progress(waited, page.status.state.value)
            await anyio.sleep(min(pause, wait_seconds - waited))
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)
    except anyio.get_cancelled_exc_class():
        with CancelScope(shield=True), anyio.move_on_after(_CANCEL_GRACE_SECONDS):
            await engine.cancel(ref, scope)
        raise


def finished(page: ResultPage) -> ResultPage:
    """The page of a query that ended well; raises what its end means otherwise."""
    status = page.status
    match status.state:
        case QueryState.FINISHED:
            return page
        case QueryState.CANCELLED:
            raise QueryCancelled(f"query {status.ref} was cancelled", hint=f"Start it again with {words().sql}.")
        case QueryState.TIMED_OUT:
            raise QueryTimedOut(
                f"query {status.ref} was stopped: {status.error or 'its time limit was reached'}",
                hint=_NARROWER,
            )
        case _:
            raise QueryFailed(f"query {status.ref} failed: {status.error or 'no reason given'}")
