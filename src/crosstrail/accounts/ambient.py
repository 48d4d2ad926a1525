"""The account of the identity that the machine has, as the only account of a single user who lists none.

STS says which account that is, once. Imports botocore through base_identity.py, so nothing imports this module before
the ambient identity is wanted.
"""

from __future__ import annotations

from crosstrail.accounts.base_identity import BaseIdentity
from crosstrail.accounts.listing import Listing
from crosstrail.models import Account, AmbientAuth


class Ambient:
    """One account, asked with the ambient identity, and the default."""

    name = "the machine's own AWS identity"
    lifetime = 300.0  # somebody may switch profiles; as often as the broker reads credentials again

    def __init__(self, region: str = "") -> None:
        self._region = region

    def read(self) -> Listing:
        """Raises CredentialsError, CloudError."""
        base = BaseIdentity(self._region)
        with base.client("sts", "sts:GetCallerIdentity") as client:
            account_id = client.get_caller_identity()["Account"]
        return Listing(self.name, (Account(id=account_id, default=True, auth=AmbientAuth()),))
