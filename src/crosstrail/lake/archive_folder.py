"""A folder as an archive to verify: keys are paths below it, as they are in a bucket.

It follows no link out of the folder and opens nothing but regular files, whatever a key says. A folder keeps no metadata
of objects and tells no bucket.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from crosstrail.clouds.integrity import ListedObject, ObjectBody
from crosstrail.errors import LakeError, ObjectNotFound

_CHUNK = 64 * 1024


class FolderObjects:
    """See ArchiveObjects."""

    bucket = None
    prefix = ""
    has_metadata = False

    def __init__(self, folder: Path) -> None:
        self._top = os.path.realpath(folder)

    def address(self, key: str) -> str:
        return os.path.join(self._top, key).rstrip("/")

    def folders(self, prefix: str) -> Sequence[str]:
        return [f"{prefix}{name}" for name in self._names(prefix) if name.endswith("/")]

    def objects(self, prefix: str, after: str = "") -> Iterator[ListedObject]:
        folder, _, start = prefix.rpartition("/")
        folder += "/" if folder else ""
        for name in self._names(folder):
            key = f"{folder}{name}"
            if not name.startswith(start) or (after and key < after and not after.startswith(key)):
                continue
            if name.endswith("/"):
                yield from self.objects(key, after)
            elif key > after:
                yield ListedObject(key, 0)

    def read(self, key: str) -> ObjectBody:
        path = os.path.realpath(os.path.join(self._top, key))
        if not path.startswith(self._top.rstrip("/") + "/"):
            raise LakeError("lies outside of the folder")
        try:
            file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectNotFound("not found") from None
        except (OSError, ValueError) as error:
            raise LakeError(getattr(error, "strerror", None) or "is no name of a file") from error
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise LakeError("is no regular file")
        return ObjectBody({}, _chunks(file))

    def _names(self, folder: str) -> list[str]:
        """In the order of keys: a folder sorts by its name and a slash."""
        try:
            with os.scandir(os.path.join(self._top, folder)) as entries:
                return sorted(f"{one.name}/" if one.is_dir(follow_symlinks=False) else one.name for one in entries)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LakeError(error.strerror or "cannot be listed") from error


def _chunks(file: int) -> Iterator[bytes]:
    with os.fdopen(file, "rb", buffering=0) as opened:
        while chunk := _read(opened.fileno()):
            yield chunk


def _read(file: int) -> bytes:
    try:
        return os.read(file, _CHUNK)
    except OSError as error:
        raise LakeError(error.strerror or "cannot be read") from error
