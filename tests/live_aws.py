"""Live accounts for tests: a fake AWS on loopback, its accounts as crosstrail lists them, and a broker that asks them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import pytest

from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.aws.calls import SERVICE, CloudTrailCalls
from crosstrail.clouds.aws.trail import AwsTrail
from crosstrail.clouds.shape import username_of
from crosstrail.models import Account
from crosstrail.settings.config import Settings
from fakes.aws import FakeAws, Key, World
from listed_accounts import ListedAccounts

BASE = "999999999999"
PROD, DEV = "111111111111", "222222222222"


def base_identity(world: World, monkeypatch: pytest.MonkeyPatch) -> Key:
    """The machine's own identity, in the environment, where a careless call would find it, too."""
    key = world.add_key(BASE, "crosstrail")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret)
    return key


class AwsAccounts(ListedAccounts[World, Key]):
    usual: ClassVar = {"region": "us-east-1"}

    def role_account(self, account_id: str, alias: str = "", external_id: str = "", **more: Any) -> Account:
        """An account with a role that trusts the base identity."""
        role = self.world.add_role(account_id, trusts=self.base, external_id=external_id)
        return self._list(account_id, alias, role.auth, more)


@dataclass
class LiveAws(AwsAccounts):
    """`broker` asks STS twice; CloudTrail is repeated by CloudTrailCalls."""

    url: str
    broker: AwsBroker

    def log_record(self, record: dict[str, Any]) -> None:
        """A whole CloudTrail record in its account's log, as LookupEvents gives it."""
        arns = [(one["type"], one["ARN"]) for one in record.get("resources", ())]
        identity = record["userIdentity"]
        self.world.account(record["recipientAccountId"]).log(
            record["eventName"],
            datetime.fromisoformat(record["eventTime"]),
            region=record["awsRegion"],
            source=record["eventSource"],
            username=username_of(identity),
            access_key_id=identity["accessKeyId"],
            read_only=record["readOnly"],
            resources=(*arns, *((kind, arn.partition("/")[2]) for kind, arn in arns)),
            record=record,
        )

    def settings(self, **more: Any) -> Settings:
        """A configuration with the listed accounts and without a lake."""
        return Settings.model_validate({"accounts": self.listed, "lake": {"path": "no-lake"}, **more})

    def trail(self, *, deadline: float = 30.0, lookups_per_second: float = 50.0) -> AwsTrail:
        """The fake has no pace of its own unless told: lookups go faster than AWS would let them."""
        return AwsTrail(CloudTrailCalls(self.broker, deadline=deadline, lookups_per_second=lookups_per_second))


@asynccontextmanager
async def live_aws(monkeypatch: pytest.MonkeyPatch, *, read_timeout: float = 30.0) -> AsyncIterator[LiveAws]:
    """A fake AWS with a base identity, both in the environment as botocore reads it."""
    with FakeAws() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        base = base_identity(fake.world, monkeypatch)
        broker = AwsBroker(read_timeout=read_timeout, attempts=2, asked_once=frozenset({SERVICE}))
        yield LiveAws(fake.world, base, fake.url, broker)
        await broker.aclose()
