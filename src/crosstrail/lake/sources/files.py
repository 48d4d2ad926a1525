"""Files in folders: which there are, and which of them are worth a look.

Decides which files are looked at and in what order: all of them, whatever their names, save what a name alone rules out. It
reads none of them, never follows a link out of the folders it was given, and never walks a folder twice, so links in a
circle end. No heavy library is loaded here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from crosstrail.errors import LakeError
from crosstrail.lake.kinds import kind_of_file
from crosstrail.lake.left_out import count
from crosstrail.lake.sources.base import Fetched, Found, Known, LogObject

_RULED_OUT = re.compile(r"CloudTrail-Digest[/_]|/\._|/\.DS_Store$|/__MACOSX/")
_S3_NAME = re.compile(r"^(\d{6,20})_CloudTrail[A-Za-z-]*_([a-z0-9-]+)_(\d{8}T\d{4}Z)_")
_ZIP_PART_BYTES = 2 * 1024 * 1024
_MAX_PARTS = 16


class FileSource:
    """The files below some folders, and files: a LogSource whose objects are where they can be read already."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)

    def find(self, lake: Path, known: Known, scope: str) -> Found:
        """Raises LakeError for a path that does not exist."""
        return find(self._paths, lake)

    def fetch(self, objects: Sequence[LogObject], folder: Path) -> Fetched:
        return Fetched(tuple(objects))

    def listed(self) -> tuple[()]:
        """Every search looks everywhere."""
        return ()


def find(paths: Iterable[Path], lake: Path) -> Found:
    """Every file below the paths that may hold events, in the order in which these happened as far as names tell; nothing
    of the folder `lake`.

    Raises LakeError for a path that does not exist.
    """
    found, objects = Found(), list[LogObject]()
    paths = list(paths)
    tops = [os.path.realpath(path) for path in paths]
    found.roots = tuple(map(_text, tops))
    seen = {_identity(lake)} if lake.is_dir() else set()
    for path, top in zip(paths, tops, strict=True):
        if not os.path.exists(top):
            raise LakeError(f"there is no file or folder {path}", hint="Check the path.")
        if os.path.isdir(top):
            for file in _walk(top, tops, seen, found):
                _add(file, tops, found, objects)
        else:
            _add_file(top, os.stat(top), found, objects, named=True)
    unique = {one.key: one for one in sorted(objects, key=lambda one: one.named)}
    found.batches = [sorted(unique.values(), key=_when)]
    return found


def source_of(name: str, roots: Sequence[str]) -> str:
    """What an event says of the file it was read from: never where on the machine that lies.

    From AWSLogs on, as the object is called in its bucket, whatever folder was collected; else from the folder that was
    given on, with its own name; of a file that was given, its name.
    """
    if (key := name.find("/AWSLogs/")) >= 0:
        return name[key + 1 :]
    inside = [root for root in roots if name.startswith((f"{root.rstrip('/')}/", f"{root}!"))]
    above = max(inside, key=len, default=name).rstrip("/").rpartition("/")[0]
    return name[len(above) :].lstrip("/")


def _identity(folder: str | Path) -> tuple[int, int]:
    about = os.stat(folder)
    return about.st_dev, about.st_ino


def _walk(top: str, tops: list[str], seen: set[tuple[int, int]], found: Found) -> Iterator[str]:
    def failed(error: OSError) -> None:
        found.unreadable.append((_text(str(error.filename)), error.strerror or "cannot be listed"))

    for folder, below, names in os.walk(top, followlinks=True, onerror=failed):
        about = _identity(folder)
        if about in seen:
            below.clear()
            continue
        seen.add(about)
        below[:] = [name for name in sorted(below) if _inside(os.path.join(folder, name), tops, found)]
        for name in names:
            yield f"{folder}/{name}"


def _inside(path: str, tops: list[str], found: Found) -> bool:
    """Whether a folder lies in one of those that were given; a link out of them is counted."""
    if not os.path.islink(path):
        return True
    target = os.path.realpath(path)
    if any(target == top or target.startswith(top.rstrip("/") + "/") for top in tops):
        return True
    count(found.left_out, "link out of the folder", _text(path))
    return False


def _add(path: str, tops: list[str], found: Found, objects: list[LogObject]) -> None:
    if _RULED_OUT.search(path):
        count(found.left_out, kind_of_file(path), _text(path))
        return
    try:
        about = os.lstat(path)
        if stat.S_ISLNK(about.st_mode):
            if not os.path.exists(path):
                count(found.left_out, "link to nothing", _text(path))
                return
            if not _inside(path, tops, found):
                return
            path = os.path.realpath(path)
            about = os.stat(path)
    except OSError as error:
        found.unreadable.append((_text(path), error.strerror or "cannot be read"))
        return
    _add_file(path, about, found, objects, named=False)


def _add_file(path: str, about: os.stat_result, found: Found, objects: list[LogObject], *, named: bool) -> None:
    if not stat.S_ISREG(about.st_mode):
        if named:
            found.unreadable.append((_text(path), "is a pipe, socket or device, not a file"))
        else:
            count(found.left_out, "pipe, socket or device", _text(path))
        return
    stamp = f"{about.st_size}.{about.st_mtime_ns}.{about.st_ctime_ns}"
    parts = min(about.st_size // _ZIP_PART_BYTES + 1, _MAX_PARTS) if path.lower().endswith(".zip") else 1
    for number in range(parts):
        objects.append(LogObject(path, about.st_size, stamp, named, (number, parts)))


def _text(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _when(log: LogObject) -> tuple[str, str, str, tuple[int, int]]:
    """S3 keys sort by region before time; by time, the files that make up one partition come together."""
    if match := _S3_NAME.match(log.path.rpartition("/")[2]):
        return match[1], match[3], log.path, log.part
    return "", "", log.path, log.part
