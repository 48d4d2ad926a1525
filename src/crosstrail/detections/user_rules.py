"""Rules that a user added: copies in the user's own folder, which every detection of that user reads.

Decides what of a folder is copied: rules as they are, and the licence beside them, so that findings can credit both. A link is not
followed. What was added under the same name before is replaced as a whole.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from crosstrail import private
from crosstrail.detections.rule_files import MAX_BYTES, rule_files
from crosstrail.errors import ConfigError
from crosstrail.user_folders import config_folder

_FOLDER = "rules"
_LICENSES = "LICEN[CS]E*"


@dataclass(frozen=True, slots=True)
class AddedRules:
    """`folder`: where the copies are."""

    folder: Path
    files: int
    replaced: bool


def user_rules() -> tuple[Path, ...]:
    """The folder of what was added, where there is one."""
    home = config_folder()
    folder = home / _FOLDER if home else None
    return (folder,) if folder and folder.is_dir() else ()


def add_rules(path: Path) -> AddedRules:
    """Copy a file or a folder of rules under its own name. Raises ConfigError without a home, OSError."""
    home = config_folder()
    if home is None:
        raise ConfigError("this user has no home folder to add rules to", hint="Name them in detect.rules instead.")
    root = home / _FOLDER
    private.make_root(root)
    name = path.resolve().name if path.is_dir() else path.stem
    partial = Path(tempfile.mkdtemp(prefix=".", suffix=".partial", dir=root))
    try:
        files = 0
        for file in rule_files(path):
            _copy(file.path, partial / file.path.relative_to(file.folder))
            files += 1
        for one in sorted((path if path.is_dir() else path.parent).glob(_LICENSES)):
            if one.is_file() and not one.is_symlink():
                _copy(one, partial / one.name)
        target = root / name
        replaced = target.exists()
        if replaced:
            shutil.rmtree(target)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return AddedRules(target, files, replaced)


def _copy(source: Path, target: Path) -> None:
    private.make_folder(target.parent)
    with source.open("rb") as given, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
        made.write(given.read(MAX_BYTES))
