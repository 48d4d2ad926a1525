"""What an AWS account looks like where it is listed: its number, its roles, profiles and keys, its table."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from crosstrail.account_auth import AmbientAuth, Auth, KeysAuth
from crosstrail.account_forms import AccountForm


class RoleAuth(Auth):
    """A role of the account, assumed with the base identity: the ambient one, or that of `base_profile`."""

    type: Literal["role"] = "role"
    named_by: ClassVar[str] = "role_arn"
    has_caller_sessions: ClassVar[bool] = True
    role_arn: str = Field(
        pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
        description="The role, such as arn:aws:iam::111111111111:role/Audit.",
    )
    external_id: str = Field(
        "", pattern=r"^([A-Za-z0-9_+=,.@:/-]{2,1224})?$", description="What the trust policy wants."
    )
    duration: int = Field(3600, ge=900, le=43200, description="Seconds the credentials last.")
    session_policy: bool = Field(False, description="Narrow the session to CloudTrail reads, whatever the role allows.")
    base_profile: str = Field("", description="The AWS profile that assumes the role. Empty: the ambient identity.")

    @property
    def account_id(self) -> str:
        return self.role_arn.split(":")[4]

    @property
    def partition(self) -> str:
        return self.role_arn.split(":")[1]


class ProfileAuth(Auth):
    """A profile of the AWS config files: SSO, credential_process, a chain of roles or plain keys."""

    type: Literal["profile"] = "profile"
    named_by: ClassVar[str] = "profile"
    profile: str = Field(min_length=1, description="Its name in ~/.aws/config.")


ACCOUNTS = AccountForm(
    "AWS",
    id_pattern=re.compile(
        r"[0-9]{6,20}", re.ASCII
    ),  # wider than AWS's 12: an archive of any cloud may be listed as one
    id_form="must be 6 to 20 digits",
    auths={"keys": KeysAuth, "role": RoleAuth, "profile": ProfileAuth, "ambient": AmbientAuth},
    table="aws_accounts",
    id_length=12,
    fixed_length=True,
    role_column="role_arn",
    external_ids=True,
)
