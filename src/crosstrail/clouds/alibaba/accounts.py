"""What an Alibaba Cloud account looks like where it is listed: its number, its roles and keys, its table."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from crosstrail.account_auth import AmbientAuth, Auth, KeysAuth
from crosstrail.account_forms import AccountForm

CLOUD = "alibaba"
_PRINCIPAL = re.compile(r"acs:(?:ram|sts)::([0-9]{6,20}):.+", re.ASCII)
ROLE_ARN = r"acs:ram::[0-9]{6,20}:role/[A-Za-z0-9_.@-]{1,64}"


class AlibabaRoleAuth(Auth):
    """A role of an Alibaba Cloud account, assumed with the environment's identity; in files `type: role` with a role_arn."""

    type: Literal["role"] = "role"
    named_by: ClassVar[str] = "role_arn"
    has_caller_sessions: ClassVar[bool] = True
    role_arn: str = Field(
        pattern=f"^{ROLE_ARN}$", description="The role, such as acs:ram::1100000000000001:role/Audit."
    )
    external_id: str = Field(
        "", pattern=r"^([A-Za-z0-9_+=,.@:/-]{2,1224})?$", description="What the trust policy wants."
    )
    duration: int = Field(3600, ge=900, le=43200, description="Seconds the credentials last.")
    session_policy: bool = Field(
        False, description="Narrow the session to the trail's reads, whatever the role allows."
    )
    source_identity: bool = Field(
        False, description="Send who asks as SourceIdentity too, which later sessions keep; the role must allow it."
    )

    @property
    def account_id(self) -> str:
        return owner_of(self.role_arn)


ACCOUNTS = AccountForm(
    "Alibaba Cloud",
    id_pattern=re.compile(r"[0-9]{6,20}", re.ASCII),
    id_form="must be 6 to 20 digits",
    auths={"keys": KeysAuth, "role": AlibabaRoleAuth, "ambient": AmbientAuth},
    table="alibaba_accounts",
    id_length=20,
    role_column="role_arn",
    external_ids=True,
)


def owner_of(arn: str) -> str:
    """The account in a resource name such as `acs:ram::ACCOUNT:role/NAME`; empty for what is none."""
    found = _PRINCIPAL.fullmatch(arn)
    return found[1] if found else ""
