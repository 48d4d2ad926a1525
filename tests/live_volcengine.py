"""Live Volcengine accounts for tests: a fake on loopback, its accounts as crosstrail lists them, a broker that asks them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from pydantic import SecretStr

from crosstrail.clouds.shape import username_of
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.broker import VolcengineBroker
from crosstrail.clouds.volcengine.calls import VolcengineCalls
from crosstrail.clouds.volcengine.credentials import EnvironmentKeys
from crosstrail.clouds.volcengine.trail import VolcengineTrail
from crosstrail.models import Account
from fakes.volcengine import FakeVolcengine, Key, World
from listed_accounts import ListedAccounts

BASE = "2199999999"
CN_PROD, CN_DEV = "2100000001", "2100000002"


@dataclass
class LiveVolcengine(ListedAccounts[World, Key]):
    """`base` is the environment's key, which assumes the roles."""

    url: str
    broker: VolcengineBroker
    usual: ClassVar = {"cloud": "volcengine"}

    def role_account(self, account_id: str, alias: str = "", **more: Any) -> Account:
        """An account with a role that trusts the environment's key."""
        return self._list(account_id, alias, self.world.add_role(account_id, trusts=self.base).auth, more)

    def log_record(self, record: dict[str, Any]) -> None:
        """An event made of an AWS CloudTrail record, as Volcengine would have written it."""
        arns = [one["ARN"] for one in record.get("resources", ())]
        identity = record["userIdentity"]
        self.world.account(record["recipientAccountId"]).log(
            record["eventName"],
            datetime.fromisoformat(record["eventTime"]),
            region=record["awsRegion"],
            source=record["eventSource"],
            user=username_of(identity),
            access_key_id=identity["accessKeyId"],
            read_only=record["readOnly"],
            resources=tuple(("AWS::IAM::Role", name) for arn in arns for name in (arn, arn.rpartition("/")[2])),
            error_code=record.get("errorCode", "").removeprefix("Client."),
            detail={
                "EventID": record["eventID"],
                "SourceIPAddress": record["sourceIPAddress"],
                "UserAgent": record["userAgent"],
                "RequestID": record["requestID"],
                "ErrorMessage": record.get("errorMessage", ""),
                "ResponseElements": json.dumps(record["responseElements"]) if record["responseElements"] else "",
                "UserIdentity": {
                    "AccountID": record["recipientAccountId"],
                    "Type": identity["type"],
                    "TRN": identity["arn"].replace("arn:aws:", "trn:"),
                    "UserName": username_of(identity),
                    "AccessKeyID": identity["accessKeyId"],
                },
            },
        )

    def trail(self, *, deadline: float = 30.0) -> VolcengineTrail:
        return VolcengineTrail(VolcengineCalls(self.broker, deadline=deadline))


@contextmanager
def live_volcengine(*, read_timeout: float = 30.0) -> Iterator[LiveVolcengine]:
    """A fake and a broker of its own, until the block ends."""
    with FakeVolcengine() as fake:
        base = fake.world.add_key(BASE)
        api = VolcengineApi(fake.url, read_timeout=read_timeout)
        broker = VolcengineBroker(api=api, environment=EnvironmentKeys(base.id, SecretStr(base.secret)))
        try:
            yield LiveVolcengine(fake.world, base, fake.url, broker)
        finally:
            api.close()
