"""Paces requests to what a cloud allows per key, for all callers of the process together.

Decides when a request may go out, never whether it does. A key that is throttled slows down by half at once, for those
who wait already too, and comes back a little with every request that goes well.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

import anyio

_SLOWEST = 1 / 16
"""Of the full rate."""
_RECOVERY = 1 / 8
"""Of the full rate, for each request that went well."""
_KEYS_KEPT = 10_000


@dataclass(slots=True)
class _Pace:
    due: float
    """When the next request would go out at an even pace, on the event loop's clock."""
    share: float = 1.0
    """Of the full rate."""
    turn: anyio.Lock = field(default_factory=lambda: anyio.Lock(fast_acquire=True))
    """Held by the one who waits for `due`. Whoever is cancelled in the queue behind it has taken nothing."""


class RateLimiter:
    """`per_second` requests a second for each key, of which `burst` may go out at once after a pause.

    A generic cell rate algorithm: one number a key, so thousands of keys cost nothing. For one event loop.
    """

    def __init__(self, per_second: float, burst: int = 1) -> None:
        self._interval = 1 / per_second
        self._burst = burst
        self._paces: OrderedDict[Hashable, _Pace] = OrderedDict()

    async def wait(self, key: Hashable) -> None:
        """Return when this request may go out. Requests for one key go out in the order they came."""
        pace = self._pace(key)
        async with pace.turn:
            while (delay := pace.due - self._early(pace) - anyio.current_time()) > 0:  # noqa: ASYNC110 - the clock is the event
                await anyio.sleep(delay)  # and look again: a refusal meanwhile moves it
            pace.due = max(pace.due, anyio.current_time()) + self._interval / pace.share

    def throttled(self, key: Hashable, retry_after: float = 0.0) -> None:
        """The cloud refused a request for this key: slow down, and let nothing out for `retry_after` seconds."""
        pace = self._pace(key)
        pace.share = max(pace.share / 2, _SLOWEST)
        pause = max(retry_after, self._interval / pace.share)
        pace.due = max(pace.due, anyio.current_time() + pause + self._early(pace))

    def succeeded(self, key: Hashable) -> None:
        """The cloud took a request for this key."""
        pace = self._pace(key)
        pace.share = min(pace.share + _RECOVERY, 1.0)

    def _early(self, pace: _Pace) -> float:
        """Seconds before `due` that a request may go out; none while the key is slowed down."""
        return self._interval * (self._burst - 1) if pace.share == 1.0 else 0.0

    def _pace(self, key: Hashable) -> _Pace:
        """The key's pace; the key used longest ago is forgotten when there are too many."""
        pace = self._paces.get(key)
        if pace is None:
            pace = self._paces[key] = _Pace(anyio.current_time())
            if len(self._paces) > _KEYS_KEPT:
                self._paces.popitem(last=False)
        else:
            self._paces.move_to_end(key)
        return pace
