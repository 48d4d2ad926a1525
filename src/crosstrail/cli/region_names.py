"""The regions of every installed cloud for completion: loading the clouds takes longer than a key press may, so they are kept.

Kept in the user's cache folder for a week; without one, or where it cannot be written, the clouds are loaded each time.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from crosstrail import __version__, private
from crosstrail.json_values import table, text
from crosstrail.user_folders import caches

_LONGEST = 7 * 24 * 3600
_FOLDER = "crosstrail"


def region_names() -> dict[str, str]:
    """Each region with the cloud that has it; of several one."""
    home = caches()
    path = home / _FOLDER / f"regions-{__version__}.json" if home else None
    return (_kept(path) if path else {}) or _loaded(path)


def _kept(path: Path) -> dict[str, str]:
    """Empty where there are none, or old ones."""
    with suppress(OSError, ValueError):
        if 0 <= time.time() - path.stat().st_mtime < _LONGEST:
            return {name: text(cloud) for name, cloud in table(json.loads(path.read_bytes())).items()}
    return {}


def _loaded(path: Path | None) -> dict[str, str]:
    from crosstrail.account_forms import installed_clouds
    from crosstrail.clouds.base import Cloud

    clouds = [cloud for point in installed_clouds().values() if isinstance(cloud := point.load(), Cloud)]
    found = {name: one.name for one in clouds if one.known_regions for name in sorted(one.known_regions(""))}
    if path:
        with suppress(OSError):
            _keep(path, found)
    return found


def _keep(path: Path, found: dict[str, str]) -> None:
    private.make_root(path.parent)
    new = path.with_suffix(f".{os.getpid()}")
    try:
        private.create(new)
        new.write_text(json.dumps(found), "utf-8")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
