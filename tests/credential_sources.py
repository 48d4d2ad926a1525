"""Accounts by role and by profile, and the files and variables they stand on, for the tests of credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.models import Account
from live_aws import DEV, PROD


def role(account_id: str = PROD, **auth: Any) -> Account:
    arn = f"arn:aws:iam::{account_id}:role/Audit"
    return Account.model_validate({"id": account_id, "auth": {"type": "role", "role_arn": arn, **auth}})


def profile(name: str = "dev", account_id: str = DEV) -> Account:
    return Account.model_validate({"id": account_id, "auth": {"type": "profile", "profile": name}})


async def look_up(broker: AwsBroker, account: Account, who: str = "") -> dict[str, Any]:
    return await broker.call(account, "cloudtrail", "us-east-1", "lookup_events", who=who)


def write_config(text: str) -> None:
    path = Path.home() / ".aws" / "config"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
