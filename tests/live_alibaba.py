"""Live Alibaba Cloud accounts for tests: a fake on loopback, its accounts, and whence the credentials of each come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from pydantic import SecretStr

from crosstrail.accounts.credentials import Cached, Credentials
from crosstrail.clouds.alibaba.api import AlibabaApi
from crosstrail.clouds.alibaba.broker import AlibabaBroker
from crosstrail.clouds.alibaba.calls import AlibabaCalls
from crosstrail.clouds.alibaba.settings import AlibabaSettings
from crosstrail.clouds.alibaba.trail import AlibabaTrail
from crosstrail.models import Account
from fakes.alibaba import FakeAlibaba, Key, Role, World
from listed_accounts import ListedAccounts

BASE = "1199999999999999"
HZ_PROD, HZ_DEV = "1100000000000001", "1100000000000002"


@dataclass
class LiveAlibaba(ListedAccounts[World, Key]):
    """`base` is the environment's key, which assumes the roles."""

    url: str
    api: AlibabaApi
    environment: AlibabaSettings
    _brokers: dict[AlibabaSettings, AlibabaBroker] = field(default_factory=dict)
    usual: ClassVar = {"cloud": "alibaba"}

    def role_account(self, account_id: str, alias: str = "", *, role: Role | None = None, **auth: Any) -> Account:
        """An account with a role that trusts the environment's key; `auth` is said of that role where it is listed."""
        made = role or self.world.add_role(account_id, trusts=self.base)
        return Account.model_validate({**self.usual, "id": account_id, "alias": alias, "auth": {**made.auth, **auth}})

    @property
    def broker(self) -> AlibabaBroker:
        """One for each identity that the environment had."""
        if self.environment not in self._brokers:
            self._brokers[self.environment] = AlibabaBroker(api=self.api, settings=self.environment)
        return self._brokers[self.environment]

    def credentials_of(self, account: Account) -> Cached[Credentials]:
        return self.broker.provider(account)

    def calls(self, *, deadline: float = 30.0, lookups_per_second: float = 1000.0) -> AlibabaCalls:
        return AlibabaCalls(self.broker, deadline=deadline, lookups_per_second=lookups_per_second)

    def trail(self, **how: Any) -> AlibabaTrail:
        return AlibabaTrail(self.calls(**how))

    def log_record(self, record: dict[str, Any]) -> None:
        """An event made of an AWS CloudTrail record, as ActionTrail would have written it."""
        identity, arns = record["userIdentity"], [one["ARN"] for one in record.get("resources", ())]
        who = identity["arn"].rpartition(":")[2].split("/")
        self.world.account(record["recipientAccountId"]).log(
            record["eventName"],
            datetime.fromisoformat(record["eventTime"]),
            region=record["awsRegion"],
            user=who[-1],
            role=who[1] if who[0] == "assumed-role" else "",
            access_key_id=identity["accessKeyId"],
            read_only=record["readOnly"],
            error_code=record.get("errorCode", ""),
            resources=tuple(("AWS::IAM::Role", name) for arn in arns for name in (arn, arn.rpartition("/")[2])),
            eventId=record["eventID"],
            eventSource=record["eventSource"],
            requestId=record["requestID"],
            sourceIpAddress=record["sourceIPAddress"],
            userAgent=record["userAgent"],
            **{name: record[name] for name in ("errorMessage", "responseElements") if record.get(name)},
        )


@asynccontextmanager
async def live_alibaba(*, endpoint: str = "", read_timeout: float = 30.0) -> AsyncIterator[LiveAlibaba]:
    """A fake and what asks it, until the block ends."""
    with FakeAlibaba() as fake:
        base = fake.world.add_key(BASE)
        api = AlibabaApi(endpoint or fake.url, read_timeout=read_timeout)
        environment = AlibabaSettings(access_key_id=base.id, access_key_secret=SecretStr(base.secret))
        try:
            yield LiveAlibaba(fake.world, base, fake.url, api, environment)
        finally:
            await api.aclose()
