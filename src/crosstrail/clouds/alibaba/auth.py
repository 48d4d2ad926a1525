"""How an account of Alibaba Cloud lists what its credentials are had from, and what the environment has for them. Models alone."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

ROLE_ARN = r"acs:ram::[0-9]{6,20}:role/[A-Za-z0-9_.@-]{1,64}"


class AlibabaRoleAuth(BaseModel):
    """A role of an Alibaba Cloud account, assumed with the environment's identity; in files `type: role` with a role_arn."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["role"] = "role"
    role_arn: str = Field(pattern=f"^{ROLE_ARN}$")
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
    def owner(self) -> str:
        """The account whose role it is."""
        return owner_of(self.role_arn)


class AlibabaEnvironment(BaseModel):
    """The identity of the environment: keys, or a role that a token of an identity provider assumes (as in ACK's pods).

    Each field says which variable it comes from; whoever reads settings fills it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    access_key_id: str = Field("", description="ALIBABA_CLOUD_ACCESS_KEY_ID")
    access_key_secret: SecretStr = Field(SecretStr(""), description="ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    security_token: SecretStr = Field(SecretStr(""), description="ALIBABA_CLOUD_SECURITY_TOKEN, of temporary keys")
    role_arn: str = Field("", pattern=f"^({ROLE_ARN})?$", description="ALIBABA_CLOUD_ROLE_ARN")
    oidc_provider_arn: str = Field("", description="ALIBABA_CLOUD_OIDC_PROVIDER_ARN")
    oidc_token_file: str = Field("", description="ALIBABA_CLOUD_OIDC_TOKEN_FILE")

    @property
    def has_keys(self) -> bool:
        return bool(self.access_key_id or self.access_key_secret.get_secret_value())

    @property
    def has_oidc(self) -> bool:
        return bool(self.role_arn and self.oidc_provider_arn and self.oidc_token_file)


def owner_of(arn: str) -> str:
    """The account in a resource name such as `acs:ram::ACCOUNT:role/NAME`; empty for what is none."""
    parts = arn.split(":", 4)
    return parts[3] if len(parts) == 5 and parts[0] == "acs" and parts[1] in ("ram", "sts") else ""
