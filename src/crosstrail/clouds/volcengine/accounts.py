"""What a Volcengine account looks like where it is listed: its number, its roles and keys, its table."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from crosstrail.account_auth import AmbientAuth, Auth, KeysAuth
from crosstrail.account_forms import AccountForm

CLOUD = "volcengine"


class VolcengineRoleAuth(Auth):
    """A role of a Volcengine account, assumed with the keys of the environment; in files `type: role` with a role_trn."""

    type: Literal["role"] = "role"
    named_by: ClassVar[str] = "role_trn"
    has_caller_sessions: ClassVar[bool] = True
    role_trn: str = Field(
        pattern=r"^trn:iam::[0-9]{6,20}:role/[A-Za-z0-9_+=,.@/-]+$",
        description="The role, such as trn:iam::2100000001:role/Audit.",
    )
    duration: int = Field(3600, ge=900, le=43200, description="Seconds the credentials last.")

    @property
    def account_id(self) -> str:
        return self.role_trn.split(":")[3]


ACCOUNTS = AccountForm(
    "Volcengine",
    id_pattern=re.compile(r"[0-9]{6,20}", re.ASCII),
    id_form="must be 6 to 20 digits",
    auths={"keys": KeysAuth, "role": VolcengineRoleAuth, "ambient": AmbientAuth},
    table="volcengine_accounts",
    id_length=20,
    role_column="role_trn",
)
