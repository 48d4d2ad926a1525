"""A fake AWS full of accounts for the tests of the broker: who was wanted, who answered, whose key signed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.models import Account
from fakes.aws import Key, Recorded
from listed_accounts import moment
from live_aws import PROD, AwsAccounts


@dataclass
class BrokerWorkspace(AwsAccounts):
    """Accounts, each with one event that only it has, every second one reached by a role."""

    accounts: list[Account] = field(default_factory=list)

    def add(self, number: int) -> None:
        account_id = str(100_000_000_000 + number)
        self.world.account(account_id).log("Own", moment(timedelta(hours=1)), username=account_id)
        more = {} if number % 2 else {"external_id": f"ext-{number}"}
        made = (self.keys_account if number % 2 else self.role_account)(account_id, f"a{number}", **more)
        self.accounts.append(made)

    def lookups(self) -> list[Recorded]:
        return self.world.asked("LookupEvents")


def prod(key: Key) -> Account:
    return Account.model_validate({"id": PROD, "alias": "prod", "auth": key.auth})


async def look_up(broker: AwsBroker, account: Account, region: str = "us-east-1", **params: Any) -> list[str]:
    """Whose events came. The request itself says whose were wanted."""
    wanted = [{"AttributeKey": "Username", "AttributeValue": account.id}]
    answer = await broker.call(account, "cloudtrail", region, "lookup_events", LookupAttributes=wanted, **params)
    return [event["Username"] for event in answer["Events"]]


def wanted(request: Recorded) -> str:
    return str(request.params["LookupAttributes"][0]["AttributeValue"])
