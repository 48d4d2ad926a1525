"""Files and folders that other users of the machine cannot read: made so, never changed to it afterwards.

Decides the mode of everything that is written: 0600 for files, 0700 for folders. A group may read, or write, what lies in
a folder of the lake when the operator gave that group the folder (2750, 2770) and took it from all others; what is made
in it has the same rights for the group. The process's umask is neither asked nor changed: it is everybody's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_GROUP, _OTHERS = 0o070, 0o007


def make_root(folder: Path) -> None:
    """A folder of its own, with those missing above it; one that is there stays as its owner made it. Raises OSError."""
    for path in _missing(folder):
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    folder.mkdir(exist_ok=True)  # raises where a file is in the way


def make_folder(folder: Path) -> None:
    """The same inside a folder of ours, whose group's rights it takes over. Raises OSError."""
    for path in _missing(folder):
        _make(path)
    folder.mkdir(exist_ok=True)


def create(path: Path) -> None:
    """An empty file for a library to write into; one that is there stays. Raises OSError."""
    with suppress(FileExistsError):
        os.close(_new(path))


def opener(path: str, flags: int) -> int:
    """For `open(..., opener=opener)`: a file outside of a folder of ours, which is its owner's alone."""
    return os.open(path, flags, 0o600)


def is_open_to_others(path: Path) -> bool:
    """Whether others than its owner, and a group that was given its folder, may use what is there."""
    with suppress(OSError):
        return bool(stat.S_IMODE(path.lstat().st_mode) & ~_kept(path.parent) & (_GROUP | _OTHERS))
    return False


def close_to_others(file: int) -> None:
    """Of an open regular file that its owner's umask made readable to everybody. What an owner chose otherwise stays."""
    about = os.fstat(file)
    if stat.S_ISREG(about.st_mode) and stat.S_IMODE(about.st_mode) in (0o644, 0o664, 0o666) and hasattr(os, "fchmod"):
        with suppress(OSError):  # another owner's
            os.fchmod(file, 0o600)


def tighten(paths: Iterable[Path]) -> int:
    """Takes these files and folders, with all that is in them, from others. How many were open. Links are not followed."""
    count = 0
    for top in paths:
        kept = _kept(top.parent)
        for path in _all(top):
            with suppress(OSError):  # another owner's, or gone
                mode = stat.S_IMODE(path.lstat().st_mode)
                if not path.is_symlink() and mode & ~kept & (_GROUP | _OTHERS):
                    path.chmod(mode & (0o7700 | kept))
                    count += 1
    return count


def _all(top: Path) -> Iterator[Path]:
    """The folder first: what is in it is out of reach from then on."""
    yield top
    if top.is_dir() and not top.is_symlink():
        for folder, folders, files in os.walk(top):
            yield from (Path(folder, name) for name in (*folders, *files))


def _missing(folder: Path) -> list[Path]:
    """From the topmost one down."""
    return [path for path in (*reversed(folder.parents), folder) if not path.exists()]


def _make(path: Path) -> None:
    with suppress(FileExistsError):
        kept = _kept(path.parent)
        path.mkdir(mode=0o700)
        if kept:
            path.chmod(stat.S_IMODE(path.stat().st_mode) | kept)  # after a umask, and with what the parent hands down


def _new(path: Path) -> int:
    kept = _kept(path.parent) & 0o060
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    if kept and hasattr(os, "fchmod"):
        os.fchmod(file, 0o600 | kept)
    return file


def _kept(folder: Path) -> int:
    """The group's rights in that folder, where it is closed to all others."""
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError:
        return 0
    return 0 if mode & _OTHERS else mode & _GROUP
