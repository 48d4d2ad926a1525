"""The Alibaba Cloud identities of this machine: those of the environment, and keys in the files of Alibaba Cloud's own tools."""

from __future__ import annotations

from collections.abc import Mapping

from crosstrail.clouds.alibaba.accounts import CLOUD
from crosstrail.clouds.found_identities import FoundIdentity, ini_file, json_file, keys_identity
from crosstrail.json_values import items, table, text
from crosstrail.user_folders import home_folder


def found_identities(environ: Mapping[str, str], instance_role: bool) -> tuple[FoundIdentity, ...]:
    """The environment's first, then those of `aliyun` (~/.aliyun/config.json) and of the SDKs (~/.alibabacloud/credentials)."""
    found: list[FoundIdentity | None] = []
    ambient = {"type": "ambient"}
    if environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID") and environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        origin = "Alibaba Cloud keys in the environment (ALIBABA_CLOUD_ACCESS_KEY_ID)"
        found.append(FoundIdentity(CLOUD, "alibaba-environment", origin, ambient))
    elif environ.get("ALIBABA_CLOUD_OIDC_TOKEN_FILE") and environ.get("ALIBABA_CLOUD_ROLE_ARN"):
        origin = "Alibaba Cloud role of the environment (ALIBABA_CLOUD_ROLE_ARN)"
        found.append(FoundIdentity(CLOUD, "alibaba-environment", origin, ambient))
    if home := home_folder():
        names = ("access_key_id", "access_key_secret", "sts_token", "region_id")
        for values in map(table, items(json_file(home / ".aliyun" / "config.json").get("profiles"))):
            name = f"alibaba-{text(values.get('name')) or 'default'}"
            found.append(keys_identity(CLOUD, "~/.aliyun/config.json", name, values, names))
        names = ("access_key_id", "access_key_secret", "security_token", "region_id")
        for section, settings in ini_file(home / ".alibabacloud" / "credentials"):
            found.append(keys_identity(CLOUD, "~/.alibabacloud/credentials", f"alibaba-{section}", settings, names))
    return tuple(one for one in found if one)
