"""How much one principal may ask at once and in a minute, of this process.

Decides when a call has to wait outside, and says when to come back. It never queues a call: whoever is refused holds
nothing. Memory is bounded: who was away longest is forgotten first, and a full minute after that nothing is lost by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from crosstrail.accounts.lru import LeastRecentlyUsed
from crosstrail.errors import LimitReached
from crosstrail.models import QueryState
from crosstrail.serving import LimitSettings

_MOST_PRINCIPALS = 10_000
_MINUTE = 60.0
_SOON = 2.0


@dataclass(slots=True)
class _Use:
    """What one principal uses. `tokens`: calls that may still come at once, as of `at`."""

    tokens: float
    at: float
    calls: int = 0
    queries: int = 0
    running: dict[str, float] = field(default_factory=dict)
    """Queries left running: id -> when they have ended at the latest."""


class Limits:
    """One a process. Not for threads: called on the event loop alone."""

    def __init__(
        self, settings: LimitSettings, *, longest_query: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`longest_query`: seconds after which a query that was left running has ended in any case."""
        self._most = settings
        self._longest = longest_query
        self._clock = clock
        self._uses: LeastRecentlyUsed[Hashable, _Use] = LeastRecentlyUsed(_MOST_PRINCIPALS)

    @contextmanager
    def admitted(self, principal: Hashable, *, query: bool = False) -> Iterator[None]:
        """One call of a principal, for as long as it takes. `query`: it starts one. Raises LimitReached."""
        use = self._use(principal)
        self._take(use, query)
        use.calls += 1
        use.queries += query
        try:
            yield
        finally:
            use.calls -= 1
            use.queries -= query

    def query_is(self, principal: Hashable, query_id: str, state: str) -> None:
        """A query goes on after its call, or has ended as a later call found."""
        running = self._use(principal).running
        if QueryState(state).ended:
            running.pop(query_id, None)
        else:
            running.setdefault(query_id, self._clock() + self._longest)

    def _use(self, principal: Hashable) -> _Use:
        use = self._uses.get(principal)
        if use is None:
            use = _Use(float(self._most.calls_per_minute), self._clock())
            self._uses.put(principal, use)
        return use

    def _take(self, use: _Use, query: bool) -> None:
        now, most = self._clock(), self._most
        rate = most.calls_per_minute / _MINUTE
        use.tokens = min(float(most.calls_per_minute), use.tokens + (now - use.at) * rate)
        use.at = now
        if use.tokens < 1:
            raise _refused(f"{most.calls_per_minute} calls a minute", (1 - use.tokens) / rate)
        if use.calls >= most.concurrent_calls:
            raise _refused(f"{most.concurrent_calls} calls at once", _SOON)
        if query:
            use.running = {ref: end for ref, end in use.running.items() if end > now}
            if use.queries + len(use.running) >= most.queries_at_once:
                raise _refused(
                    f"{most.queries_at_once} queries at once",
                    _SOON if use.queries else max(_SOON, min(use.running.values()) - now),
                    " Or stop one with cancel_query." if use.running else "",
                )
        use.tokens -= 1


def _refused(limit: str, seconds: float, more: str = "") -> LimitReached:
    whole = max(1, round(seconds + 0.5))
    return LimitReached(
        f"too many calls: the limit is {limit} for each caller",
        retry_after=whole,
        hint=f"Ask again in {whole} s, or wait for the calls that run.{more}",
    )
