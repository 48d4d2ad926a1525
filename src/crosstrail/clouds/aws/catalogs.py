"""How requests to Iceberg catalogs of AWS (Glue, S3 Tables) are signed: by a session whose credentials are asked for again.

Decides nothing about catalogs. The session has exactly the credentials that it is given, whatever the machine's own are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from botocore.credentials import RefreshableCredentials

from crosstrail.accounts.credentials import Credentials
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.aws.regions import COMMERCIAL, home_region
from crosstrail.clouds.aws.session import BoundedSession
from crosstrail.models import Account

_KNOWN_FOR = timedelta(minutes=30)
"""How long credentials without an end are used before they are asked for again; botocore asks 15 minutes earlier."""


class AwsCatalogs:
    """A CatalogAccess."""

    def __init__(self, broker: AwsBroker) -> None:
        self._broker = broker

    async def properties(
        self, account: Account | None, region: str, keys: Callable[[], Credentials]
    ) -> Mapping[str, object]:
        region = region or await (self._broker.home_region(account) if account else self._broker.own_region())
        region = region or home_region(COMMERCIAL)
        endpoint = await self._broker.endpoint(account.auth if account else None, "glue", region)
        return {
            "botocore_session": _Session(keys, region),
            "client.region": region,
            "rest.signing-region": region,
            "glue.endpoint": endpoint.url.rstrip("/"),
        }


class _Session(BoundedSession):
    def __init__(self, keys: Callable[[], Credentials], region: str) -> None:
        super().__init__()
        self.set_config_variable("region", region)

        def asked() -> dict[str, str]:
            given = keys()
            key, secret, token = given.parts()
            expires = given.expires or datetime.now(UTC) + _KNOWN_FOR
            return {"access_key": key, "secret_key": secret, "token": token, "expiry_time": expires.isoformat()}

        self._given = asked
        self._refreshed: RefreshableCredentials | None = None

    def get_credentials(self) -> RefreshableCredentials:
        """In the thread that asks first: the properties are made on the event loop that gives the keys."""
        if self._refreshed is None:
            self._refreshed = RefreshableCredentials.create_from_metadata(self._given(), self._given, "crosstrail")
        return self._refreshed
