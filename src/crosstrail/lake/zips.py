"""Zip archives of any size and any number of entries: the directory is read as a stream, and so is what they hold.

Decides which bytes of a zip are an entry's. Not zipfile, which holds the whole directory, about 700 bytes an entry, and
gives nothing of an entry that is damaged. The format: PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.5.3 (zip64).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from crosstrail.lake.packed import Note, Stream, unpack

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_CHUNK = 64 * 1024
_TAIL = 66 * 1024
"""The end record has at most 64 KB of comment behind it."""
_END, _END64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCATOR = 20
_METHODS = {8: "deflate", 12: "bzip2", 93: "zstd", 95: "xz"}
_IN_ZIP64 = 0xFFFFFFFF
_ENCRYPTED, _UTF8 = 1, 1 << 11
_RUN = 256
"""Entries that follow one another in one part of an archive that several processes read."""


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    method: int
    flags: int
    checksum: int
    size: int
    packed_size: int
    offset: int


def members(file: IO[bytes], part: tuple[int, int], note: Note) -> Iterator[Member]:
    """The files of part (number, of how many). A directory that cannot be read is noted, and ends them."""
    place = _directory(file)
    if place is None:
        note(0, "the zip archive is damaged or cut short")
        return
    offset, size, shift = place
    directory = Stream(_range(file, offset, size))
    number = 0
    while header := directory.read(_ENTRY.size):
        if len(header) < _ENTRY.size or header[:4] != b"PK\x01\x02":
            note(0, "the directory of the zip archive is damaged")
            return
        fields = _ENTRY.unpack(header)
        name_size, extra_size, comment_size = fields[10:13]
        rest = directory.read(name_size + extra_size + comment_size)
        name = rest[:name_size].decode("utf-8" if fields[3] & _UTF8 else "cp437", "replace")
        if number // _RUN % part[1] == part[0] and not name.endswith("/"):
            size, packed_size, at = _sizes(rest[name_size : name_size + extra_size], fields[9], fields[8], fields[16])
            yield Member(name, fields[4], fields[3], fields[7], size, packed_size, at + shift)
        number += 1


def content(file: IO[bytes], member: Member, note: Note) -> Iterator[bytes]:
    """What a member holds, as far as it can be read; what is wrong is noted."""
    header = b"".join(_range(file, member.offset, _LOCAL.size)) if member.offset >= 0 else b""
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        note(0, "its place in the zip archive is damaged")
        return
    if member.flags & _ENCRYPTED:
        note(0, "it is encrypted")
        return
    name_size, extra_size = _LOCAL.unpack(header)[9:11]
    packed = _range(file, member.offset + _LOCAL.size + name_size + extra_size, member.packed_size)
    if member.method == 0:
        chunks = packed
    elif kind := _METHODS.get(member.method):
        chunks = unpack(kind, Stream(packed), note)
    else:
        note(0, f"it is packed by a method that cannot be read: {member.method}")
        return
    size = checksum = 0
    for chunk in chunks:
        size += len(chunk)
        checksum = zlib.crc32(chunk, checksum)
        yield chunk
    if size < member.size:
        note(size, "it is cut short")
    elif checksum != member.checksum:
        note(size, "its checksum is wrong")


def _directory(file: IO[bytes]) -> tuple[int, int, int] | None:
    """(place and size of the directory, what to add to its offsets: the length of anything put before the archive)."""
    length = file.seek(0, 2)
    begin = max(length - _TAIL, 0)
    tail = b"".join(_range(file, begin, _TAIL))
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        return None
    *_, size, offset, _ = _END.unpack_from(tail, at)
    end = begin + at
    if tail[max(at - _LOCATOR, 0) :].startswith(b"PK\x06\x07"):  # zip64: too many entries, or too many bytes
        at = tail.rfind(b"PK\x06\x06", 0, at)
        if at < 0 or len(tail) - at < _END64.size:
            return None
        *_, size, offset = _END64.unpack_from(tail, at)
        end = begin + at
    shift = end - size - offset
    return (offset + shift, size, shift) if shift >= 0 else None


def _sizes(extra: bytes, *values: int) -> tuple[int, int, int]:
    """(size, packed size, offset): those that do not fit into 32 bits stand in the extra field, in this order."""
    large = b""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            large = extra[4 : 4 + length]
            break
        extra = extra[4 + length :]
    found = []
    for value in values:
        if value == _IN_ZIP64 and len(large) >= 8:
            value, large = int.from_bytes(large[:8], "little"), large[8:]
        found.append(value)
    return found[0], found[1], found[2]


def _range(file: IO[bytes], offset: int, size: int) -> Iterator[bytes]:
    """The bytes there, in chunks; others may read elsewhere in between."""
    while size > 0:
        file.seek(offset)
        chunk = file.read(min(size, _CHUNK))
        if not chunk:
            return
        yield chunk
        offset += len(chunk)
        size -= len(chunk)
