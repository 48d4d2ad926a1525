"""The accounts of an AWS organization, each reached by the same role.

Decides which of them are listed and how each is authenticated; it never assumes a role itself. Imports botocore through
base_identity.py, so nothing imports this module before an organization is configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from crosstrail.accounts.listing import Listing, as_alias, sift
from crosstrail.clouds.aws.base_identity import BaseIdentity
from crosstrail.errors import ConfigError
from crosstrail.models import Account

_IN_USE = ("ACTIVE", "PENDING_CLOSURE")
"""States in which AWS still answers for an account."""


class OrganizationAccounts:
    """ListAccounts of the organization that the base identity can list.

    The base identity's own account (the management account, or a delegated administrator) is asked with the base identity
    itself, because stack sets put no role there; every other one with `role_name`, which may hold a path.
    """

    name = "AWS Organizations"
    lifetime = 600.0  # membership changes seldom, and ListAccounts gives 20 accounts a page at a low rate

    def __init__(self, role_name: str, external_id: str = "", region: str = "", profile: str = "") -> None:
        self._role = role_name.strip("/")
        self._external_id = external_id
        self._region = region
        self._profile = profile

    def read(self) -> Listing:
        """All pages. Raises CloudError, CredentialsError; ConfigError for a role name that no role can have."""
        base = BaseIdentity(self._region, self._profile)
        with base.client("organizations", "organizations:ListAccounts") as client:
            members = [one for page in client.get_paginator("list_accounts").paginate() for one in page["Accounts"]]
        with base.client("sts", "sts:GetCallerIdentity") as client:
            own = client.get_caller_identity()["Account"]
        # State follows Status, which AWS retired on 2026-09-09
        in_use = [one for one in members if (one.get("State") or one.get("Status")) in _IN_USE]
        return sift(self.name, [(f"member {one['Id']}", self._account(one, own)) for one in in_use])

    def _account(self, member: Mapping[str, Any], own: str) -> Account:
        account_id = member["Id"]
        auth = {"type": "profile", "profile": self._profile} if self._profile else {"type": "ambient"}
        if account_id != own:
            partition = member["Arn"].split(":")[1]
            role_arn = f"arn:{partition}:iam::{account_id}:role/{self._role}"
            auth = {"type": "role", "role_arn": role_arn, "external_id": self._external_id}
            auth["base_profile"] = self._profile
        try:
            return Account.model_validate({"id": account_id, "alias": as_alias(member.get("Name", "")), "auth": auth})
        except ValidationError:
            raise ConfigError(
                "organization.role_name or organization.external_id is not one that IAM can have",
                hint="Write the role's name alone, such as Audit or path/Audit.",
            ) from None
