"""The account of the keys in the environment, as the only account of a single user who lists none.

STS says which account that is, once. Volcengine's SDK is imported once an identity is wanted.
"""

from __future__ import annotations

from crosstrail.account_auth import AmbientAuth
from crosstrail.accounts.listing import Listing
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.credentials import EnvironmentKeys
from crosstrail.clouds.volcengine.identity import GET_CALLER_IDENTITY, account_of_identity
from crosstrail.models import Account


class Ambient:
    """One account, the default, asked with the keys of VOLCENGINE_ACCESS_KEY and VOLCENGINE_SECRET_KEY."""

    name = "the Volcengine keys of the environment"
    lifetime = 300.0

    def __init__(self, keys: EnvironmentKeys, api: VolcengineApi) -> None:
        self._keys = keys
        self._api = api

    def read(self) -> Listing:
        """Raises CredentialsError, CloudError."""
        asked = RequestInfo(
            "of VOLCENGINE_ACCESS_KEY", self._api.region, str(GET_CALLER_IDENTITY), self._keys.remediation
        )
        answer, _ = self._api.call_blocking(GET_CALLER_IDENTITY, {}, self._keys.held(), asked)
        account = Account(id=account_of_identity(answer), cloud="volcengine", default=True, auth=AmbientAuth())
        return Listing(self.name, (account,))
