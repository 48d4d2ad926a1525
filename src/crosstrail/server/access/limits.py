"""How much one principal may ask at once and in a minute, of all processes that serve one address.

Decides when a call has to wait outside, and says when to come back. It never queues a call: whoever is refused holds
nothing, and while another process counts, the event loop goes on. What is counted stands in a small database, of this process alone or in a file that several share; it holds digests
of principals, and is bounded: who was away longest is forgotten first, and a full minute after that nothing is lost by it.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import secrets
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import anyio

from crosstrail.errors import LimitReached
from crosstrail.models import QueryState
from crosstrail.server.access.token_bucket import TokenBucket
from crosstrail.settings.server_settings import LimitSettings

T = TypeVar("T")

_log = logging.getLogger("crosstrail.limits")
_MAX_PRINCIPALS = 10_000
_SWEEP_CALLS = 1_000
_MINUTE = 60.0
_SOON = 2.0
_LOCKED_SECONDS = 1.0
"""The longest wait for another process, which counts in well under a millisecond."""
_LOOK_SECONDS = 0.002
_OPENED_SECONDS = 60.0
_FOREVER = 1e18
_CALL, _QUERY, _LEFT = "call", "query", "left"
"""What runs: a call, a call that began a query, a query that went on after its call."""
_QUERY_NAME = "query "
_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS used (who TEXT PRIMARY KEY, tokens REAL, at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS running (who TEXT, id TEXT, kind TEXT, process INTEGER, until REAL, PRIMARY KEY (who, id))
WITHOUT ROWID;
"""


