"""How Athena is asked: at the pace of its quotas, and in turn, as CloudTrail is (calls.py).

Decides the pace and that each call may be repeated: one that starts a query has a token of its own, by which AWS starts it once
however often it is sent (API reference of StartQueryExecution). Credentials and the meaning of errors are the broker's.
"""

from __future__ import annotations

from typing import Any

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.paced_retry import paced_retry
from crosstrail.clouds.ratelimit import RateLimiter
from crosstrail.models import Account

ATHENA = "athena"
_CHANGES_PER_SECOND = 10.0
"""Starts and stops, per account and region; Athena's quota is 20."""
_READS_PER_SECOND = 50.0
"""Its quota is 100."""
_OWN_IDENTITY = "the machine's own identity"


class AthenaCalls:
    """For one account; None is the machine's own identity."""

    def __init__(self, broker: AwsBroker, account: Account | None, region: str, *, deadline: float = 45.0) -> None:
        """`deadline`: seconds that one call may take, waiting for its turn and repeats included."""
        self._broker = broker
        self._account = account
        self._region = region
        self._deadline = deadline
        self._reads = RateLimiter(_READS_PER_SECOND, burst=10)
        self._changes = RateLimiter(_CHANGES_PER_SECOND, burst=5)

    async def ask(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """The answer as boto gives it. Raises what AwsBroker.call does; CloudUnavailable also at the deadline."""
        account = self._account
        region = self._region
        if account:
            region = region or await self._broker.home_region(account)
        name = operation.title().replace("_", "")
        return await paced_retry(
            lambda: (
                self._broker.call(account, ATHENA, region, operation, **params)
                if account
                else self._broker.own_call(ATHENA, region, operation, **params)
            ),
            RequestInfo(account.name if account else _OWN_IDENTITY, region, f"{ATHENA}:{name}"),
            pace=self._reads if operation.startswith("get_") else self._changes,
            key=(account.key if account else None, region),
            deadline=self._deadline,
        )
