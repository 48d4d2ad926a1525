"""The account of the AWS identity that the machine has, as the only account of a single user who lists none.

STS says which account that is, once. botocore is imported once an identity is wanted.
"""

from __future__ import annotations

from crosstrail.account_auth import AmbientAuth
from crosstrail.accounts.listing import Listing
from crosstrail.clouds.aws.identity import GET_CALLER_IDENTITY, account_of_identity
from crosstrail.models import Account


class Ambient:
    """One account, asked with the ambient identity, and the default."""

    name = "the machine's own AWS identity"
    lifetime = 300.0  # somebody may switch profiles; as often as the broker reads credentials again

    def __init__(self, region: str = "") -> None:
        self._region = region

    def read(self) -> Listing:
        """Raises CredentialsError, CloudError."""
        from crosstrail.clouds.aws.base_identity import BaseIdentity

        base = BaseIdentity(self._region)
        with base.client("sts", GET_CALLER_IDENTITY) as client:
            account_id = account_of_identity(client.get_caller_identity(), base.region)
        return Listing(self.name, (Account(id=account_id, default=True, auth=AmbientAuth()),))
