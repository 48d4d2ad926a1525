"""Where this user's files are, on Linux, macOS and in WSL, whose desktop programs are those of Windows.

Decides which home a client has: in WSL a desktop program reads its files in Windows' home, and starts our program through
wsl.exe. Nothing is run to find out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crosstrail.errors import ConfigError
from crosstrail.user_folders import home_folder

_WINDOWS_HOME = re.compile(r"(/mnt/[a-z]/Users/[^/:]+)/AppData/")
"""WSL puts folders of Windows' own PATH behind that of Linux."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`windows_home` and `distribution` are those of WSL; None and empty elsewhere."""

    home: Path
    system: Literal["linux", "macos"] = "linux"
    config: Path = Path()
    """Where programs of Linux keep their settings."""
    windows_home: Path | None = None
    distribution: str = ""
    claude_config: str = ""
    """CLAUDE_CONFIG_DIR and CODEX_HOME, where they are set."""
    codex_home: str = ""

    @property
    def desktop_settings(self) -> Path:
        """Where desktop programs have a folder each."""
        if self.windows_home:
            return self.windows_home / "AppData" / "Roaming"
        return self.home / "Library" / "Application Support" if self.system == "macos" else self.config

    @property
    def desktop_home(self) -> Path:
        return self.windows_home or self.home


def this_machine(environ: Mapping[str, str], platform: str = sys.platform) -> Machine:
    """Raises ConfigError where this user has no home."""
    home = home_folder()
    if home is None:
        raise ConfigError("this user has no home folder", hint="Set HOME, or use --project or --print.")
    distribution = environ.get("WSL_DISTRO_NAME", "")
    found = _WINDOWS_HOME.search(environ.get("PATH", "")) if distribution else None
    return Machine(
        home,
        "macos" if platform == "darwin" else "linux",
        Path(environ.get("XDG_CONFIG_HOME") or home / ".config"),
        Path(found[1]) if found else None,
        distribution,
        environ.get("CLAUDE_CONFIG_DIR", ""),
        environ.get("CODEX_HOME", ""),
    )
