"""How CloudTrail is asked: at the pace it allows, and in turn (see turns.py).

Decides the pace of each call and whether it may be repeated. It never picks an account or reads an answer; credentials and
the meaning of errors are the broker's. One instance serves all callers of a process, because the pace is the account's.
"""

from __future__ import annotations

from typing import Any

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.paced_retry import paced_retry
from crosstrail.clouds.ratelimit import RateLimiter
from crosstrail.models import Account

SERVICE = "cloudtrail"
LOOKUPS_PER_SECOND = 2.0
"""LookupEvents, per account and region; AWS does not raise it."""
_OTHERS_PER_SECOND = 10.0
"""Get, Describe and List calls."""
_NOT_TWICE = frozenset({"create_trail", "start_query"})
"""What may have happened although no answer came, and must not happen again."""


class CloudTrailCalls:
    """The broker must leave repeats of this service to us: botocore's own would go out at no pace."""

    def __init__(
        self, broker: AwsBroker, *, deadline: float = 45.0, lookups_per_second: float = LOOKUPS_PER_SECOND
    ) -> None:
        """`deadline`: seconds that one call may take, waiting for its turn and repeats included."""
        self._broker = broker
        self.deadline = deadline
        self._lookups = RateLimiter(lookups_per_second)
        self._others = RateLimiter(_OTHERS_PER_SECOND, burst=10)

    async def home_region(self, account: Account) -> str:
        """The region asked when a call names none."""
        return await self._broker.home_region(account)

    async def ask(self, account: Account, region: str, operation: str, **params: Any) -> dict[str, Any]:
        """The answer as boto gives it. Raises what AwsBroker.call does; CloudUnavailable also at the deadline."""
        lookup = operation == "lookup_events"
        return await paced_retry(
            lambda: self._broker.call(account, SERVICE, region, operation, **params),
            RequestInfo(account.name, region, f"{SERVICE}:{_api_name(operation)}"),
            pace=self._lookups if lookup else self._others,
            key=(account.key, region),
            deadline=self.deadline,
            repeatable=operation not in _NOT_TWICE,
        )


def _api_name(operation: str) -> str:
    """`lookup_events` is LookupEvents."""
    return operation.title().replace("_", "")
