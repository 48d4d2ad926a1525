"""A fake AWS full of accounts for the tests of the broker: who was wanted, who answered, whose key signed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crosstrail.accounts.broker import Broker
from crosstrail.models import Account
from fakes.aws import FakeAws, Key, Recorded

BASE = "999999999999"
PROD = "111111111111"


@dataclass
class Estate:
    """Accounts of a fake AWS, each with one event that only it has, every second one reached by a role."""

    aws: FakeAws
    base: Key
    accounts: list[Account] = field(default_factory=list)

    def add(self, number: int) -> None:
        account_id = str(100_000_000_000 + number)
        self.aws.world.account(account_id).log("Own", datetime.now(UTC) - timedelta(hours=1), username=account_id)
        if number % 2:
            auth = keys_of(self.aws.world.add_key(account_id))
        else:
            role = self.aws.world.add_role(account_id, trusts=self.base, external_id=f"ext-{number}")
            auth = {"type": "role", "role_arn": role.arn, "external_id": role.external_id}
        self.accounts.append(Account.model_validate({"id": account_id, "alias": f"a{number}", "auth": auth}))

    def lookups(self) -> list[Recorded]:
        return self.aws.world.asked("LookupEvents")


def open_estate(fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """The base identity is in the environment, where a careless call would find it."""
    key = fake_aws.world.add_key(BASE, "crosstrail")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret)
    return Estate(fake_aws, key)


def keys_of(key: Key) -> dict[str, str]:
    return {"type": "keys", "access_key_id": key.id, "secret_access_key": key.secret}


def prod(key: Key) -> Account:
    return Account.model_validate({"id": PROD, "alias": "prod", "auth": keys_of(key)})


async def look_up(broker: Broker, account: Account, region: str = "us-east-1", **params: Any) -> list[str]:
    """Whose events came. The request itself says whose were wanted."""
    wanted = [{"AttributeKey": "Username", "AttributeValue": account.id}]
    answer = await broker.call(account, "cloudtrail", region, "lookup_events", LookupAttributes=wanted, **params)
    return [event["Username"] for event in answer["Events"]]


def wanted(request: Recorded) -> str:
    return str(request.params["LookupAttributes"][0]["AttributeValue"])
