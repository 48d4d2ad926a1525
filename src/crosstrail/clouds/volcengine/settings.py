"""The group `volcengine` of the settings."""

from __future__ import annotations

from pydantic import SecretStr

from crosstrail.settings_group import SettingsGroup, option


class VolcengineSettings(SettingsGroup):
    """Volcengine's API, and the environment's keys for it: those of an `ambient` account, and those that assume roles."""

    ambient: bool = option(
        False,
        "",
        "Where no account is listed, answer for the account of these keys; on when the environment holds both.",
    )
    access_key: str = option("", "VOLCENGINE_ACCESS_KEY", "Access key id of Volcengine.")
    secret_key: SecretStr = option("", "VOLCENGINE_SECRET_KEY", "Its secret.")
    session_token: SecretStr = option("", "VOLCENGINE_ACCESS_SESSION_TOKEN", "Its session token, of temporary keys.")
    endpoint: str = option(
        "", "VOLCENGINE_ENDPOINT", "Address of Volcengine's API, http or https. Empty: the public one."
    )
    region: str = option("cn-beijing", "VOLCENGINE_REGION", "Region asked where an account names none.", min_length=1)
