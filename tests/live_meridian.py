"""Live Meridian accounts for tests: a fake on loopback, its accounts as crosstrail lists them, a broker that asks them.

Meridian is a distribution of its own (tests/distributions/meridian): it is imported where it is installed, so not at the top.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from crosstrail.accounts.broker import AnyBroker
from crosstrail.clouds.base import AuditTrail, OpenOptions, cloud_of
from fakes.cloud import Key
from fakes.meridian import FakeMeridian, World
from listed_accounts import ListedAccounts

TEAM_PROD, TEAM_DEV = "team-a/prod", "team-b/dev"


@dataclass
class LiveMeridian(ListedAccounts[World, Key]):
    """`base` is nobody's: there are no roles to assume."""

    broker: AnyBroker
    usual: ClassVar = {"cloud": "meridian"}

    def log_record(self, record: dict[str, Any], account_id: str) -> None:
        """An entry made of an AWS CloudTrail record, as Meridian would have written it."""
        who = record["userIdentity"]["arn"].rpartition(":")[2].split("/")
        names = [name for one in record.get("resources", ()) for name in (one["ARN"], one["ARN"].rpartition("/")[2])]
        failure = {
            new: record[old] for old, new in (("errorCode", "code"), ("errorMessage", "message")) if record.get(old)
        }
        self.world.account(account_id).log(
            record["eventName"],
            datetime.fromisoformat(record["eventTime"]),
            user=who[-1],
            role=who[1] if who[0] == "assumed-role" else "",
            entryId=record["eventID"],
            service=record["eventSource"],
            address=record["sourceIPAddress"],
            agent=record["userAgent"],
            request=record["requestID"],
            effect="read" if record["readOnly"] else "write",
            objects=[{"kind": "AWS::IAM::Role", "name": name} for name in names],
            **({"failure": failure} if failure else {}),
        )

    def trail(self, deadline: float = 30.0) -> AuditTrail:
        return cloud_of("meridian").open_trail(self.broker, deadline)


@asynccontextmanager
async def live_meridian() -> AsyncIterator[LiveMeridian]:
    """A fake and a broker of its own, until the block ends."""
    cloud = cloud_of("meridian")
    assert cloud.settings
    with FakeMeridian() as fake:
        broker = cloud.open(cloud.settings.model_validate({"endpoint": fake.url}), OpenOptions())
        try:
            yield LiveMeridian(fake.world, fake.world.add_client("nobody/base"), broker)
        finally:
            await broker.aclose()
