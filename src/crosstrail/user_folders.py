"""Folders of the user who runs this: for settings, data and caches, where that user has a home at all.

Decides what happens where there is none, as in a container with a user id that no passwd entry and no HOME belongs to: nothing
is read there, and what needs a folder names the setting that gives it one. It makes no folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import platformdirs

from crosstrail.errors import ConfigError

_NAME = "crosstrail"


class _Named(Protocol):
    def __call__(self, appname: str, appauthor: Literal[False], /) -> str: ...


def home_folder() -> Path | None:
    """None where there is none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def config_folder() -> Path | None:
    """Where settings are looked for; None where there is no home."""
    return _folder(platformdirs.user_config_dir)


def data_folder(setting: str) -> Path:
    """What must not be lost. `setting`: names another place. Raises ConfigError without a home."""
    return _needed(_folder(platformdirs.user_data_dir), setting)


def cache_folder(setting: str) -> Path:
    """What can be made again. As data_folder."""
    return _needed(_folder(platformdirs.user_cache_dir), setting)


def state_folder() -> Path | None:
    """What a program remembers between runs, such as a history; None where there is no home."""
    return _folder(platformdirs.user_state_dir)


def caches() -> Path | None:
    """Where programs of this user have their caches; None where there is no home."""
    return _folder(platformdirs.user_cache_dir, "")


def expanded(path: str | Path) -> Path:
    """A path that somebody wrote, with a home for its `~`. Raises ConfigError without one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{path}: there is no such home folder", hint="Write the path without ~, or set HOME."
        ) from None


def _folder(named: _Named, program: str = _NAME) -> Path | None:
    try:
        found = Path(named(program, False))
    except RuntimeError:
        return None
    return found if found.is_absolute() else None  # as platformdirs before 4.4 has it without a home


def _needed(found: Path | None, setting: str) -> Path:
    if found is None:
        raise ConfigError(f"this user has no home folder, and {setting} is not set", hint=f"Set {setting} or HOME.")
    return found
