"""The account of the identity that the machine has, as the only account of a single user who lists none; one of each cloud.

STS says which account that is, once. botocore and Volcengine's SDK are imported once an identity is wanted.
"""

from __future__ import annotations

from crosstrail.accounts.asked import Asked
from crosstrail.accounts.caller_identity import GET_CALLER_IDENTITY, aws_account, volcengine_account
from crosstrail.accounts.listing import Listing
from crosstrail.accounts.volcengine_api import VolcengineApi
from crosstrail.accounts.volcengine_credentials import EnvironmentKeys
from crosstrail.models import Account, AmbientAuth


class Ambient:
    """One account, asked with the ambient identity, and the default."""

    name = "the machine's own AWS identity"
    lifetime = 300.0  # somebody may switch profiles; as often as the broker reads credentials again

    def __init__(self, region: str = "") -> None:
        self._region = region

    def read(self) -> Listing:
        """Raises CredentialsError, CloudError."""
        from crosstrail.accounts.base_identity import BaseIdentity

        base = BaseIdentity(self._region)
        with base.client("sts", "sts:GetCallerIdentity") as client:
            account_id = aws_account(client.get_caller_identity(), base.region)
        return Listing(self.name, (Account(id=account_id, default=True, auth=AmbientAuth()),))


class VolcengineAmbient:
    """The same, with the keys of VOLCENGINE_ACCESS_KEY and VOLCENGINE_SECRET_KEY."""

    name = "the Volcengine keys of the environment"
    lifetime = 300.0

    def __init__(self, keys: EnvironmentKeys, api: VolcengineApi) -> None:
        self._keys = keys
        self._api = api

    def read(self) -> Listing:
        """Raises CredentialsError, CloudError."""
        asked = Asked("of VOLCENGINE_ACCESS_KEY", self._api.region, str(GET_CALLER_IDENTITY), self._keys.renewal)
        answer, _ = self._api.call_blocking(GET_CALLER_IDENTITY, {}, self._keys.held(), asked)
        account = Account(id=volcengine_account(answer), cloud="volcengine", default=True, auth=AmbientAuth())
        return Listing(self.name, (account,))