class Limits:
    """One a process. Not for threads: called on the event loop alone."""

    def __init__(
        self,
        settings: LimitSettings,
        *,
        longest_query: float,
        shared: str = "",
        clock: Callable[[], float] = time.monotonic,
        ended: Callable[[str], bool] = lambda query_id: False,
    ) -> None:
        """`longest_query`: seconds after which a query that was left running has ended in any case. `shared`: the file that
        all processes count in; its machine's clock is theirs, too. `ended`: whether a query that was left running has ended,
        as far as that can be told at once; it is asked when somebody needs the place that the query takes."""
        self._most = settings
        self._bucket = TokenBucket(settings.calls_per_minute)
        self._longest = longest_query
        self._clock = clock
        self._has_ended = ended
        self._process = os.getpid()
        self._alone = not shared
        self._own = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._database = _opened(shared or ":memory:")
        self._database.execute("PRAGMA busy_timeout = 0")  # from now on it is the event loop that would wait

    @asynccontextmanager
    async def admitted(self, principal: Hashable, *, query: bool = False) -> AsyncIterator[None]:
        """One call of a principal, for as long as it takes. `query`: it starts one. Raises LimitReached."""
        who, number = _digest(principal), next(self._numbers)
        call = f"{self._own} {number}"

        def enter() -> None:
            self._take(who, query)
            self._put(who, call, _QUERY if query else _CALL, _FOREVER)
            if number % _SWEEP_CALLS == 0:
                self._sweep()

        def leave() -> None:
            self._database.execute("DELETE FROM running WHERE who = ? AND id = ?", (who, call))

        try:
            await self._in_turn(enter)
        except sqlite3.Error as error:
            _log.error("calls cannot be counted: %s", error)
            raise _refused("what can be counted now", _SOON) from None
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                await self._in_turn(leave)

    async def query_is(self, principal: Hashable, query_id: str, state: str, *, longest: float = _FOREVER) -> None:
        """A query goes on after its call, or has ended as a later call found, whosever. `longest`: seconds that it counts at most."""
        who, query = _digest(principal), f"{_QUERY_NAME}{query_id}"

        def note() -> None:
            if QueryState(state).ended:
                self._database.execute("DELETE FROM running WHERE id = ? AND kind = ?", (query, _LEFT))
            else:
                self._put(who, query, _LEFT, self._clock() + min(longest, self._longest))

        with suppress(sqlite3.Error):
            await self._in_turn(note)

    async def in_the_way(self, principal: Hashable) -> tuple[str, ...]:
        """The queries left running that take a place which the principal needs for one more; none while there is room."""
        who, now = _digest(principal), self._clock()

        def left() -> tuple[str, ...]:
            if not self._too_many(self._running(who, now), query=True):
                return ()
            asked = "SELECT id FROM running WHERE who = ? AND kind = ? AND until > ?"
            rows = self._database.execute(asked, (who, _LEFT, now)).fetchall()
            return tuple(name.removeprefix(_QUERY_NAME) for (name,) in rows)

        with suppress(sqlite3.Error):
            return await self._in_turn(left)
        return ()

    def close(self) -> None:
        self._database.close()

    async def _in_turn(self, work: Callable[[], T]) -> T:
        """What `work` gives; it is done whole or not at all, beside other processes. Raises sqlite3.Error.

        A wait for another process goes on though the call was cancelled: a place that is not given back is lost.
        """
        until = time.monotonic() + _LOCKED_SECONDS
        while True:
            try:
                return self._at_once(work)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            with anyio.CancelScope(shield=True):
                await anyio.sleep(_LOOK_SECONDS)

    def _at_once(self, work: Callable[[], T]) -> T:
        if self._alone:  # nobody comes between, and each step looks before it writes
            return work()
        self._database.execute("BEGIN IMMEDIATE")
        try:
            done = work()
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        return done

    def _take(self, who: str, query: bool) -> None:
        now, most = self._clock(), self._most
        found = self._database.execute("SELECT tokens, at FROM used WHERE who = ?", (who,)).fetchone()
        tokens, at = found or (float(most.calls_per_minute), now)
        tokens = self._bucket.tokens(tokens, at, now)
        if tokens < 1:
            raise _refused(f"{most.calls_per_minute} calls a minute", self._bucket.seconds_to_one(tokens))
        running = self._running(who, now)
        if self._too_many(running, query):
            self._forget_the_dead()
            self._forget_the_ended(who)
            running = self._running(who, now)
        if sum(kind != _LEFT for kind, _ in running) >= most.concurrent_calls:
            raise _refused(f"{most.concurrent_calls} calls at once", _SOON)
        queries = [until for kind, until in running if kind != _CALL]
        if query and len(queries) >= most.queries_at_once:
            ends = min(queries)
            raise _refused(
                f"{most.queries_at_once} queries at once",
                _SOON if any(kind == _QUERY for kind, _ in running) else min(max(_SOON, ends - now), _MINUTE),
                " Or stop one with cancel_query." if ends < _FOREVER else "",
            )
        self._database.execute("INSERT OR REPLACE INTO used VALUES (?, ?, ?)", (who, tokens - 1, now))

    def _running(self, who: str, now: float) -> list[tuple[str, float]]:
        """Kind and latest end of each."""
        rows = self._database.execute("SELECT kind, until FROM running WHERE who = ? AND until > ?", (who, now))
        return rows.fetchall()

    def _too_many(self, running: list[tuple[str, float]], query: bool) -> bool:
        calls = sum(kind != _LEFT for kind, _ in running)
        queries = sum(kind != _CALL for kind, _ in running)
        return calls >= self._most.concurrent_calls or (query and queries >= self._most.queries_at_once)

    def _put(self, who: str, name: str, kind: str, until: float) -> None:
        row = (who, name, kind, self._process, until)
        self._database.execute("INSERT OR IGNORE INTO running VALUES (?, ?, ?, ?, ?)", row)

    def _forget_the_dead(self) -> None:
        """Calls of processes that were killed before they could say that these had ended."""
        rows = self._database.execute("SELECT DISTINCT process FROM running WHERE kind != ?", (_LEFT,))
        for (process,) in rows.fetchall():
            if not _lives(process):
                self._database.execute("DELETE FROM running WHERE process = ? AND kind != ?", (process, _LEFT))

    def _forget_the_ended(self, who: str) -> None:
        """Queries that ended with nobody asking after them, in whichever process."""
        rows = self._database.execute("SELECT id FROM running WHERE who = ? AND kind = ?", (who, _LEFT))
        for (name,) in rows.fetchall():
            if self._has_ended(name.removeprefix(_QUERY_NAME)):
                self._database.execute("DELETE FROM running WHERE who = ? AND id = ?", (who, name))

    def _sweep(self) -> None:
        keep = "SELECT who FROM used ORDER BY at DESC LIMIT ?"
        self._database.execute(f"DELETE FROM used WHERE who NOT IN ({keep})", (_MAX_PRINCIPALS,))  # noqa: S608
        self._database.execute("DELETE FROM running WHERE until <= ?", (self._clock(),))


def _opened(place: str) -> sqlite3.Connection:
    """With its tables, made by whichever process comes first. Raises sqlite3.Error.

    SQLite refuses at once, whatever its timeout, who changes to the write-ahead log, or begins to use it, beside another.
    """
    until = time.monotonic() + _OPENED_SECONDS
    while True:
        database = sqlite3.connect(place, isolation_level=None, timeout=_LOCKED_SECONDS)
        try:
            database.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            database.close()
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        else:
            return database
        time.sleep(_LOOK_SECONDS)


def _digest(principal: Hashable) -> str:
    return hashlib.blake2b(repr(principal).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _lives(process: int) -> bool:
    if sys.platform == "win32":  # where asking so would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _refused(limit: str, seconds: float, more: str = "") -> LimitReached:
    whole = max(1, round(seconds + 0.5))
    return LimitReached(
        f"too many calls: the limit is {limit} for each caller",
        retry_after=whole,
        hint=f"Ask again in {whole} s, or wait for the calls that run.{more}",
    )
