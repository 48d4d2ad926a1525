"""Log files in folders and zips: which there are, and their uncompressed bytes, within limits.

Decides which files are looked at, in what order, and how much of one is read. It never writes to disk, never follows a
path that a zip names, and never walks a folder twice, so links in a circle end.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crosstrail.errors import CorruptLogFile, LakeError

MOST_BYTES = 256 * 1024 * 1024
"""The most that one file may hold uncompressed; CloudTrail's own files end at 50 MB."""

_LOG_NAME = re.compile(r"\.(json|jsonl|ndjson|cloudtrail|log|gz|zip)$", re.IGNORECASE)
_DIGEST = re.compile(r"(^|[/_])CloudTrail-Digest[/_]")
_S3_NAME = re.compile(r"^(\d{6,20})_CloudTrail[A-Za-z-]*_([a-z0-9-]+)_(\d{8}T\d{4}Z)_")
_PIECE = 512


@dataclass(frozen=True, slots=True)
class LogObject:
    """One file, or one entry of a zip. `stamp` changes when its content may have changed."""

    path: str
    entry: str
    bytes: int
    stamp: str
    named: bool
    """The user named this very file, so it must hold events."""

    @property
    def name(self) -> str:
        return f"{self.path}!{self.entry}" if self.entry else self.path


@dataclass(slots=True)
class Found:
    """What a search came upon. `unreadable` are (path, reason)."""

    objects: list[LogObject]
    ignored: int
    unreadable: list[tuple[str, str]]


def find(paths: Iterable[Path]) -> Found:
    """Every log file below the paths, in the order in which their events happened as far as names tell.

    Raises LakeError for a path that does not exist.
    """
    found = Found([], 0, [])
    seen: set[tuple[int, int]] = set()
    for path in paths:
        if not path.exists():
            raise LakeError(f"there is no file or folder {path}", hint="Check the path.")
        if path.is_dir():
            for file in _walk(path, seen, found):
                _add(file, found, named=False)
        else:
            _add(path.resolve(), found, named=True)
    unique = {found_object.name: found_object for found_object in found.objects}
    found.objects = sorted(unique.values(), key=_when)
    return found


def read(log: LogObject) -> tuple[bytes, str]:
    """(uncompressed bytes, what is wrong with the compression: empty when nothing is).

    Raises CorruptLogFile for what holds too much or cannot be opened at all, OSError from the file system.
    """
    try:
        if not log.entry:
            if log.bytes > MOST_BYTES:
                raise _too_much(log)
            return _uncompressed(Path(log.path).read_bytes(), log)
        with zipfile.ZipFile(log.path) as archive, archive.open(log.entry) as stream:
            data = stream.read(MOST_BYTES + 1)
            return _uncompressed(data, log)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, KeyError) as error:
        raise CorruptLogFile(log.name, "byte 0", "the zip entry is damaged, encrypted or packed oddly") from error


def _walk(top: Path, seen: set[tuple[int, int]], found: Found) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        found.unreadable.append((str(error.filename), error.strerror or "cannot be listed"))

    for folder, below, names in os.walk(top.resolve(), followlinks=True, onerror=failed):
        about = os.stat(folder)
        if (about.st_dev, about.st_ino) in seen:
            below.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        below.sort()
        for name in names:
            if _LOG_NAME.search(name) and not _DIGEST.search(f"{folder}/{name}"):
                yield Path(folder, name)
            else:
                found.ignored += 1


def _add(path: Path, found: Found, *, named: bool) -> None:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            found.ignored += 1
            return
        if path.suffix.lower() == ".zip":
            found.objects.extend(_entries(path, found))
            return
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        found.unreadable.append((str(path), getattr(error, "strerror", None) or "not a readable zip"))
        return
    stamp = f"{about.st_size}.{about.st_mtime_ns}.{about.st_ctime_ns}"
    found.objects.append(LogObject(str(path), "", about.st_size, stamp, named))


def _entries(path: Path, found: Found) -> Iterator[LogObject]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            if not _LOG_NAME.search(entry.filename) or _DIGEST.search(entry.filename):
                found.ignored += 1
                continue
            stamp = f"{entry.file_size}.{entry.CRC:08x}"
            yield LogObject(str(path), entry.filename, min(entry.file_size, MOST_BYTES), stamp, False)


def _when(log: LogObject) -> tuple[str, str, str]:
    """S3 keys sort by region before time; by time, the files that make up one partition come together."""
    base = (log.entry or log.path).rpartition("/")[2]
    if match := _S3_NAME.match(base):
        return match[1], match[3], log.name
    return "", "", log.name


def _too_much(log: LogObject) -> CorruptLogFile:
    return CorruptLogFile(log.name, f"byte {MOST_BYTES}", f"more than {MOST_BYTES >> 20} MB uncompressed, refused")


def _uncompressed(data: bytes, log: LogObject) -> tuple[bytes, str]:
    """The bytes behind gzip, members one after another, or the bytes themselves."""
    if data[:2] != b"\x1f\x8b":
        if len(data) > MOST_BYTES:
            raise _too_much(log)
        return data, ""
    parts: list[bytes] = []
    left = MOST_BYTES
    while data[:2] == b"\x1f\x8b":
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(data, left + 1))
        except zlib.error:
            return b"".join(parts) + _until_damage(data, left), "the gzip data is damaged"
        left -= len(parts[-1])
        if left < 0:
            raise _too_much(log)
        if not member.eof:
            return b"".join(parts), "the gzip data is cut short"
        data = member.unused_data
    return b"".join(parts), ""


def _until_damage(data: bytes, most: int) -> bytes:
    """What comes out of a gzip member before the place where it is damaged, found by feeding it in small pieces."""
    member = zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    try:
        for start in range(0, len(data), _PIECE):
            parts.append(member.decompress(data[start : start + _PIECE], most))
            most -= len(parts[-1])
            if most <= 0:
                break
    except zlib.error:
        pass
    return b"".join(parts)
