"""The account of the environment's identity, as the only account of a single user who lists none. STS says which that is."""

from __future__ import annotations

import anyio.from_thread

from crosstrail.account_auth import AmbientAuth
from crosstrail.accounts.listing import Listing
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.alibaba.accounts import CLOUD
from crosstrail.clouds.alibaba.broker import AlibabaBroker
from crosstrail.clouds.alibaba.credentials import GET_CALLER_IDENTITY, account_of_credentials
from crosstrail.models import Account


class Ambient:
    """One account, the default, asked with the identity of the environment."""

    name = "the Alibaba Cloud identity of the environment"
    lifetime = 300.0

    def __init__(self, broker: AlibabaBroker) -> None:
        self._broker = broker

    def read(self) -> Listing:
        """Called in a worker thread of the event loop that asks. Raises CredentialsError, CloudError."""
        account = Account(id=anyio.from_thread.run(self._account), cloud=CLOUD, default=True, auth=AmbientAuth())
        return Listing(self.name, (account,))

    async def _account(self) -> str:
        provider, api = self._broker.environment, self._broker.api
        asked = RequestInfo("of the environment's identity", api.region, str(GET_CALLER_IDENTITY), provider.remediation)
        return await account_of_credentials(api, await provider.credentials(), asked)
