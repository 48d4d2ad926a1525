"""How CloudTrail is asked: at the pace it allows, again when that may help, and never longer than a deadline.

Decides when a call goes out and whether it is repeated. It never picks an account or reads an answer; credentials and
the meaning of errors are the broker's. One instance serves all callers of a process, because the pace is the account's.
"""

from __future__ import annotations

import random
from itertools import count
from typing import Any

import anyio

from crosstrail.accounts.broker import Broker
from crosstrail.clouds.ratelimit import RateLimiter
from crosstrail.errors import CloudUnavailable, Throttled
from crosstrail.models import Account

SERVICE = "cloudtrail"
LOOKUPS_PER_SECOND = 2.0
"""LookupEvents, per account and region; AWS does not raise it."""
_OTHERS_PER_SECOND = 10.0
"""Get, Describe and List calls."""
_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.2
_NOT_TWICE = frozenset({"create_trail", "start_query"})
"""What may have happened although no answer came, and must not happen again."""


class CloudTrailCalls:
    """The broker must leave repeats of this service to us: botocore's own would go out at no pace."""

    def __init__(
        self, broker: Broker, *, deadline: float = 45.0, lookups_per_second: float = LOOKUPS_PER_SECOND
    ) -> None:
        """`deadline`: seconds that one call may take, waiting for its turn and repeats included."""
        self._broker = broker
        self._deadline = deadline
        self._lookups = RateLimiter(lookups_per_second)
        self._others = RateLimiter(_OTHERS_PER_SECOND, burst=10)

    async def home_region(self, account: Account) -> str:
        """The region asked when a call names none."""
        return await self._broker.home_region(account)

    async def ask(self, account: Account, region: str, operation: str, **params: Any) -> dict[str, Any]:
        """The answer as boto gives it. Raises what Broker.call does; CloudUnavailable also at the deadline."""
        with anyio.move_on_after(self._deadline) as scope:
            return await self._asked(account, region, operation, params)
        if scope.cancelled_caught:
            raise CloudUnavailable(
                f"account {account.name} in {region} gave no answer to {SERVICE}:{_api_name(operation)} in {self._deadline:g} s",
                hint="Ask again later, or narrow the time span.",
                code="DeadlineExceeded",
                account=account.name,
                region=region,
            )
        raise AssertionError("left without an answer")  # pragma: no cover - either returned, raised or timed out

    async def _asked(self, account: Account, region: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        pace, key = (self._lookups, (account.key, region))
        if operation != "lookup_events":
            pace = self._others
        for attempt in count(1):
            await pace.wait(key)
            try:
                answer = await self._broker.call(account, SERVICE, region, operation, **params)
            except Throttled as error:
                pace.throttled(key, error.retry_after or 0.0)
                if attempt == _ATTEMPTS:
                    raise
            except CloudUnavailable:
                if attempt == _ATTEMPTS or operation in _NOT_TWICE:
                    raise
                await anyio.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
            else:
                pace.succeeded(key)
                return answer
        raise AssertionError("counted to the end")  # pragma: no cover - the loop ends by return or raise


def _api_name(operation: str) -> str:
    """`lookup_events` is LookupEvents."""
    return operation.title().replace("_", "")
