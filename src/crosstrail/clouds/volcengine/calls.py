"""How Volcengine CloudTrail is asked: which actions there are, at what pace, and in turn (see turns.py).

Decides the pace of each action and whether it may be repeated. It never picks an account or reads an answer; credentials
and the meaning of errors are accounts/'s. One instance serves all callers of a process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.paced_retry import paced_retry
from crosstrail.clouds.ratelimit import RateLimiter
from crosstrail.clouds.volcengine.actions import Action
from crosstrail.clouds.volcengine.broker import VolcengineBroker
from crosstrail.models import Account

LOOKUP_EVENTS = Action("LookupEvents", "2021-09-01", "cloud_trail", "POST")
DESCRIBE_TRAILS = Action("DescribeTrails", "2018-01-01", "cloud_trail", "GET")
CREATE_TRAIL = Action("CreateTrail", "2018-01-01", "cloud_trail", "GET")
CREATE_TRAIL_OF_ALL_SOURCES = Action("CreateTrail", "2021-09-01", "cloud_trail", "GET")
"""The later version of CreateTrail: it alone takes IncludeAllEventSources."""
_PER_SECOND = 100.0
"""No limit is documented. This one keeps a crowd's requests from arriving all in one moment; the rest is backing off."""
_NOT_TWICE = frozenset({CREATE_TRAIL.name})
"""What may have happened although no answer came, and must not happen again."""


class PacedRequests:
    """The pace of all requests of one process, by whoever they are for."""

    def __init__(self, *, deadline: float = 45.0) -> None:
        """`deadline`: seconds that one call may take, waiting for its turn and repeats included."""
        self._deadline = deadline
        self._pace = RateLimiter(_PER_SECOND, burst=int(_PER_SECOND))

    async def take(
        self, action: Action, ask: Callable[[], Awaitable[dict[str, Any]]], asked: RequestInfo, key: Hashable
    ) -> dict[str, Any]:
        """What `ask` gives. Raises what it does; CloudUnavailable also at the deadline."""
        return await paced_retry(
            ask, asked, pace=self._pace, key=key, deadline=self._deadline, repeatable=action.name not in _NOT_TWICE
        )


class VolcengineCalls:
    """The actions of listed accounts, each with its own account's credentials."""

    def __init__(self, broker: VolcengineBroker, *, deadline: float = 45.0) -> None:
        self._broker = broker
        self.deadline = deadline
        self._turns = PacedRequests(deadline=deadline)

    async def home_region(self, account: Account) -> str:
        """The region whose API is asked when a target names none."""
        return await self._broker.home_region(account)

    async def ask(self, account: Account, region: str, action: Action, params: Mapping[str, Any]) -> dict[str, Any]:
        """The Result. Raises what VolcengineBroker.call does; CloudUnavailable also at the deadline."""
        return await self._turns.take(
            action,
            lambda: self._broker.call(account, region, action, params),
            RequestInfo(account.name, region, str(action)),
            account.key,
        )
