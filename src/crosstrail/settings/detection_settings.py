"""Settings of detections: which rules run, what is not shown, and who is told of what is new.

Decides defaults and bounds, and that a webhook's address is a secret: whoever knows it can write to its channel. It loads no rule.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from crosstrail.detections.levels import Level
from crosstrail.detections.suppressions import Suppression
from crosstrail.settings_group import Names, SettingsGroup, option


class WebhookSettings(SettingsGroup):
    """Whom new findings are sent to."""

    url: SecretStr = option(
        SecretStr(""),
        "CROSSTRAIL_DETECT_WEBHOOK",
        "Address that new findings are posted to: https, or http on this machine.",
    )
    form: Literal["slack", "json"] = option(
        "slack", "CROSSTRAIL_DETECT_WEBHOOK_FORM", "What is posted: slack (text and blocks) or json."
    )
    timeout: float = option(
        10.0, "CROSSTRAIL_DETECT_WEBHOOK_TIMEOUT", "Seconds one request to it may take.", gt=0, le=120
    )
    attempts: int = option(
        5,
        "CROSSTRAIL_DETECT_WEBHOOK_ATTEMPTS",
        "How often one message is tried before the next run tries it again.",
        ge=1,
        le=20,
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        if not (text := url.get_secret_value()):
            return url
        try:
            parts = urlsplit(text)
            loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
            good = bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and loopback))
        except ValueError:
            good = False
        if not good:
            raise ValueError("write an https:// address; http:// goes to this machine alone")
        return url


class DetectSettings(SettingsGroup):
    """Rules over what was collected."""

    rules: Names = option(
        (),
        "CROSSTRAIL_DETECT_RULES",
        "Files and folders of Sigma rules that run beside the packaged ones.",
        path="either",
    )
    packaged: bool = option(True, "CROSSTRAIL_DETECT_PACKAGED", "Whether the packaged rules run.")
    level: Level = option(
        "medium",
        "CROSSTRAIL_DETECT_LEVEL",
        "The lowest level that is looked for: informational, low, medium, high or critical.",
    )
    geo: Names = option(
        (),
        "CROSSTRAIL_DETECT_GEO",
        "MaxMind databases (.mmdb) of where addresses are, for `detect --new`: your own files.",
        path="file",
    )
    suppressions: tuple[Suppression, ...] = Field((), description="Findings that are not shown, each with its reason.")
    webhook: WebhookSettings = WebhookSettings()
