"""Live accounts for tests: a fake AWS on loopback, its accounts as crosstrail lists them, and a broker that asks them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crosstrail.accounts.broker import Broker
from crosstrail.clouds.aws import AwsTrail
from crosstrail.clouds.aws_calls import SERVICE, CloudTrailCalls
from crosstrail.models import Account
from fakes.aws import FakeAws, Key, World
from fakes.aws.world import LoggedEvent

BASE_ACCOUNT = "999999999999"
PROD, DEV = "111111111111", "222222222222"


def moment(age: timedelta = timedelta()) -> datetime:
    """A whole second in the past: events have no fractions."""
    return (datetime.now(UTC) - age).replace(microsecond=0)


@dataclass
class LiveAws:
    """`broker` waits a second for an answer and asks STS twice; CloudTrail is repeated by CloudTrailCalls."""

    world: World
    base: Key
    url: str
    broker: Broker
    listed: list[dict[str, Any]] = field(default_factory=list)

    def keys_account(self, account_id: str, alias: str = "", **more: Any) -> Account:
        """An account with an access key of its own, in the fake and in `listed`."""
        key = self.world.add_key(account_id)
        return self._listed(
            account_id,
            alias,
            {"type": "keys", "access_key_id": key.id, "secret_access_key": key.secret},
            more,
        )

    def role_account(self, account_id: str, alias: str = "", external_id: str = "", **more: Any) -> Account:
        """An account with a role that trusts the base identity."""
        self.world.account(account_id)
        role = self.world.add_role(account_id, trusts=self.base, external_id=external_id)
        return self._listed(account_id, alias, {"type": "role", "role_arn": role.arn, "external_id": external_id}, more)

    def log_record(self, record: dict[str, Any]) -> None:
        """A whole CloudTrail record in its account's log, as LookupEvents gives it."""
        arns = [(one["type"], one["ARN"]) for one in record.get("resources", ())]
        named = [*arns, *((kind, arn.partition("/")[2]) for kind, arn in arns)]
        item: dict[str, Any] = {
            "EventId": record["eventID"],
            "EventName": record["eventName"],
            "ReadOnly": str(record["readOnly"]).lower(),
            "AccessKeyId": record["userIdentity"]["accessKeyId"],
            "EventTime": datetime.fromisoformat(record["eventTime"]).timestamp(),
            "EventSource": record["eventSource"],
            "Username": record["userIdentity"]["userName"],
            "Resources": [{"ResourceType": kind, "ResourceName": name} for kind, name in named],
            "CloudTrailEvent": json.dumps(record),
        }
        found: dict[str, tuple[str, ...]] = {key: (str(value),) for key, value in item.items()}
        found |= {"ResourceType": tuple(kind for kind, _ in named), "ResourceName": tuple(name for _, name in named)}
        log = self.world.account(record["recipientAccountId"]).events.setdefault(record["awsRegion"], [])
        log.append(LoggedEvent(item["EventTime"], item["EventId"], "Management", found, json.dumps(item).encode()))
        log.sort(key=lambda event: -event.time)

    def trail(self, *, deadline: float = 30.0, lookups_per_second: float = 50.0) -> AwsTrail:
        """The fake has no pace of its own unless told: lookups go faster than AWS would let them."""
        return AwsTrail(CloudTrailCalls(self.broker, deadline=deadline, lookups_per_second=lookups_per_second))

    def _listed(self, account_id: str, alias: str, auth: dict[str, str], more: dict[str, Any]) -> Account:
        entry = {"id": account_id, "alias": alias, "region": "us-east-1", **more, "auth": auth}
        self.listed.append(entry)
        return Account.model_validate(entry)


@contextmanager
def live_aws(monkeypatch: pytest.MonkeyPatch, *, read_timeout: float = 1.0) -> Iterator[LiveAws]:
    """A fake AWS with a base identity, both in the environment as botocore reads it."""
    with FakeAws() as fake:
        base = fake.world.add_key(BASE_ACCOUNT, "base")
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", base.id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", base.secret)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        broker = Broker(read_timeout=read_timeout, attempts=2, asked_once=frozenset({SERVICE}))
        yield LiveAws(fake.world, base, fake.url, broker)
        broker.close()
