"""Paces requests to what a cloud allows per key, for all callers of the process together.

Decides when a request may go out, never whether it does. A key that is throttled slows down by half at once and comes
back a little with every request that goes well.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

import anyio

_SLOWEST = 1 / 16
"""Of the full rate."""
_RECOVERY = 1 / 8
"""Of the full rate, for each request that went well."""
_KEYS_KEPT = 10_000


@dataclass(slots=True)
class _Pace:
    due: float
    """When the request after the last one would go out at an even pace, on the event loop's clock."""
    share: float = 1.0
    """Of the full rate."""


class RateLimiter:
    """`per_second` requests a second for each key, the first `burst` of them at once.

    A generic cell rate algorithm: one number a key, so thousands of keys cost nothing.
    """

    def __init__(self, per_second: float, burst: int = 1) -> None:
        self._interval = 1 / per_second
        self._burst = burst
        self._paces: OrderedDict[Hashable, _Pace] = OrderedDict()

    async def wait(self, key: Hashable) -> None:
        """Return when this request may go out. Requests for one key go out in the order they came."""
        now = anyio.current_time()
        pace = self._pace(key, now)
        interval = self._interval / pace.share
        pace.due = max(pace.due, now) + interval
        delay = pace.due - interval * self._burst - now
        if delay > 0:
            await anyio.sleep(delay)

    def throttled(self, key: Hashable, retry_after: float = 0.0) -> None:
        """The cloud refused a request for this key: slow down, and let nothing out for `retry_after` seconds."""
        now = anyio.current_time()
        pace = self._pace(key, now)
        pace.share = max(pace.share / 2, _SLOWEST)
        pause = max(retry_after, self._interval / pace.share)
        pace.due = max(pace.due, now + pause + self._interval / pace.share * (self._burst - 1))

    def succeeded(self, key: Hashable) -> None:
        pace = self._pace(key, anyio.current_time())
        pace.share = min(pace.share + _RECOVERY, 1.0)

    def _pace(self, key: Hashable, now: float) -> _Pace:
        """The key's pace; the key used longest ago is forgotten when there are too many."""
        pace = self._paces.get(key)
        if pace is None:
            pace = self._paces[key] = _Pace(now)
            if len(self._paces) > _KEYS_KEPT:
                self._paces.popitem(last=False)
        else:
            self._paces.move_to_end(key)
        return pace
