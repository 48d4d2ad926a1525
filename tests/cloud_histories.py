"""Accounts of Volcengine and Alibaba Cloud with histories of their own, as crosstrail.yaml lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from fakes.alibaba import FakeAlibaba
from fakes.volcengine import FakeVolcengine
from listed_accounts import moment
from live_alibaba import HZ_DEV, HZ_PROD
from live_volcengine import CN_DEV, CN_PROD

Log = Callable[[int, int], str]
"""(minutes ago, number of the event) -> its id."""


@contextmanager
def volcengine() -> Iterator[tuple[dict[str, Any], str, Log, list[Any]]]:
    with FakeVolcengine() as fake:
        account = fake.world.account(CN_PROD)
        listed = {"id": CN_PROD, "alias": "prod", "cloud": "volcengine", "auth": fake.world.add_key(CN_PROD).auth}

        def log(minutes: int, number: int) -> str:
            caller = {"UserIdentity": {"AccountID": CN_DEV if number % 10 == 3 else CN_PROD, "Type": "IAMUser"}}
            return account.log("ListUsers", moment(timedelta(minutes=minutes)), detail=caller)

        yield {"accounts": [listed], "volcengine": {"endpoint": fake.url}}, CN_PROD, log, fake.world.requests


@contextmanager
def alibaba() -> Iterator[tuple[dict[str, Any], str, Log, list[Any]]]:
    with FakeAlibaba() as fake:
        account = fake.world.account(HZ_PROD)
        auth = fake.world.add_key(HZ_PROD).auth
        listed = {"id": HZ_PROD, "alias": "prod", "cloud": "alibaba", "regions": ["cn-hangzhou"], "auth": auth}

        def log(minutes: int, number: int) -> str:
            identity: dict[str, Any] = (
                {"userIdentity": {"accountId": HZ_DEV, "type": "ram-user"}} if number % 10 == 3 else {}
            )
            return account.log("ListUsers", moment(timedelta(minutes=minutes)), **identity)

        yield {"accounts": [listed], "alibaba": {"endpoint": fake.url}}, HZ_PROD, log, fake.world.requests
