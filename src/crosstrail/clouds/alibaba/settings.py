"""The group `alibaba` of the settings."""

from __future__ import annotations

from pydantic import SecretStr

from crosstrail.clouds.alibaba.accounts import ROLE_ARN
from crosstrail.clouds.alibaba.regions import HOME_REGION
from crosstrail.settings_group import SettingsGroup, option


class AlibabaSettings(SettingsGroup):
    """Alibaba Cloud's API, and the environment's identity for it: keys, or a role that a token assumes (as in ACK's pods)."""

    ambient: bool = option(
        False,
        "",
        "Where no account is listed, answer for the account of this identity; on when the environment holds one.",
    )
    access_key_id: str = option("", "ALIBABA_CLOUD_ACCESS_KEY_ID", "Access key id of Alibaba Cloud.")
    access_key_secret: SecretStr = option("", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "Its secret.")
    security_token: SecretStr = option("", "ALIBABA_CLOUD_SECURITY_TOKEN", "Its security token, of temporary keys.")
    role_arn: str = option(
        "",
        "ALIBABA_CLOUD_ROLE_ARN",
        "Role that the token of an identity provider assumes, where there are no keys.",
        pattern=f"^({ROLE_ARN})?$",
    )
    oidc_provider_arn: str = option("", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "That identity provider.")
    oidc_token_file: str = option(
        "", "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "File of its token, which others renew.", path="file"
    )
    endpoint: str = option(
        "",
        "ALIBABA_CLOUD_ENDPOINT",
        "Address of the API, http or https; may hold {product} and {region}. Empty: the public one of each region.",
    )
    region: str = option(
        HOME_REGION, "ALIBABA_CLOUD_REGION_ID", "Region asked where an account names none.", min_length=1
    )

    @property
    def has_keys(self) -> bool:
        return bool(self.access_key_id or self.access_key_secret.get_secret_value())

    @property
    def has_oidc(self) -> bool:
        return bool(self.role_arn and self.oidc_provider_arn and self.oidc_token_file)
