"""The Volcengine identities of this machine: keys of the environment, and of the files of Volcengine's own tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from crosstrail.clouds.found_identities import FoundIdentity, json_file, keys_identity
from crosstrail.json_values import table
from crosstrail.user_folders import home_folder

_CLOUD = "volcengine"


def found_identities(environ: Mapping[str, str], instance_role: bool) -> tuple[FoundIdentity, ...]:
    """The environment's first, then those of `ve` (~/.volcengine/config.json) and of the SDKs (~/.volc/config)."""
    found: list[FoundIdentity | None] = []
    if environ.get("VOLCENGINE_ACCESS_KEY") and environ.get("VOLCENGINE_SECRET_KEY"):
        origin = "Volcengine keys in the environment (VOLCENGINE_ACCESS_KEY)"
        found.append(FoundIdentity(_CLOUD, "volcengine-environment", origin, {"type": "ambient"}))
    if home := home_folder():
        found += _of_tool(home)
        names = ("ak", "sk", "session_token", "region")
        found.append(
            keys_identity(_CLOUD, "~/.volc/config", "volcengine-sdk", json_file(home / ".volc" / "config"), names)
        )
    return tuple(one for one in found if one)


def _of_tool(home: Path) -> list[FoundIdentity | None]:
    profiles = table(json_file(home / ".volcengine" / "config.json").get("profiles"))
    names = ("access-key", "secret-key", "session-token", "region")
    return [
        keys_identity(_CLOUD, "~/.volcengine/config.json", f"volcengine-{name}", table(values), names)
        for name, values in profiles.items()
    ]
