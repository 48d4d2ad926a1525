"""How any cloud is asked: in turn, again when that may help, and never longer than a deadline.

Decides when a request goes out and whether it is repeated; never what is asked, or what an error means.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Hashable
from itertools import count
from typing import TypeVar

import anyio

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.ratelimit import RateLimiter
from crosstrail.errors import CloudUnavailable, Throttled

_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.2

T = TypeVar("T")


async def paced_retry(
    ask: Callable[[], Awaitable[T]],
    asked: RequestInfo,
    *,
    pace: RateLimiter,
    key: Hashable,
    deadline: float,
    repeatable: bool = True,
) -> T:
    """What `ask` gives. `deadline`: seconds for all of it, waiting for its turn and repeats included.

    What is not `repeatable` is asked again only when it was throttled: anything else may have happened although no answer
    came. Raises what `ask` does; CloudUnavailable also at the deadline.
    """
    with anyio.move_on_after(deadline) as scope:
        return await _repeated(ask, pace, key, repeatable)
    if scope.cancelled_caught:
        raise CloudUnavailable(
            f"{asked.place} gave no answer to {asked.action} in {deadline:g} s",
            hint="Ask again later, or narrow the time span.",
            code="DeadlineExceeded",
            account=asked.account,
            region=asked.region,
        )
    raise AssertionError("left without an answer")  # pragma: no cover - either returned, raised or timed out


async def _repeated(ask: Callable[[], Awaitable[T]], pace: RateLimiter, key: Hashable, repeatable: bool) -> T:
    for attempt in count(1):
        await pace.wait(key)
        try:
            answer = await ask()
        except Throttled as error:
            pace.throttled(key, error.retry_after or 0.0)
            if attempt == _ATTEMPTS:
                raise
        except CloudUnavailable:
            if attempt == _ATTEMPTS or not repeatable:
                raise
            await anyio.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
        else:
            pace.succeeded(key)
            return answer
    raise AssertionError("counted to the end")  # pragma: no cover - the loop ends by return or raise
