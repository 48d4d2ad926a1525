"""How ActionTrail is asked: which actions there are, at what pace, and in turn (see turns.py), with each account's own credentials.

Decides the pace of each action and whether it may be repeated. It never picks an account or reads an answer; credentials
and the meaning of errors are the broker's. One instance serves all callers of a process, because the pace is the account's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.alibaba.api import Action
from crosstrail.clouds.alibaba.broker import AlibabaBroker
from crosstrail.clouds.paced_retry import paced_retry
from crosstrail.clouds.ratelimit import RateLimiter
from crosstrail.models import Account

VERSION = "2020-07-06"
LOOKUP_EVENTS = Action("actiontrail", "LookupEvents", VERSION)
DESCRIBE_TRAILS = Action("actiontrail", "DescribeTrails", VERSION)
GET_TRAIL_STATUS = Action("actiontrail", "GetTrailStatus", VERSION)
CREATE_TRAIL = Action("actiontrail", "CreateTrail", VERSION)
START_LOGGING = Action("actiontrail", "StartLogging", VERSION)
LOOKUPS_PER_SECOND = 2.0
"""LookupEvents of one account, whatever the region: https://www.alibabacloud.com/help/doc-detail/185722.htm names no region."""
_OTHERS_PER_SECOND = 10.0
"""No limit is documented for the others."""
_NOT_TWICE = frozenset({CREATE_TRAIL})
"""What may have happened although no answer came, and must not happen again."""


class AlibabaCalls:
    """The actions of listed accounts."""

    def __init__(
        self,
        broker: AlibabaBroker,
        *,
        deadline: float = 45.0,
        lookups_per_second: float = LOOKUPS_PER_SECOND,
    ) -> None:
        """`deadline`: seconds that one call may take, waiting for its turn and repeats included."""
        self._broker = broker
        self.deadline = deadline
        self._lookups = RateLimiter(lookups_per_second)
        self._others = RateLimiter(_OTHERS_PER_SECOND, burst=10)

    async def home_region(self, account: Account) -> str:
        """The region whose API is asked when a target names none."""
        return await self._broker.home_region(account)

    async def ask(self, account: Account, region: str, action: Action, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer; credentials that STS calls expired are renewed once.

        Raises CredentialsError, CloudError, InvalidRequest with account, region, code and request id; CloudUnavailable also
        at the deadline.
        """
        return await paced_retry(
            lambda: self._broker.call(account, region, action, params),
            RequestInfo(account.name, region, str(action)),
            pace=self._lookups if action == LOOKUP_EVENTS else self._others,
            key=account.key,
            deadline=self.deadline,
            repeatable=action not in _NOT_TWICE,
        )
